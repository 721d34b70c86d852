"""Waiting for slots: the callers of one process stand in line, and only the first two hold slots.

So a pace that grows is felt at once, no slots far away are taken at yesterday's pace, and a process that dies
takes two slots with it. With two, one may ask the database while the other waits for its time.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError

from amazon_accounts.amazon_ads.errors import PaceUnavailableError, PostponedError
from amazon_accounts.amazon_ads.pacing.pace import STALE_SLOT_SECONDS
from amazon_accounts.amazon_ads.pacing.reservation import (
    Obstacle,
    RateLimitKey,
    Reservation,
    is_still_open,
    reserve,
)
from amazon_accounts.postgresql.threads import in_thread

logger = logging.getLogger(__name__)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

#: A database that takes longer for one small statement counts as away.
DATABASE_SECONDS = 15.0

#: Of one process, for each row.
HOLDING_SLOTS = 2

REASONS: dict[Obstacle, str] = {
    "parked": "Amazon asked this login to wait",
    "blocked": "Amazon asked for a pause",
    "circuit": "Amazon does not answer, and is left alone",
    "probing": "Amazon did not answer; one call finds out whether it does again",
    "far": "Others were first, and Amazon takes only so many calls; this one waits",
}


async def query_database(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """What the function returns, run in a thread. PaceUnavailableError if the database does not answer in time."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            return await in_thread(function)(*args, **kwargs)
    except (TimeoutError, OperationalError, InterfaceError) as error:
        raise PaceUnavailableError from error


async def try_to_record(
    function: Callable[Parameters, object], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> bool:
    """Have the function write down what an answer taught; False if the database is away. The answer itself counts
    either way."""
    try:
        await query_database(function, *args, **kwargs)
    except PaceUnavailableError as error:
        logger.warning("What Amazon's answer taught is lost: %s", error, extra={"action": "lesson_lost"})
        return False
    return True


@dataclass
class CallStats:
    """What the calls of one login cost."""

    requests: int = 0
    throttled: int = 0
    waited_seconds: float = 0.0


@dataclass
class Patience:
    """How long one call may still wait for slots, over all its tries."""

    left: float
    stats: CallStats

    def spend(self, seconds: float) -> None:
        self.left = max(0.0, self.left - seconds)
        self.stats.waited_seconds += seconds

    async def sleep(self, reservation: Reservation) -> None:
        """Wait until the reservation's time, or raise PostponedError if that is too long."""
        if reservation.seconds > self.left:
            raise PostponedError(
                reservation.until,
                REASONS[reservation.obstacle or "far"],
                is_for_one_login=reservation.obstacle == "parked",
            )
        if reservation.seconds:
            await asyncio.sleep(reservation.seconds)
            self.spend(reservation.seconds)


@dataclass(frozen=True)
class Slot:
    reservation: Reservation
    #: By the event loop's clock; never later than the slot by the database's.
    due: float

    @property
    def is_stale(self) -> bool:
        """It was not used in time: using it now could bunch requests up beyond the ceiling."""
        return asyncio.get_running_loop().time() - self.due > STALE_SLOT_SECONDS


@dataclass
class SlotQueue:
    row: RateLimitKey
    #: So many of this process's requests may be under way at once.
    places: asyncio.Semaphore
    head: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HOLDING_SLOTS))
    standing: int = 0
    interval: float = 0.0

    @asynccontextmanager
    async def slot(self, subject: str, patience: Patience) -> AsyncIterator[Slot]:
        """A slot that has come. While it is held, so is a place."""
        slot = await self._next_slot(subject, patience)
        try:
            yield slot
        finally:
            self.places.release()

    async def _next_slot(self, subject: str, patience: Patience) -> Slot:
        while True:
            async with self._turn(patience):
                slot = await self._at_the_head(subject, patience)
            if not slot.reservation.obstacle:
                return slot
            # This login alone was sent away: it waits aside, and the line goes on.
            await patience.sleep(slot.reservation)

    @asynccontextmanager
    async def _turn(self, patience: Patience) -> AsyncIterator[None]:
        ahead = self.standing * self.interval
        if ahead > patience.left:
            raise PostponedError(_in(ahead), REASONS["far"])
        started = asyncio.get_running_loop().time()
        self.standing += 1
        try:
            async with asyncio.timeout(patience.left):
                await self.head.acquire()
        except TimeoutError:
            raise PostponedError(_in(ahead), REASONS["far"]) from None
        finally:
            self.standing -= 1
            patience.spend(asyncio.get_running_loop().time() - started)
        try:
            yield
        finally:
            self.head.release()

    async def _at_the_head(self, subject: str, patience: Patience) -> Slot:
        """A slot that has come, and with it a place; or, without one, the slot that a parked login did not get."""
        await self.places.acquire()
        keeps_place = False
        try:
            slot = await self._reserved(subject, patience)
            keeps_place = not slot.reservation.obstacle
            return slot
        finally:
            if not keeps_place:
                self.places.release()

    async def _reserved(self, subject: str, patience: Patience) -> Slot:
        while True:
            asked_at = asyncio.get_running_loop().time()
            reservation = await query_database(reserve, self.row, subject, max_wait=patience.left)
            self.interval = reservation.interval
            slot = Slot(reservation, due=asked_at + reservation.seconds)
            if reservation.obstacle == "parked":
                return slot
            await patience.sleep(reservation)
            if not reservation.obstacle and (
                not reservation.seconds
                or await query_database(is_still_open, self.row, subject, is_probe=reservation.is_probe)
            ):
                return slot


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
