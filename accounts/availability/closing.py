"""Storing the months that are over, before their refreshes and syncs are deleted."""

import logging
import time
from datetime import date, timedelta
from typing import Final

from django.db.models import Exists, OuterRef
from procrastinate.contrib.django import app

from accounts.availability.months import count_month, first_day, midnight, month_after, month_before
from accounts.models import Availability
from amazon_accounts.postgresql.clock import database_now
from tokens.models import Connection, ConnectionPeriod
from tokens.queues import MAX_TASK_SECONDS, UPKEEP, defer_once

logger = logging.getLogger(__name__)

# What was under way at the end of the month has ended.
SETTLED_AFTER: Final = timedelta(days=1)
# The refreshes and syncs of older months are deleted.
MONTHS_TO_STORE: Final = 3
CONNECTIONS_AT_ONCE: Final = 20


@app.task(queue=UPKEEP, name="accounts.store_availability")
def store_availability(*, connections_at_once: int = CONNECTIONS_AT_ONCE) -> int:
    """Store the availability of the months that are over; return how many rows were stored."""
    deadline = time.monotonic() + MAX_TASK_SECONDS
    stored = 0
    for month in _find_months():
        while number := _store_some(month, connections_at_once):
            stored += number
            if time.monotonic() > deadline:
                defer_once(store_availability, "accounts.store_availability:more")
                return stored
    return stored


def _find_months() -> list[date]:
    month = first_day(database_now() - SETTLED_AFTER)
    months = []
    for _ in range(MONTHS_TO_STORE):
        month = month_before(month)
        months.append(month)
    return months


def _store_some(month: date, limit: int) -> int:
    of_connection = {"connection": OuterRef("pk")}
    missing = Connection.objects.filter(
        Exists(ConnectionPeriod.objects.filter(**of_connection, began_at__lt=midnight(month_after(month)))),
        ~Exists(Availability.objects.filter(**of_connection, month=month)),
    )
    connections = list(missing.only("created_at").order_by("pk")[:limit])
    # Another worker may store the same rows.
    rows = count_month(connections, month, database_now())
    Availability.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)
