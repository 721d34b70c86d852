"""How calls wait for slots: the callers of one process stand in a queue, and only the first two hold slots.

Slots are reserved only shortly before their use, so that the calls follow a new pace at once and a process that dies
wastes at most two slots. While one caller waits for the time of its slot, the second caller reserves the next slot.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from amazon_accounts.amazon_ads.errors import PostponedError
from amazon_accounts.amazon_ads.pacing.database import PacingDatabase
from amazon_accounts.amazon_ads.pacing.reservation import (
    Obstacle,
    RateLimitKey,
    Reservation,
    is_still_open,
    reserve,
)
from amazon_accounts.postgresql.clock import approximate_now

# Of one process, for each rate limit.
MAX_HELD_SLOTS = 2

# Each is followed by "until" and a time.
REASONS: dict[Obstacle, str] = {
    "parked": "Amazon asked this login to wait",
    "blocked": "Amazon asked for a pause",
    "circuit": "Amazon does not answer, so no call is made",
    "probing": "Amazon did not answer, and this call waits for the outcome of another call",
    "far": "Amazon allows a limited number of calls, and this call waits",
}


@dataclass
class CallStats:
    """What the calls of one login cost."""

    requests: int = 0
    throttled: int = 0
    waited_seconds: float = 0.0


@dataclass
class WaitBudget:
    """How long one call may still wait for slots, over all its attempts."""

    seconds_left: float
    stats: CallStats

    def spend(self, seconds: float) -> None:
        self.seconds_left = max(0.0, self.seconds_left - seconds)
        self.stats.waited_seconds += seconds

    async def wait_for(self, reservation: Reservation) -> None:
        """Wait until the reservation's time. PostponedError if that is too long."""
        if reservation.seconds > self.seconds_left:
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
    # By the event loop's clock. Never later than the slot by the database's clock.
    due: float

    @property
    def seconds_late(self) -> float:
        return asyncio.get_running_loop().time() - self.due


@dataclass
class SlotQueue:
    """The calls of this process that wait for slots of one rate limit."""

    key: RateLimitKey
    database: PacingDatabase
    # Limits how many requests of this process are on their way at once.
    connections: asyncio.Semaphore
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_HELD_SLOTS))
    waiting: int = 0
    interval: float = 0.0

    @asynccontextmanager
    async def take_slot(self, subject: str, budget: WaitBudget) -> AsyncIterator[Slot]:
        """Wait for a slot, and hold a connection while the slot is used."""
        slot = await self._wait_for_slot(subject, budget)
        try:
            yield slot
        finally:
            self.connections.release()

    async def _wait_for_slot(self, subject: str, budget: WaitBudget) -> Slot:
        while True:
            async with self._take_turn(budget):
                slot = await self._acquire_connection_and_slot(subject, budget)
            if not slot.reservation.obstacle:
                return slot
            # Only this login is paused. It waits outside the queue, and the other logins continue.
            await budget.wait_for(slot.reservation)

    @asynccontextmanager
    async def _take_turn(self, budget: WaitBudget) -> AsyncIterator[None]:
        seconds_ahead = self.waiting * self.interval
        if seconds_ahead > budget.seconds_left:
            raise _postpone(seconds_ahead)
        started = asyncio.get_running_loop().time()
        self.waiting += 1
        try:
            async with asyncio.timeout(budget.seconds_left):
                await self.turns.acquire()
        except TimeoutError:
            raise _postpone(seconds_ahead) from None
        finally:
            self.waiting -= 1
            budget.spend(asyncio.get_running_loop().time() - started)
        try:
            yield
        finally:
            self.turns.release()

    async def _acquire_connection_and_slot(self, subject: str, budget: WaitBudget) -> Slot:
        """Return a slot whose time has come, and keep a connection for it.

        If this login is parked, return a slot with an obstacle, and keep no connection.
        """
        await self.connections.acquire()
        keeps_connection = False
        try:
            slot = await self._reserve_and_wait(subject, budget)
            keeps_connection = not slot.reservation.obstacle
            return slot
        finally:
            if not keeps_connection:
                self.connections.release()

    async def _reserve_and_wait(self, subject: str, budget: WaitBudget) -> Slot:
        while True:
            asked_at = asyncio.get_running_loop().time()
            reservation = await self.database.run(reserve, self.key, subject, max_wait=budget.seconds_left)
            self.interval = reservation.interval
            slot = Slot(reservation, due=asked_at + reservation.seconds)
            if reservation.obstacle == "parked":
                return slot
            await budget.wait_for(reservation)
            if not reservation.obstacle and await self._is_usable(reservation, subject):
                return slot

    async def _is_usable(self, reservation: Reservation, subject: str) -> bool:
        if not reservation.seconds:
            return True
        return await self.database.run(is_still_open, self.key, subject, is_probe=reservation.is_probe)


def _postpone(seconds: float) -> PostponedError:
    return PostponedError(approximate_now() + timedelta(seconds=seconds), REASONS["far"])
