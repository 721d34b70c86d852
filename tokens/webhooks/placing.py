"""Giving events their numbers, in the order in which they were found committed.

A transaction that began early may commit late. Its events are placed after those that were there before, so a reader that
goes by the number misses none. Events of one object keep the order in which they were written. With its number an event gets
its deliveries, one for each webhook of its team that asks for it.
"""

from typing import Final

from django.db import connection, transaction
from procrastinate.contrib.django import app

from amazon_accounts.postgresql.statements import load
from tokens.models import Event
from tokens.queues import TOKENS
from tokens.webhooks.sending import queue_due_webhooks

# The keys of the advisory lock of whoever places events.
LOCK: Final = (20_262, 1)
PLACED_AT_ONCE: Final = 5_000


# In the queue of the tokens the task does not wait for long syncs.
@app.task(queue=TOKENS, name="tokens.place_events")
def place_events(*, batch_size: int = PLACED_AT_ONCE) -> int:
    """Place the committed events that have no number; return how many were placed."""
    placed = 0
    while number := _place(batch_size):
        placed += number
    if placed:
        queue_due_webhooks()
    return placed


def events_wait() -> bool:
    return Event.objects.filter(number=None).exists()


def _place(batch_size: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", LOCK)
        cursor.execute(load(__file__, "place_events"), {"batch_size": batch_size})
        (placed,) = cursor.fetchone()
    return int(placed)
