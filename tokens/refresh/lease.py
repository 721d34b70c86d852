"""The lease: the right of one process to refresh a connection, for fifteen seconds unless it is renewed.

The lease is the time in `next_refresh_at` together with `lease_id`, the TokenRefresh that was opened with it.
An outcome is recorded only while `lease_id` and `grant_version` are unchanged, so a late one changes nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now

from amazon_accounts.postgresql.statements import load
from amazon_accounts.postgresql.threads import in_thread
from tokens.encryption import Secret, context_of
from tokens.models import Connection, TokenRefresh

logger = logging.getLogger(__name__)

LEASE_SECONDS = 15.0
# Shorter than a new lease, so that the leases of a process that dies after a renewal run out sooner.
RENEWED_SECONDS = 10.0
RENEWAL_SECONDS = 2.5


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to refresh one connection, and what was read with it."""

    refresh_id: UUID
    connection_id: UUID
    grant_version: int
    grant_refusals: int
    refresh_token: Secret = field(repr=False, compare=False)


def take_due_leases(*, limit: int, before: datetime, healthy: bool) -> list[Lease]:
    """Take the leases of connections that were due at `before`, the oldest first.

    `healthy` chooses between connections whose last refresh succeeded and connections whose last refresh
    failed.
    """
    return _take_leases(TokenRefresh.Trigger.SCHEDULED, limit=limit, before=before, healthy=healthy)


def take_lease(
    connection_id: UUID, trigger: TokenRefresh.Trigger, *, seen: int | None = None
) -> Lease | None:
    """Take the lease of this connection, due or not.

    Return None when another process holds it, when the connection cannot be refreshed, or when its
    `refresh_count` is no longer `seen`.
    """
    leases = _take_leases(trigger, connection_id=connection_id, seen=seen)
    return leases[0] if leases else None


def _take_leases(
    trigger: TokenRefresh.Trigger,
    *,
    limit: int = 1,
    before: datetime | None = None,
    healthy: bool | None = None,
    connection_id: UUID | None = None,
    seen: int | None = None,
) -> list[Lease]:
    with connection.cursor() as cursor:
        cursor.execute(
            load(__file__, "take_leases"),
            {
                "client_id": settings.AMAZON_CLIENT_ID,
                "lease_seconds": LEASE_SECONDS,
                "trigger": trigger.value,
                "batch_size": limit,
                "before": before,
                "healthy": healthy,
                "connection_id": connection_id,
                "seen": seen,
            },
        )
        return [
            Lease(
                refresh_id=refresh_id,
                connection_id=connection_id,
                grant_version=grant_version,
                grant_refusals=grant_refusals,
                refresh_token=Secret(refresh_token, context_of(Connection, "refresh_token", connection_id)),
            )
            for refresh_id, connection_id, grant_version, grant_refusals, refresh_token in cursor.fetchall()
        ]


def count_due(*, limit: int) -> int:
    due = Connection.objects.live().filter(next_refresh_at__lte=Now())
    return len(due.order_by("next_refresh_at").values_list("pk")[:limit])


def seconds_until_lost() -> float | None:
    """Return the seconds until the first lease of a process that seems dead expires; None if there is no such lease."""
    with connection.cursor() as cursor:
        cursor.execute(
            load(__file__, "seconds_until_lost"),
            {
                "client_id": settings.AMAZON_CLIENT_ID,
                "overdue_below_seconds": RENEWED_SECONDS - RENEWAL_SECONDS - 1,
            },
        )
        (seconds,) = cursor.fetchone()
    return None if seconds is None else max(float(seconds), 0.0)


def renew_leases(leases: Collection[Lease]) -> int:
    # A lease that another process has taken stays lost.
    with connection.cursor() as cursor:
        parameters = {**_name(leases), "lease_seconds": RENEWED_SECONDS}
        cursor.execute(load(__file__, "renew_leases"), parameters)
        return int(cursor.rowcount)


def release_leases(leases: Collection[Lease]) -> None:
    """Give back those of these leases that are still held, so that another process refreshes at once."""
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "release_leases"), _name(leases))


def _name(leases: Collection[Lease]) -> dict[str, Any]:
    return {
        "connection_ids": [lease.connection_id for lease in leases],
        "refresh_ids": [lease.refresh_id for lease in leases],
    }


class LeaseKeeper:
    """Renews the leases that this process holds."""

    def __init__(self) -> None:
        self._held: set[Lease] = set()

    def hold(self, leases: Iterable[Lease]) -> None:
        self._held.update(leases)

    def release(self, lease: Lease) -> None:
        self._held.discard(lease)

    async def renew_forever(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            if not self._held:
                continue
            try:
                await in_thread(renew_leases)(list(self._held))
            except (OperationalError, InterfaceError):
                logger.warning("Leases could not be renewed: the database does not answer.")

    async def release_all(self) -> None:
        try:
            await in_thread(release_leases)(list(self._held))
        except (OperationalError, InterfaceError):
            logger.warning("Leases could not be given back, and run out: the database does not answer.")


@asynccontextmanager
async def keep_leases(*leases: Lease, every: float = RENEWAL_SECONDS) -> AsyncIterator[LeaseKeeper]:
    keeper = LeaseKeeper()
    keeper.hold(leases)
    renewal = asyncio.create_task(keeper.renew_forever(every), name="renew token leases")
    try:
        yield keeper
    except asyncio.CancelledError:
        # A worker that stops cancels its refreshes.
        renewal.cancel()
        await keeper.release_all()
        raise
    finally:
        renewal.cancel()
