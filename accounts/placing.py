"""Giving changes of accounts their numbers, in the order in which they were found committed.

A transaction that began early may commit late. Its changes are placed after those that were there before, so a reader that
goes by the number misses none. Events get their numbers in the same way (tokens/webhooks/placing.py).
"""

from typing import Final

from django.db import connection, transaction
from procrastinate.contrib.django import app

from accounts.models import AccountChange
from amazon_accounts.postgresql.statements import load
from tokens.queues import TOKENS

# The keys of the advisory lock of whoever places changes.
LOCK: Final = (20_262, 2)
PLACED_AT_ONCE: Final = 5_000


# In the queue of the tokens the task does not wait for long syncs.
@app.task(queue=TOKENS, name="accounts.place_changes")
def place_changes(*, batch_size: int = PLACED_AT_ONCE) -> None:
    while _place(batch_size):
        pass


def changes_wait() -> bool:
    return AccountChange.objects.filter(number=None).exists()


def _place(batch_size: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", LOCK)
        cursor.execute(load(__file__, "place_changes"), {"batch_size": batch_size})
        (placed,) = cursor.fetchone()
    return int(placed)
