"""How many requests one caller of the API may make. All web processes count together."""

import logging
from datetime import timedelta
from typing import Any, Final

from django.db import InternalError, NotSupportedError, OperationalError, connection
from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from amazon_accounts.postgresql.statements import load
from tokens.models import RequestClock
from tokens.people.hand_out_pace import Pace, Turn

logger = logging.getLogger(__name__)

READS: Final = Pace("reads", per_second=100, burst=1_000)
WRITES: Final = Pace("writes", per_second=20, burst=200)


def take_request(caller: str, pace: Pace) -> Turn | None:
    """Count a request of the caller, or not if there are too many; None if the database takes no changes."""
    parameters: dict[str, Any] = {
        "key": name_clock(caller, pace),
        "pause": timedelta(seconds=1 / pace.per_second),
        "allowed": timedelta(seconds=pace.window),
    }
    try:
        # Outside of a transaction: parallel requests wait for each other at the row, for as long as the statement takes.
        with connection.cursor() as cursor:
            cursor.execute(load(__file__, "take_request"), parameters)
            row = cursor.fetchone()
    except (OperationalError, InternalError, NotSupportedError) as error:
        # A standby and a full disk take no changes. What only reads goes on, and everything else is refused there.
        logger.debug("A request was not counted: %s", error)
        return None
    if row is None:
        return Turn(is_taken=False, seconds_ahead=_read_seconds_ahead(parameters["key"]))
    return Turn(is_taken=True, seconds_ahead=max(float(row[0]), 0.0))


def _read_seconds_ahead(key: str) -> float:
    ahead = ExpressionWrapper(F("ahead_until") - Now(), output_field=DurationField())
    found: timedelta = RequestClock.objects.values_list(ahead, flat=True).get(key=key)
    return max(found.total_seconds(), 0.0)


def name_clock(caller: str, pace: Pace) -> str:
    return f"{pace.name} {caller}"
