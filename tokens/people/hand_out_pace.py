"""How many access tokens one API key may ask for. All web processes count together, in the row of the key."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from amazon_accounts.postgresql.statements import load


@dataclass(frozen=True)
class Pace:
    """A limit by the generic cell rate algorithm: a burst after a pause, and then so many a second."""

    name: str
    per_second: float
    burst: int

    @property
    def window(self) -> float:
        """Return the seconds after which the whole burst is there again."""
        return self.burst / self.per_second

    def seconds_to_wait(self, seconds_ahead: float, number: int = 1) -> float:
        return max(seconds_ahead + number / self.per_second - self.window, 0.0)


# A service that works for 5,000 logins gets all their tokens at once, and again a minute later.
HAND_OUTS: Final = Pace("access-tokens", per_second=100, burst=6_000)


@dataclass(frozen=True)
class Turn:
    """Whether something was counted, and may be done, and how far the clock is ahead of the time."""

    is_taken: bool
    seconds_ahead: float


def take_hand_outs(key_id: UUID, number: int, pace: Pace = HAND_OUTS) -> Turn:
    """Count `number` access tokens against the key, or none if the key may not ask for all of them now.

    A key that was revoked meanwhile gets none.
    """
    parameters: dict[str, Any] = {
        "key": key_id,
        "number": number,
        "pause": timedelta(seconds=1 / pace.per_second),
        "allowed": timedelta(seconds=pace.window),
    }
    # Outside of a transaction: parallel requests wait for each other at the row, and each then counts what the others
    # have taken.
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "take_hand_outs"), parameters)
        row = cursor.fetchone()
    if row is None:
        return Turn(is_taken=False, seconds_ahead=0.0)
    return Turn(is_taken=row[0], seconds_ahead=float(row[1]))
