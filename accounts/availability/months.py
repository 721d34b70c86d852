"""The availability of a connection in one month, and in all of them.

A month is stored when it is over. Until then it is counted from what is stored about refreshes, syncs and periods.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.core.exceptions import ValidationError

from accounts.availability.facts import find_failing_times, how_long_a_failure_explains, read_facts
from accounts.availability.minutes import (
    MINUTE,
    Span,
    SyncMinute,
    TokenMinute,
    count_minutes,
    find_sync_times,
    find_token_times,
)
from accounts.models import Availability
from amazon_accounts.postgresql.clock import database_now
from tokens.models import Connection, ConnectionPeriod, time_until_late

MONTH: Final = re.compile(r"([1-9][0-9]{3})-(0[1-9]|1[0-2])", re.ASCII)
# A year, and the month that is not over.
SHOWN_MONTHS: Final = 13


def read_month(text: str) -> date:
    """Return the first day of a month that is written YYYY-MM. Raises ValidationError."""
    match = MONTH.fullmatch(text)
    if match is None:
        raise ValidationError({"month": "It must be a month such as 2026-11."})
    return date(int(match[1]), int(match[2]), 1)


def get_availability(connection: Connection, month: date | None) -> Availability:
    """Return what the minutes of the month were; without a month, of the one that is not over.

    Raises ValidationError if the month has not begun, or was over before the connection was made.
    """
    now = database_now()
    this_month = first_day(now)
    month = month or this_month
    if month > this_month:
        raise ValidationError({"month": f"{month:%Y-%m} has not begun yet. Months are those of UTC."})
    if month < (first := first_day(connection.created_at)):
        raise ValidationError({"month": f"The connection was made later. Its first month is {first:%Y-%m}."})
    stored = Availability.objects.filter(connection=connection, month=month).first()
    return stored or count_month([connection], month, now)[0]


def list_availability(connection: Connection, limit: int = SHOWN_MONTHS) -> list[Availability]:
    """Return the newest months of which something is known, the newest first."""
    began_at = (
        ConnectionPeriod.objects.filter(connection=connection).order_by("began_at").values("began_at")[:1]
    )
    first = began_at.first()
    if first is None:
        return []
    now = database_now()
    stored = {row.month: row for row in Availability.objects.filter(connection=connection)[:limit]}
    months: list[date] = []
    month = first_day(now)
    while month >= first_day(first["began_at"]) and len(months) < limit:
        months.append(month)
        month = month_before(month)
    return [stored.get(each) or count_month([connection], each, now)[0] for each in months]


def count_month(connections: Sequence[Connection], month: date, now: datetime) -> list[Availability]:
    """Count the month, or the minutes of it that are over. The rows are not stored."""
    begin = midnight(month)
    whole = Span(begin, begin + (min(midnight(month_after(month)), now) - begin) // MINUTE * MINUTE)
    facts = read_facts(connections, whole, now)
    tokens = {
        key: find_token_times(each, whole.end, explains=how_long_a_failure_explains())
        for key, each in facts.items()
    }
    failing = find_failing_times([span for times in tokens.values() for span in times.unexplained])
    late_after = time_until_late()
    return [
        Availability(
            connection=connection,
            month=month,
            minutes=(whole.end - whole.begin) // MINUTE,
            late_after_seconds=int(late_after.total_seconds()),
            **count_minutes(tokens[connection.pk].explain(failing), whole, TokenMinute),
            **count_minutes(
                find_sync_times(facts[connection.pk], whole.end, late_after=late_after), whole, SyncMinute
            ),
        )
        for connection in connections
    ]


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def first_day(moment: datetime) -> date:
    return moment.astimezone(UTC).date().replace(day=1)


def month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def month_after(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)
