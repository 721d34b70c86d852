"""How a call reaches Amazon: at the pace that all workers keep together, and again when that may help.

The order is slot, token, request: whoever waits for a slot holds no token that could grow old, and no database
connection.
"""

import asyncio
import logging
import random
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
from amazon_accounts.amazon_ads.pacing import learning, pace
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey
from amazon_accounts.amazon_ads.pacing.slots import CallStats, Patience, Slot, SlotQueue, try_to_record

logger = logging.getLogger(__name__)

Prepared = TypeVar("Prepared")
Result = TypeVar("Result")

LWA_KEY = RateLimitKey("", Family.LWA)

#: However often it is tried, a call takes no longer than this beside its waiting for slots.
CALL_SECONDS = 240.0
#: The connections of one process. The Ads API never gets all of them, so that a region that hangs stops neither
#: the refreshing of tokens nor, as a row has fewer still, the other regions.
CONNECTIONS = 10
API_CONNECTIONS = 8
ROW_CONNECTIONS = 6
#: A slot grows stale while a token is refreshed or all connections are busy. So often a fresh one is taken.
FRESH_SLOTS = 3


class ExponentialBackoffRateLimiter:
    """Makes calls at the shared pace and repeats what is worth repeating. One for each process and event loop."""

    def __init__(self) -> None:
        self._queues: dict[RateLimitKey, SlotQueue] = {}
        self._api_connections = asyncio.Semaphore(API_CONNECTIONS)

    async def call(
        self,
        row: RateLimitKey,
        subject: str,
        *,
        prepare: Callable[[], Awaitable[Prepared]],
        send: Callable[[Prepared], Awaitable[Result]],
        max_wait: float,
        stats: CallStats | None = None,
        attempts: int | None = None,
    ) -> Result:
        """Prepare (get a token) and send, each time when a slot has come; what `send` returns.

        What is transient or throttled is tried again, up to AMAZON_MAX_ATTEMPTS times; errors of `prepare` pass
        through at once. PostponedError if slots lie more than `max_wait` seconds away, all waiting taken together.
        """
        call = _Call(self, row, subject, Patience(max_wait, stats or CallStats()), prepare, send)
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(attempts or settings.AMAZON_MAX_ATTEMPTS),
            retry=tenacity.retry_if_exception(call.is_worth_repeating),
            wait=_seconds_before_next_attempt,
            reraise=True,
        )
        try:
            async with asyncio.timeout(max_wait + CALL_SECONDS) as deadline:
                return await retrying(call.attempt)
        except _NotPreparedError as carrier:
            raise carrier.error from None
        except TimeoutError:
            if not deadline.expired():
                raise
            error = call.last_error or UnreachableError(
                f"Amazon gave no answer in {max_wait + CALL_SECONDS:.0f} seconds"
            )
            await call.record_end(error)
            raise error from None
        except TransientError as error:
            await call.record_end(error)
            raise

    def queue(self, row: RateLimitKey) -> SlotQueue:
        if row not in self._queues:
            connections = CONNECTIONS if row.family == Family.LWA else ROW_CONNECTIONS
            self._queues[row] = SlotQueue(row, places=asyncio.Semaphore(connections))
        return self._queues[row]

    @asynccontextmanager
    async def connection(self, row: RateLimitKey) -> AsyncIterator[None]:
        if row.family == Family.LWA:
            yield
        else:
            async with self._api_connections:
                yield


class _NotPreparedError(Exception):
    """Carries an error of `prepare` past the retries: it had its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@dataclass
class _Call(Generic[Prepared, Result]):
    limiter: ExponentialBackoffRateLimiter
    row: RateLimitKey
    subject: str
    patience: Patience
    prepare: Callable[[], Awaitable[Prepared]]
    send: Callable[[Prepared], Awaitable[Result]]
    attempts: int = 0
    last_error: AmazonError | None = None

    async def attempt(self) -> Result:
        self.attempts += 1
        for fresh_slots_left in reversed(range(FRESH_SLOTS)):
            async with self.limiter.queue(self.row).slot(self.subject, self.patience) as slot:
                try:
                    prepared = await self.prepare()
                except (AmazonError, PostponedError) as error:
                    await self._unused(slot)
                    raise _NotPreparedError(error) from error
                async with self.limiter.connection(self.row):
                    if not (slot.is_stale and fresh_slots_left):
                        return await self._sent(slot, prepared)
                await self._unused(slot)
        raise AssertionError("the last slot is used, stale or not")

    async def _unused(self, slot: Slot) -> None:
        if slot.reservation.is_probe:
            await try_to_record(learning.give_probe_back, self.row)

    async def _sent(self, slot: Slot, prepared: Prepared) -> Result:
        reservation = slot.reservation
        self.patience.stats.requests += 1
        try:
            result = await self.send(prepared)
        except ThrottledError as error:
            self._failed(error)
            self.patience.stats.throttled += 1
            seconds = error.retry_after or random.uniform(0, pace.max_backoff_seconds(self.attempts))
            await try_to_record(
                learning.record_throttled, self.row, self.subject, reservation, seconds=seconds
            )
            await self._answered(slot)
            raise
        except TransientError as error:
            self._failed(error)
            if reservation.is_probe:
                await try_to_record(learning.record_failed_probe, self.row)
            raise
        except AmazonError as error:
            self._failed(error)
            await self._answered(slot)
            raise
        await self._answered(slot)
        return result

    async def _answered(self, slot: Slot) -> None:
        """Amazon spoke, whatever it said. That is written down only where it had not spoken before."""
        if slot.reservation.is_ailing:
            await try_to_record(learning.record_answer, self.row, is_probe=slot.reservation.is_probe)

    def _failed(self, error: AmazonError) -> None:
        self.last_error = error
        logger.warning(
            "%s",
            error,
            extra={
                "action": "amazon_call_failed",
                "region": self.row.region,
                "family": self.row.family,
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
            return True  # The next slot comes when the login is no longer parked.
        return isinstance(error, TransientError) and (error.retry_after or 0) <= self.patience.left

    async def record_end(self, error: AmazonError) -> None:
        """The call ends without an answer: five of these in a row open the circuit."""
        if isinstance(error, TransientError) and not isinstance(error, PaceUnavailableError):
            await try_to_record(learning.record_failure, self.row, self.subject)


def _seconds_before_next_attempt(state: tenacity.RetryCallState) -> float:
    """Full jitter, or what Amazon asks for. Who was throttled waits for its slot instead."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ThrottledError):
        return 0.0
    asked = error.retry_after if isinstance(error, AmazonError) else None
    return asked or random.uniform(0, pace.max_backoff_seconds(state.attempt_number))
