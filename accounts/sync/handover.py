"""Giving accounts to another connection.

This happens when a complete list no longer shows an account, when only regions show it that the connection does
not read any more, and when the connection is disconnected or refused by Amazon. `hand_over_or_mark_not_visible.sql` marks an account that no connection sees `not_visible`.
"""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.backends.utils import CursorWrapper

from accounts.models import AccountAccess
from accounts.models.changes import change_in_the_name_of
from accounts.sync.claims import close_unfinished_runs
from accounts.sync.fences import lock_team
from accounts.sync.next_sync import sync_soon
from amazon_accounts.amazon_ads.causes import Cause
from amazon_accounts.postgresql.statements import load
from tokens.models import Connection

HAND_OVER_UNSEEN: Final = load(__file__, "hand_over_or_mark_not_visible")
HAND_OVER_TO_LIVE: Final = load(__file__, "hand_over_to_live_connections")
MERGE_ACCESS: Final = load(__file__, "merge_access")
MARK_UNREAD: Final = load(__file__, "mark_unread_accounts")


@transaction.atomic
def hand_over_disconnected(connection: Connection) -> None:
    with database.cursor() as cursor:
        lock_team(cursor, connection.team_id)
        change_in_the_name_of(connection.disconnected_by_id)
        close_unfinished_runs(connection, "The connection was disconnected.", Cause.DISCONNECTED)
        AccountAccess.objects.filter(connection=connection).delete()
        _, new_owners = hand_over_unseen(cursor, _parameters(connection), include_unsynced=True)
    _sync_after_commit(new_owners)


@transaction.atomic
def merge_accounts_into(connection: Connection, into: Connection) -> None:
    """Give all accounts of a connection to another connection of the same Amazon login."""
    close_unfinished_runs(connection, f"Its Amazon login is connected as {into.pk}.")
    with database.cursor() as cursor:
        lock_team(cursor, connection.team_id)
        cursor.execute(MERGE_ACCESS, {"connection": connection.pk, "older": into.pk})


@transaction.atomic
def hand_over_broken(connection: Connection) -> None:
    with database.cursor() as cursor:
        lock_team(cursor, connection.team_id)
        cursor.execute(HAND_OVER_TO_LIVE, _parameters(connection))
        (new_owners,) = cursor.fetchone()
    _sync_after_commit(new_owners)


@transaction.atomic
def hand_over_dropped_regions(connection: Connection) -> None:
    """Mark the accounts that only regions show which the connection does not read any more.

    Accounts of a region that was added keep their mark until the next sync has read them.
    """
    with database.cursor() as cursor:
        lock_team(cursor, connection.team_id)
        new_owners = hand_over_unread(cursor, _parameters(connection))
    _sync_after_commit(new_owners)


def hand_over_unread(
    cursor: CursorWrapper, parameters: Mapping[str, Any], *, read_regions: Collection[str] | None = None
) -> list[UUID]:
    """Mark accounts of unread regions, or give them to a connection that reads them; return these connections.

    `read_regions` are the regions that a sync has just read: their accounts lose the mark.
    """
    cursor.execute(
        MARK_UNREAD,
        {**parameters, "may_clear": read_regions is not None, "read_regions": list(read_regions or ())},
    )
    (new_owners,) = cursor.fetchone()
    return list(new_owners)


def hand_over_unseen(
    cursor: CursorWrapper, parameters: Mapping[str, Any], *, include_unsynced: bool
) -> tuple[list[UUID], list[UUID]]:
    """Give the accounts that their connection does not see any more to a connection that sees them.

    Returns the accounts that no connection sees, and the connections that received accounts. Accounts whose
    sync is off keep their connection unless `include_unsynced`.
    """
    cursor.execute(HAND_OVER_UNSEEN, {**parameters, "include_unsynced": include_unsynced})
    vanished, new_owners = cursor.fetchone()
    return vanished, new_owners


def _sync_after_commit(connections: Collection[UUID]) -> None:
    # `sync_soon` locks connections. This transaction holds the lock of the team, and a merge takes the lock
    # of its connection first. In one transaction, both could deadlock, so `sync_soon` runs after the commit.
    transaction.on_commit(partial(sync_soon, connections))


def _parameters(connection: Connection) -> dict[str, Any]:
    return {"connection": connection.pk, "client": settings.AMAZON_CLIENT_ID}
