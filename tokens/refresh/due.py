"""The refresh check: every connection whose refresh is due, shared by all processes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from django.conf import settings

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, PostponedError
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.threads import in_thread, reserved_threads
from tokens.models import TokenRefresh
from tokens.refresh import lease
from tokens.refresh.counts import CONCURRENCY, RefreshCounts, run_to_the_end
from tokens.refresh.exchange import Refreshed, record_as_failed, refresh_leased
from tokens.refresh.lease import Lease, LeaseKeeper, keep_leases
from tokens.refresh.probe import lift_refusal_if_accepted, read_refusal, take_probe

Outcome = TokenRefresh.Outcome

# Small, because the leases of a process that dies must run out before others take them.
LEASES_AT_ONCE: Final = 5
# Amazon postpones one login for reasons of its own. When it postpones this number in a row, it is busy.
MAX_POSTPONED_IN_A_ROW: Final = 3
MIN_SECONDS_BETWEEN_LOOKS: Final = 0.5


class _Backlog:
    """The connections that are due: leases in hand, and more from the database while there are any."""

    def __init__(self, before: datetime, keeper: LeaseKeeper) -> None:
        self._before = before
        self._keeper = keeper
        self._leases: dict[bool, deque[Lease]] = {True: deque(), False: deque()}
        self._filling = asyncio.Lock()
        self._postponed_in_a_row = 0
        # Why no connection can be refreshed now, once that is known.
        self._obstacle: AmazonError | PostponedError | None = None

    async def take_all(self, *, healthy: bool) -> AsyncIterator[Lease]:
        while (taken := await self._take(healthy=healthy)) is not None:
            yield taken

    async def _take(self, *, healthy: bool) -> Lease | None:
        leases = self._leases[healthy]
        async with self._filling:
            if not leases and self._obstacle is None:
                taken = await in_thread(lease.take_due_leases)(
                    limit=LEASES_AT_ONCE, before=self._before, healthy=healthy
                )
                self._keeper.hold(taken)
                leases.extend(taken)
            return leases.popleft() if leases else None

    async def refresh(self, taken: Lease, amazon: AmazonClient, *, max_wait: float) -> Refreshed:
        if self._obstacle is not None:
            refreshed = await record_as_failed(taken, self._obstacle)
        else:
            refreshed = await refresh_leased(taken, amazon, max_wait=max_wait)
        self._keeper.release(taken)
        self._look_for_obstacle(refreshed)
        return refreshed

    def _look_for_obstacle(self, refreshed: Refreshed) -> None:
        if isinstance(refreshed.error, PostponedError) and refreshed.error.is_for_one_login:
            return
        is_postponed = refreshed.outcome == Outcome.POSTPONED
        self._postponed_in_a_row = self._postponed_in_a_row + 1 if is_postponed else 0
        if refreshed.outcome == Outcome.CONFIG or self._postponed_in_a_row >= MAX_POSTPONED_IN_A_ROW:
            self._obstacle = refreshed.error

    async def wait_for_lost_leases(self) -> bool:
        """Wait until the leases of processes that seem to be dead run out; return False if there are none."""
        if self._obstacle is not None:
            return False
        seconds = await in_thread(lease.seconds_until_lost)()
        if seconds is None:
            return False
        # A lease that has run out cannot be taken while its row is locked.
        await asyncio.sleep(max(seconds, MIN_SECONDS_BETWEEN_LOOKS))
        self._before = await in_thread(database_now)()
        return True


async def refresh_due(
    amazon: AmazonClient, *, max_wait: float = MAX_WAIT_SECONDS, concurrency: int = CONCURRENCY
) -> RefreshCounts:
    """Refresh every connection that is due, and no other. Any number of processes share the work.

    The leases of a process that died are taken as soon as they run out. Half of the slots refresh only connections
    whose last refresh went well, so that failing connections never delay these. While Amazon refuses our
    application, only one connection is refreshed, to find out whether Amazon still refuses it.
    """
    counts = RefreshCounts()
    with reserved_threads():
        before = await in_thread(database_now)()
        if await _application_may_refresh(amazon, before, max_wait, counts):
            async with keep_leases() as keeper:
                await _work_off(_Backlog(before, keeper), amazon, max_wait, concurrency, counts)
    return counts


async def _work_off(
    backlog: _Backlog, amazon: AmazonClient, max_wait: float, concurrency: int, counts: RefreshCounts
) -> None:
    async def work(*, only_healthy: bool) -> None:
        for healthy in (True,) if only_healthy else (True, False):
            async for taken in backlog.take_all(healthy=healthy):
                refreshed = await backlog.refresh(taken, amazon, max_wait=max_wait)
                counts[refreshed.outcome.value] += 1

    while True:
        await run_to_the_end(work(only_healthy=number % 2 == 1) for number in range(concurrency))
        if not await backlog.wait_for_lost_leases():
            return


async def _application_may_refresh(
    amazon: AmazonClient, before: datetime, max_wait: float, counts: RefreshCounts
) -> bool:
    refusal = await read_refusal()
    if refusal is None:
        return True
    # Half of the pause of other callers, so that usually this check is the caller that asks Amazon.
    if not await take_probe(refusal, pause=settings.TOKEN_REFRESH_CHECK_SECONDS / 2):
        return False
    for healthy in (True, False):
        for taken in await in_thread(lease.take_due_leases)(limit=1, before=before, healthy=healthy):
            async with keep_leases(taken):
                refreshed = await refresh_leased(taken, amazon, max_wait=max_wait)
            counts[refreshed.outcome.value] += 1
            return await lift_refusal_if_accepted(refreshed)
    # No connection is due, so none can be used to ask Amazon.
    return True
