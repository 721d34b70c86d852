"""How a call reaches Amazon: at the pace that all workers share, with further attempts where they may help.

The order is slot, token, request. A caller that waits for a slot holds no token that could expire, and no database
connection.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import tenacity
from django.conf import settings

from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    PaceUnavailableError,
    PostponedError,
    ThrottledError,
    TransientError,
    UnreachableError,
)
from amazon_accounts.amazon_ads.models import Family
from amazon_accounts.amazon_ads.pacing import circuit, pace, throttling
from amazon_accounts.amazon_ads.pacing.database import PacingDatabase
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey
from amazon_accounts.amazon_ads.pacing.slots import CallStats, Slot, SlotQueue, WaitBudget
from amazon_accounts.amazon_ads.time_limit import limit_time
from amazon_accounts.logs.spans import span
from amazon_accounts.postgresql.measures import CALLS

logger = logging.getLogger(__name__)

Prepared = TypeVar("Prepared")
Result = TypeVar("Result")

LWA_KEY = RateLimitKey("", Family.LWA)

# All attempts of one call together end after this time. The time that it waits for slots does not count.
MAX_CALL_SECONDS = 240.0
# HTTP connections of one process. The lists of the Ads API get only a part of them, so that a region that hangs does not
# stop the refresh of tokens. Each rate limit gets fewer than the lists, so that this region does not stop the other
# regions. Billing has connections of its own, so that it never takes one from the lists; they are few, because
# one request asks about 30 advertisers.
MAX_LWA_CONNECTIONS = 10
MAX_LIST_CONNECTIONS = 8
MAX_CONNECTIONS_PER_RATE_LIMIT = 6
MAX_BILLING_CONNECTIONS_PER_RATE_LIMIT = 2
# Two are left for Login with Amazon while lists and billing of all three regions hang.
MAX_CONNECTIONS = MAX_LIST_CONNECTIONS + 3 * MAX_BILLING_CONNECTIONS_PER_RATE_LIMIT + 2
CONNECTIONS_PER_RATE_LIMIT = {
    Family.LWA: MAX_LWA_CONNECTIONS,
    Family.BILLING: MAX_BILLING_CONNECTIONS_PER_RATE_LIMIT,
}
# A slot becomes stale while a token is refreshed or all connections are busy. After this number of stale slots, a
# call uses its next slot even if that slot is stale.
MAX_STALE_SLOTS = 2


class ExponentialBackoffRateLimiter:
    """Makes calls at the shared pace, and repeats calls that may succeed later. One for each process and event loop."""

    def __init__(
        self,
        *,
        database: PacingDatabase | None = None,
        jitter: Callable[[float, float], float] = random.uniform,
        max_call_seconds: float = MAX_CALL_SECONDS,
        stale_slot_seconds: float = pace.STALE_SLOT_SECONDS,
    ) -> None:
        self.database = database or PacingDatabase()
        self.jitter = jitter
        self.stale_slot_seconds = stale_slot_seconds
        self._max_call_seconds = max_call_seconds
        self._queues: dict[RateLimitKey, SlotQueue] = {}
        self._list_connections = asyncio.Semaphore(MAX_LIST_CONNECTIONS)

    async def call(
        self,
        key: RateLimitKey,
        subject: str,
        *,
        prepare: Callable[[], Awaitable[Prepared]],
        send: Callable[[Prepared], Awaitable[Result]],
        max_wait: float,
        stats: CallStats | None = None,
        attempts: int | None = None,
    ) -> Result:
        """Wait for a slot, prepare (get a token) and send. Return what `send` returns.

        Up to `attempts` attempts, by default AMAZON_MAX_ATTEMPTS, are made after transient errors and throttling.
        Errors of `prepare` are raised at once. PostponedError if a slot is more than `max_wait` seconds away, with the
        waiting of all attempts added up.
        """
        call = _Call(
            limiter=self,
            key=key,
            subject=subject,
            budget=WaitBudget(max_wait, stats or CallStats()),
            prepare=prepare,
            send=send,
        )
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(attempts or settings.AMAZON_MAX_ATTEMPTS),
            retry=tenacity.retry_if_exception(call.is_worth_repeating),
            wait=call.choose_pause,
            reraise=True,
        )
        max_seconds = max_wait + self._max_call_seconds
        try:
            async with limit_time(max_seconds) as deadline:
                return await retrying(call.attempt)
        except _NotPreparedError as carrier:
            # Its cause tells an outage of our database from an error of Amazon.
            raise carrier.error from carrier.error.__cause__
        except TimeoutError:
            if not deadline.expired():
                raise
            error = call.last_error or UnreachableError(f"Amazon gave no answer in {max_seconds:.0f} seconds")
            await call.record_end(error)
            raise error from None
        except TransientError as error:
            await call.record_end(error)
            raise

    def queue_for(self, key: RateLimitKey) -> SlotQueue:
        if key not in self._queues:
            connections = CONNECTIONS_PER_RATE_LIMIT.get(key.family, MAX_CONNECTIONS_PER_RATE_LIMIT)
            self._queues[key] = SlotQueue(key, self.database, connections=asyncio.Semaphore(connections))
        return self._queues[key]

    @asynccontextmanager
    async def hold_connection(self, key: RateLimitKey) -> AsyncIterator[None]:
        if key.family in CONNECTIONS_PER_RATE_LIMIT:
            yield
        else:
            async with self._list_connections:
                yield


class _NotPreparedError(Exception):
    """Carries an error of `prepare`. The call is not attempted again, because `prepare` makes its own attempts."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@dataclass(kw_only=True)
class _Call(Generic[Prepared, Result]):
    limiter: ExponentialBackoffRateLimiter
    key: RateLimitKey
    subject: str
    budget: WaitBudget
    prepare: Callable[[], Awaitable[Prepared]]
    send: Callable[[Prepared], Awaitable[Result]]
    attempts: int = 0
    last_error: AmazonError | None = None

    async def attempt(self) -> Result:
        self.attempts += 1
        stale_slots = 0
        while True:
            async with self.limiter.queue_for(self.key).take_slot(self.subject, self.budget) as slot:
                prepared = await self._prepare(slot)
                async with self.limiter.hold_connection(self.key):
                    # Requests in stale slots could come so close together that they exceed the ceiling.
                    is_stale = slot.seconds_late > self.limiter.stale_slot_seconds
                    if not is_stale or stale_slots == MAX_STALE_SLOTS:
                        return await self._send(slot, prepared)
                stale_slots += 1
                await self._give_back(slot)

    async def _prepare(self, slot: Slot) -> Prepared:
        try:
            return await self.prepare()
        except (AmazonError, PostponedError) as error:
            await self._give_back(slot)
            raise _NotPreparedError(error) from error

    async def _give_back(self, slot: Slot) -> None:
        if slot.reservation.is_probe:
            await self.limiter.database.try_to_record(circuit.give_probe_back, self.key)

    async def _send(self, slot: Slot, prepared: Prepared) -> Result:
        self.budget.stats.requests += 1
        began_at, outcome = time.monotonic(), "cancelled"
        try:
            with span("client", f"Amazon {self.key.family}") as kept:
                kept.set_attribute("region", self.key.region or "any")
                result = await self._send_and_record(slot, prepared)
            outcome = "succeeded"
            return result
        except AmazonError as error:
            outcome = error.kind
            raise
        finally:
            CALLS.time(time.monotonic() - began_at, self.key.region or "any", self.key.family, outcome)

    async def _send_and_record(self, slot: Slot, prepared: Prepared) -> Result:
        try:
            result = await self.send(prepared)
        except asyncio.CancelledError:
            # The process ends, and another one may probe at once.
            await self._give_back(slot)
            raise
        except ThrottledError as error:
            self._log_failure(error)
            await self._record_throttled(slot, error)
            await self._record_answer(slot)
            raise
        except TransientError as error:
            self._log_failure(error)
            if slot.reservation.is_probe:
                await self.limiter.database.try_to_record(circuit.record_failed_probe, self.key)
            raise
        except AmazonError as error:
            self._log_failure(error)
            await self._record_answer(slot)
            raise
        await self._record_answer(slot)
        return result

    async def _record_throttled(self, slot: Slot, error: ThrottledError) -> None:
        self.budget.stats.throttled += 1
        await self.limiter.database.try_to_record(
            throttling.record_throttled,
            self.key,
            self.subject,
            slot.reservation,
            pause_seconds=error.retry_after
            or self.limiter.jitter(0, pace.max_backoff_seconds(self.attempts)),
        )

    async def _record_answer(self, slot: Slot) -> None:
        # An answer is recorded only after a failure, to show that Amazon answers again.
        if slot.reservation.had_failures:
            await self.limiter.database.try_to_record(
                circuit.record_answer, self.key, is_probe=slot.reservation.is_probe
            )

    def _log_failure(self, error: AmazonError) -> None:
        self.last_error = error
        logger.warning(
            "%s",
            error,
            extra={
                "action": "amazon_call_failed",
                "region": self.key.region,
                "family": self.key.family,
                "subject": self.subject,
                "attempt": self.attempts,
                "kind": error.kind,
                "status": error.status,
                "code": error.code,
                "request_id": error.request_id,
            },
        )

    def is_worth_repeating(self, error: BaseException) -> bool:
        if isinstance(error, ThrottledError):
            return True
        return isinstance(error, TransientError) and (error.retry_after or 0) <= self.budget.seconds_left

    def choose_pause(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ThrottledError):
            return 0.0  # The next slot comes when the pause of the login is over.
        asked = error.retry_after if isinstance(error, AmazonError) else None
        return asked or self.limiter.jitter(0, pace.max_backoff_seconds(state.attempt_number))

    async def record_end(self, error: AmazonError) -> None:
        # A call that never reached Amazon does not count.
        if isinstance(error, TransientError) and not isinstance(error, PaceUnavailableError):
            await self.limiter.database.try_to_record(circuit.record_failure, self.key, self.subject)
