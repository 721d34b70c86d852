"""The clock of the database. All processes share it, so it decides what is due, and its times are stored."""

import time
from datetime import UTC, datetime

from django.db import connection

# A reading that took longer is not used: the process or the network may have stood still in between.
MAX_READING_SECONDS = 1.0

# What to add to the monotonic clock. A process that has not reached its database has only its own clock.
_offset = time.time() - time.monotonic()  # noqa: TID251


def database_now() -> datetime:
    """Return the database's time at this moment, also in the middle of a transaction. Costs a query.

    Prefer `Now()` in a statement that is made anyway: it is the same clock, as of the statement's begin.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def approximate_now() -> datetime:
    """Return the database's time, right to a second. Costs no query, and may be called from asynchronous code.

    It continues the last reading, which is made whenever a connection is taken from the pool. Use it for what people
    read and for comparisons in Python. A constraint of the database may find it a little too early.
    """
    return datetime.fromtimestamp(_offset + time.monotonic(), UTC)


def note_reading(seconds: float, *, asked_at: float) -> None:
    """Note that the database said it was `seconds` (since 1970) when it was asked at `asked_at` (monotonic)."""
    global _offset
    answered_at = time.monotonic()
    if answered_at - asked_at <= MAX_READING_SECONDS:
        _offset = seconds - answered_at
