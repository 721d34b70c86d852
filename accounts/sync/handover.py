"""What becomes of accounts when a login is disconnected here, or refused by Amazon."""

from collections.abc import Collection
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db import transaction

from accounts.models import AccountAccess
from accounts.models.changes import change_in_the_name_of
from accounts.sync.claims import close_unfinished_runs
from accounts.sync.merge import HAND_OVER, HAND_OVER_TO_LIVE, lock_person
from accounts.sync.schedule import sync_soon
from tokens.models import Connection


@transaction.atomic
def connection_disconnected(connection: Connection) -> None:
    """Take away what the login saw. Accounts that no other one sees are not visible any more."""
    with database.cursor() as cursor:
        lock_person(cursor, connection.owner_id)
        change_in_the_name_of(connection.disconnected_by_id)
        close_unfinished_runs(connection, "The connection was disconnected.")
        AccountAccess.objects.filter(connection=connection).delete()
        cursor.execute(HAND_OVER, {**_parameters(connection), "include_unsynced": True})
        _, heirs = cursor.fetchone()
    _sync_soon(heirs)


@transaction.atomic
def connection_broken(connection: Connection) -> None:
    """Give the accounts to other logins that see them and work. The rest stay, and show why they are not updated."""
    with database.cursor() as cursor:
        lock_person(cursor, connection.owner_id)
        cursor.execute(HAND_OVER_TO_LIVE, _parameters(connection))
        (heirs,) = cursor.fetchone()
    _sync_soon(heirs)


def _sync_soon(heirs: Collection[UUID]) -> None:
    """Not part of the transaction: whoever stores holds a connection while it waits for the person."""
    transaction.on_commit(partial(sync_soon, heirs))


def _parameters(connection: Connection) -> dict[str, Any]:
    return {"connection": connection.pk, "client": settings.AMAZON_CLIENT_ID}
