"""The refresh of a connection that somebody asks for, due or not. Each connection has one refresh at a time."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now
from django.db.models.lookups import LessThanOrEqual

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import ApplicationRefusedError, GrantRevokedError
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.postgresql.threads import in_thread, reserved_threads
from tokens.errors import ERRORS, raise_if_unusable
from tokens.models import Connection, TokenRefresh
from tokens.refresh import lease
from tokens.refresh.counts import CONCURRENCY, SKIPPED, RefreshCounts, run_to_the_end
from tokens.refresh.exchange import Refreshed, refresh_leased
from tokens.refresh.lease import keep_leases
from tokens.refresh.probe import lift_refusal_if_accepted, read_refusal, require_probe

Outcome = TokenRefresh.Outcome
Trigger = TokenRefresh.Trigger

# A person who has corrected something at Amazon and presses the button again is served after this pause.
MAX_PROBE_PAUSE_FOR_PEOPLE_SECONDS: Final = 10.0


async def refresh_connections(
    connection_ids: Iterable[UUID],
    trigger: TokenRefresh.Trigger,
    amazon: AmazonClient,
    *,
    max_wait: float = MAX_WAIT_SECONDS,
) -> RefreshCounts:
    """Refresh these connections now, due or not. A refresh that another process has started is waited for.

    While Amazon refuses our application, the first connection asks whether Amazon still refuses it.
    """
    counts = RefreshCounts()
    waiting = deque(connection_ids)
    if waiting and await read_refusal() is not None:
        outcome = await _refresh_or_skip(waiting.popleft(), trigger, amazon, max_wait)
        counts[outcome] += 1
        if outcome == Outcome.CONFIG:
            counts[outcome] += len(waiting)
            return counts

    async def work() -> None:
        while waiting:
            counts[await _refresh_or_skip(waiting.popleft(), trigger, amazon, max_wait)] += 1

    with reserved_threads():
        await run_to_the_end(work() for _ in range(min(CONCURRENCY, len(waiting))))
    return counts


async def refresh_queued(
    connection_id: UUID,
    trigger: TokenRefresh.Trigger,
    amazon: AmazonClient,
    *,
    seen: int | None = None,
    max_wait: float = MAX_WAIT_SECONDS,
) -> None:
    # Hundreds of these tasks may wait. While Amazon refuses our application, one task in each pause asks
    # Amazon, and the other tasks end without a call. A person who has corrected something waits less.
    pause: float = settings.TOKEN_REFRESH_CHECK_SECONDS
    if trigger != Trigger.ON_USE:
        pause = min(pause, MAX_PROBE_PAUSE_FOR_PEOPLE_SECONDS)
    with reserved_threads():
        await _refresh_or_skip(connection_id, trigger, amazon, max_wait, seen=seen, probe_pause=pause)


async def _refresh_or_skip(
    connection_id: UUID,
    trigger: TokenRefresh.Trigger,
    amazon: AmazonClient,
    max_wait: float,
    *,
    seen: int | None = None,
    probe_pause: float | None = None,
) -> str:
    try:
        refreshed = await refresh_one(
            connection_id, trigger, amazon, max_wait=max_wait, seen=seen, probe_pause=probe_pause
        )
    except (GrantRevokedError, ApplicationRefusedError):
        return SKIPPED
    return refreshed.outcome.value if refreshed else SKIPPED


async def refresh_one(
    connection_id: UUID,
    trigger: TokenRefresh.Trigger,
    amazon: AmazonClient,
    *,
    max_wait: float,
    seen: int | None = None,
    probe_pause: float | None = None,
) -> Refreshed | None:
    """Refresh this connection, or wait for the refresh that another caller has started.

    None when its `refresh_count` is no longer `seen`: then a newer token is stored. Raises an AmazonError when the
    connection is unusable. With a `probe_pause`, while Amazon refuses our application, one caller in each pause
    (seconds) asks Amazon; the other callers get ApplicationRefusedError without a call.
    """
    refusal = await read_refusal()
    if refusal is not None and probe_pause is not None:
        await require_probe(refusal, pause=probe_pause)
    while True:
        taken = await in_thread(lease.take_lease)(connection_id, trigger, seen=seen)
        if taken is not None:
            async with keep_leases(taken):
                refreshed = await refresh_leased(taken, amazon, max_wait=max_wait)
            if refusal is not None:
                await lift_refusal_if_accepted(refreshed)
            return refreshed
        connection = await in_thread(_read_usable)(connection_id)
        if seen is not None and connection.refresh_count != seen:
            return None
        other = await _wait_for(connection.lease_id) if connection.lease_id else None
        if other is not None and other.outcome not in {Outcome.LOST, Outcome.SUPERSEDED}:
            return other
        await asyncio.sleep(settings.TOKEN_REFRESH_POLL_SECONDS)


def _read_usable(connection_id: UUID) -> Connection:
    connection = Connection.objects.only("state", "client_id", "lease_id", "refresh_count").get(
        pk=connection_id
    )
    raise_if_unusable(connection)
    return connection


async def _wait_for(refresh_id: UUID) -> Refreshed | None:
    while True:
        is_held, refreshed = await in_thread(_read_outcome)(refresh_id)
        if refreshed is not None or not is_held:
            return refreshed
        await asyncio.sleep(settings.TOKEN_REFRESH_POLL_SECONDS)


def _read_outcome(refresh_id: UUID) -> tuple[bool, Refreshed | None]:
    """Return whether the lease of this refresh is still held, and how the refresh ended (None while it runs)."""
    refresh = (
        TokenRefresh.objects.filter(pk=refresh_id)
        .values_list("outcome", "error", "error_code", "connection__lease_id")
        .annotate(is_late=LessThanOrEqual(F("connection__next_refresh_at"), Now()))
        .first()
    )
    if refresh is None:
        return False, None
    outcome, text, code, lease_id, is_late = refresh
    if outcome is None:
        return lease_id == refresh_id and not is_late, None
    error_class = ERRORS.get(outcome)
    error = error_class(text, code=code) if error_class else None
    return True, Refreshed(Outcome(outcome), error=error)
