"""Forgetting an Amazon login: what names people is erased here, and the history stays without the names."""

import logging

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from tokens.connect.links import erase_links_of
from tokens.locking import lock_connection
from tokens.models import AuthorizationAttempt, Connection
from tokens.people.audit import Action, record_audit
from tokens.permissions import System, get_person, require
from tokens.signals import connection_changed

logger = logging.getLogger(__name__)

FORGOTTEN_LABEL = "Forgotten login"


class StillConnectedError(Exception):
    """Only a disconnected login can be forgotten. Disconnect it first."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def forget_login(user: User | System, connection: Connection) -> bool:
    """Erase the label, the labels, the contact and Amazon's name, e-mail and user id of the login, and the names of its accounts.

    Earlier connections of the same login and team, which ended too, are erased with it. Accounts that another connection sees keep their names. Return False if the login was forgotten before. Raises
    PermissionDenied or StillConnectedError.
    """
    require(user, "tokens.disconnect_connection", connection)
    with transaction.atomic():
        stored = lock_connection(user, "tokens.disconnect_connection", connection.pk)
        if stored.state != Connection.State.DISCONNECTED:
            raise StillConnectedError
        if stored.is_forgotten:
            return False
        all_ended = _find_ended(stored)
        record_audit(
            user,
            Action.CONNECTION_FORGET,
            stored,
            after={"connections": sorted(str(ended.pk) for ended in all_ended)},
        )
        for ended in all_ended:
            _erase(ended, user)
            ended.refresh_from_db()
            connection_changed.send(sender=Connection, connection=ended, change="forgotten")
        connection.refresh_from_db()
    logger.info(
        "The Amazon login of connection %s was forgotten by %s.",
        connection.pk,
        "a command" if isinstance(user, System) else f"user {user.pk} ({user.get_username()})",
        extra={"action": "login_forgotten", "connection": str(connection.pk)},
    )
    return True


def _find_ended(stored: Connection) -> list[Connection]:
    """Return this connection, and the others of the same login and team that have ended."""
    if stored.amazon_user_id is None:
        return [stored]
    same_login = Connection.objects.filter(
        team=stored.team_id,
        client_id=stored.client_id,
        amazon_user_id=stored.amazon_user_id,
        state=Connection.State.DISCONNECTED,
    )
    return list(same_login.order_by("pk").select_for_update())


def _erase(connection: Connection, user: User | System) -> None:
    Connection.objects.filter(pk=connection.pk).update(
        label=FORGOTTEN_LABEL,
        amazon_user_id=None,
        amazon_user_name="",
        amazon_user_email="",
        contact_email="",
        labels={},
        is_identity_pending=False,
        # What Amazon answered may name the login.
        last_error="",
        last_error_at=None,
        sync_error="",
        forgotten_at=Now(),
        forgotten_by=get_person(user),
    )
    connection.refreshes.exclude(error="").update(error="")
    connection.alerts.erase_texts()
    erase_links_of(connection, FORGOTTEN_LABEL)
    AuthorizationAttempt.objects.filter(Q(connection=connection) | Q(connected=connection)).delete()
