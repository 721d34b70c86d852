"""Moving a connection to another team, with everything that belongs to it."""

from dataclasses import replace

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from tokens.connect.links import end_links_of
from tokens.locking import lock_connection
from tokens.models import Connection, Team
from tokens.people.audit import Action, AuditedObject, record_many
from tokens.permissions import System, may, require
from tokens.request_order import order_request
from tokens.signals import connection_changed


class MoveRefusedError(Exception):
    """The connection cannot be moved to this team. The text says why; nothing was changed."""


def move_connection(
    user: User | System, connection: Connection, team: Team, *, number: int | None = None
) -> None:
    """Give the connection, its accounts, their labels and the history to another team.

    The person must be allowed to move it, and to connect logins in the new team. The person responsible stays if they
    see the connection in the new team; else the acting person becomes responsible. An operation that the old team
    started stays in the list of the old team, and its results are seen by who sees the account. `number` is that of an older
    request. Raises PermissionDenied, MoveRefusedError, and OvertakenError if a newer request has moved the connection.
    """
    require(user, "tokens.move_connection", connection)
    require(user, "tokens.connect_amazon", team)
    with transaction.atomic():
        moved = lock_connection(user, "tokens.move_connection", connection.pk)
        moved.request_numbers = order_request(moved.request_numbers, ["team"], number).numbers
        if moved.team_id == team.pk:
            raise MoveRefusedError(f"The connection is in the team “{team}” already.")
        old_team, owner = moved.team_id, _choose_owner(user, moved, team)
        # The administrators of each of the two teams read it in their trail.
        audited = AuditedObject.of(moved)
        record_many(
            user,
            Action.CONNECTION_MOVE,
            [audited, replace(audited, team_id=team.pk)],
            before={"team": str(old_team), "owner": moved.owner_id},
            after={"team": str(team.pk), "owner": owner.pk},
        )
        moved.team, moved.owner = team, owner
        _store(moved)
        end_links_of(moved)
        connection_changed.send(sender=Connection, connection=moved, change="moved", old_team=old_team)
    connection.refresh_from_db()


def _store(moved: Connection) -> None:
    try:
        with transaction.atomic():
            moved.save(update_fields=["team", "owner", "request_numbers"])
    except IntegrityError:
        # The constraint one_connection_per_team_client_and_login.
        raise MoveRefusedError(
            f"This Amazon login is connected in the team “{moved.team}” already. "
            "Disconnect one of the two connections first."
        ) from None


def _choose_owner(user: User | System, moved: Connection, team: Team) -> User:
    if isinstance(user, System) or may(moved.owner, "tokens.view_connection", team):
        return moved.owner
    return user
