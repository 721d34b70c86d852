"""Disconnecting: the tokens of a connection are erased here. Nothing changes at Amazon."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from tokens.connect.links import end_links_of
from tokens.locking import lock_connection
from tokens.models import Connection
from tokens.people.audit import Action, record_audit
from tokens.permissions import System, get_person, require
from tokens.request_order import order_request
from tokens.signals import connection_changed


def disconnect_connection(user: User | System, connection: Connection, *, number: int | None = None) -> bool:
    """Erase the tokens, and end the client links that renew it; accounts and history stay.

    Return False if the connection was disconnected before.

    A refresh that is running cannot bring the tokens back. `number` is that of an older request. Raises
    PermissionDenied, and OvertakenError if the login was reconnected after that request.
    """
    require(user, "tokens.disconnect_connection", connection)
    with transaction.atomic():
        locked = lock_connection(user, "tokens.disconnect_connection", connection.pk)
        state = locked.state
        numbers = order_request(locked.request_numbers, ["connected"], number).numbers
        changed = (
            Connection.objects.filter(pk=connection.pk)
            .exclude(state=Connection.State.DISCONNECTED)
            .update(
                state=Connection.State.DISCONNECTED,
                access_token=None,
                refresh_token=None,
                expires_at=None,
                next_refresh_at=None,
                lease_id=None,
                is_identity_pending=False,
                request_numbers=numbers,
                disconnected_at=Greatest(Now(), F("created_at")),
                disconnected_by=get_person(user),
            )
        )
        connection.refresh_from_db()
        if changed:
            end_links_of(connection)
            record_audit(
                user,
                Action.CONNECTION_DISCONNECT,
                connection,
                before={"state": state},
                after={"state": connection.state},
            )
            connection_changed.send(sender=Connection, connection=connection, change="disconnected")
    return bool(changed)
