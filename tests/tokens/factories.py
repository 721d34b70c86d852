"""Rows that tests make, change and read without going through the operations of this app."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from amazon_accounts.postgresql.threads import in_thread
from tokens.models import Connection, TokenRefresh


def new_refresh(
    connection: Connection,
    outcome: str | None = "succeeded",
    *,
    started_at: datetime | None = None,
    **fields: Any,
) -> TokenRefresh:
    """Make a refresh in the history of a connection; without an outcome it is still open."""
    started_at = started_at or timezone.now()
    return TokenRefresh.objects.create(
        connection=connection,
        grant_version=1,
        trigger="scheduled",
        outcome=outcome,
        started_at=started_at,
        finished_at=started_at if outcome else None,
        **fields,
    )


def make_due(connection: Connection) -> None:
    """Let the connection be due now. A check that has begun already leaves it to the next one."""
    Connection.objects.filter(pk=connection.pk).update(next_refresh_at=timezone.now())


def store_tokens(connection: Connection, **tokens: str) -> None:
    """Store these tokens as another process does that has got newer ones."""
    stored = Connection.objects.get(pk=connection.pk)
    for column, token in tokens.items():
        setattr(stored, column, token)
    stored.save(update_fields=list(tokens))


async def reload(connection: Connection) -> Connection:
    return await in_thread(Connection.objects.get)(pk=connection.pk)


async def read_refreshes(connection: Connection) -> list[TokenRefresh]:
    return await in_thread(lambda: list(connection.refreshes.order_by("started_at")))()
