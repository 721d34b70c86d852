"""The locks of the audit trail. Whoever needs both takes BEGINNING first."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection, transaction

# The first key of these advisory locks. Locks of persons have another one (accounts/sync/fences.py).
LOCK_CLASS: Final = 20_261
# Where links are added.
CHAIN: Final = 1
# Where entries are pruned. A check holds it, so that nothing is pruned under its eyes.
BEGINNING: Final = 2


@contextmanager
def locked(lock: int) -> Iterator[None]:
    """Open a transaction that holds the lock until its end."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_CLASS, lock])
        yield
