"""Who may refresh a connection now: one statement claims it, for fifteen seconds unless renewed.

The lease is the time in `next_refresh_at`, which a claim moves forward, and `lease_id`, the TokenRefresh that
was opened with it. What a refresh records is fenced by both `lease_id` and `grant_version`, so that one that
comes too late changes nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models.functions import Now

from amazon_accounts.postgresql.threads import in_thread
from tokens.encryption import Secret
from tokens.models import Connection, TokenRefresh

logger = logging.getLogger(__name__)

Parameter = int | str | bool | datetime | UUID | None

LEASE_SECONDS = 15.0
# A renewal holds for less than a claim: a process that dies late in its work is found out as soon as one that dies
# at its beginning.
RENEWED_SECONDS = 10.0
RENEWAL_SECONDS = 2.5


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to refresh one connection, and what was read with it."""

    refresh_id: UUID
    connection_id: UUID
    grant_version: int
    grant_refusals: int
    refresh_token: Secret = field(repr=False, compare=False)


# A refresh that its process left open is closed as lost by whoever claims next; the join makes sure that it is
# closed before the new one is opened, of which there may be one per connection.
CLAIM = """
WITH due AS (
    SELECT id FROM tokens_connection
    WHERE state = 'active' AND client_id = %(client_id)s AND {condition}
    ORDER BY next_refresh_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE tokens_connection AS claimed
    SET next_refresh_at = clock_timestamp() + make_interval(secs => %(lease)s), lease_id = gen_random_uuid()
    FROM due WHERE claimed.id = due.id
    RETURNING claimed.id, claimed.lease_id, claimed.grant_version, claimed.grant_refusals, claimed.refresh_token
), lost AS (
    UPDATE tokens_tokenrefresh AS lost
    SET outcome = 'lost', finished_at = greatest(clock_timestamp(), lost.started_at),
        error = 'The process that refreshed died or was cut off.'
    FROM claimed WHERE lost.connection_id = claimed.id AND lost.outcome IS NULL
    RETURNING lost.id
), opened AS (
    INSERT INTO tokens_tokenrefresh
        (id, connection_id, grant_version, trigger, tries, started_at, error_code, error, request_id)
    SELECT claimed.lease_id, claimed.id, claimed.grant_version, %(trigger)s, 0, clock_timestamp(), '', '', ''
    FROM claimed CROSS JOIN (SELECT count(*) FROM lost) AS closed_first
)
SELECT lease_id, id, grant_version, grant_refusals, refresh_token FROM claimed
"""
CLAIM_DUE = CLAIM.format(
    condition="next_refresh_at <= %(before)s AND (last_error = '') = %(healthy)s",
)
# Free: nobody holds it, or who held it has lost it.
CLAIM_ONE = CLAIM.format(
    condition="id = %(connection_id)s AND refresh_count = coalesce(%(seen)s, refresh_count)"
    " AND (lease_id IS NULL OR next_refresh_at <= clock_timestamp())",
)


def claim_due(*, limit: int, before: datetime, healthy: bool) -> list[Claim]:
    """Claim connections whose turn had come by `before`, soonest first: those whose last refresh went well, or not."""
    return _claim(
        CLAIM_DUE, TokenRefresh.Trigger.SCHEDULED, {"limit": limit, "before": before, "healthy": healthy}
    )


def claim_one(connection_id: UUID, trigger: TokenRefresh.Trigger, *, seen: int | None = None) -> Claim | None:
    """Claim this connection, due or not.

    None when another refresh of it is under way, it cannot be refreshed, or it was refreshed since the caller
    saw so many refreshes of it.
    """
    claims = _claim(CLAIM_ONE, trigger, {"limit": 1, "connection_id": connection_id, "seen": seen})
    return claims[0] if claims else None


def _claim(statement: str, trigger: TokenRefresh.Trigger, parameters: dict[str, Parameter]) -> list[Claim]:
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "client_id": settings.AMAZON_CLIENT_ID,
                "lease": LEASE_SECONDS,
                "trigger": trigger.value,
                **parameters,
            },
        )
        return [
            Claim(
                refresh_id=lease_id,
                connection_id=connection_id,
                grant_version=grant_version,
                grant_refusals=grant_refusals,
                refresh_token=Secret(ciphertext),
            )
            for lease_id, connection_id, grant_version, grant_refusals, ciphertext in cursor.fetchall()
        ]


def database_now() -> datetime:
    """The time as the database has it, which all processes share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


# Who is alive renews its leases in time; one that is nearer to its end than this was lost.
SUSPICIOUS = """
SELECT extract(epoch FROM min(next_refresh_at) - clock_timestamp())::float8
FROM tokens_connection
WHERE state = 'active' AND client_id = %s AND lease_id IS NOT NULL
    AND next_refresh_at < clock_timestamp() + make_interval(secs => %s)
"""


def seconds_until_lost() -> float | None:
    """Say when the first lease of a process that seems to have died runs out; None if there is none."""
    with connection.cursor() as cursor:
        cursor.execute(SUSPICIOUS, [settings.AMAZON_CLIENT_ID, RENEWED_SECONDS - RENEWAL_SECONDS - 1])
        (seconds,) = cursor.fetchone()
    return None if seconds is None else max(float(seconds), 0.0)


# Locked in the order of their ids, as everybody does who locks several. One that somebody else has locked must not
# hold up the others: nobody can claim it meanwhile either, and the next renewal finds it.
RENEW = """
WITH held AS (
    SELECT held.id FROM tokens_connection AS held
    JOIN unnest(%(connection_ids)s::uuid[], %(refresh_ids)s::uuid[]) AS mine (id, lease_id)
        ON held.id = mine.id AND held.lease_id = mine.lease_id
    ORDER BY held.id FOR UPDATE OF held SKIP LOCKED
)
UPDATE tokens_connection AS renewed
SET next_refresh_at = greatest(next_refresh_at, clock_timestamp() + make_interval(secs => %(lease)s))
FROM held WHERE renewed.id = held.id
"""


def renew(claims: Collection[Claim]) -> int:
    """Hold these leases for another term; those lost already stay lost, and those locked by others wait their turn.

    Return how many were renewed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            RENEW,
            {
                "connection_ids": [claim.connection_id for claim in claims],
                "refresh_ids": [claim.refresh_id for claim in claims],
                "lease": RENEWED_SECONDS,
            },
        )
        return int(cursor.rowcount)


class LeaseKeeper:
    """Renews the leases that this process holds, for as long as it holds them."""

    def __init__(self) -> None:
        self._held: set[Claim] = set()

    def hold(self, claims: Iterable[Claim]) -> None:
        self._held.update(claims)

    def release(self, claim: Claim) -> None:
        self._held.discard(claim)

    async def renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            if not self._held:
                continue
            try:
                await in_thread(renew)(list(self._held))
            except OperationalError:
                logger.warning("Leases could not be renewed: the database does not answer.")


@asynccontextmanager
async def kept_leases() -> AsyncIterator[LeaseKeeper]:
    """A keeper at work while the block runs."""
    keeper = LeaseKeeper()
    renewal = asyncio.create_task(keeper.renew_for_ever(), name="renew token leases")
    try:
        yield keeper
    finally:
        renewal.cancel()


def count_due(*, limit: int) -> int:
    """Count the connections whose turn has come, up to a limit."""
    due = Connection.objects.live().filter(next_refresh_at__lte=Now())
    return len(due.order_by("next_refresh_at").values_list("pk")[:limit])
