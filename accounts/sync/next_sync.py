"""When a connection is synced next."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from amazon_accounts.postgresql.clock import database_now
from tokens.models import Connection

CONFIRMATION = timedelta(seconds=60)
FIRST_RETRY = timedelta(minutes=5)
MAX_RETRY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_sync_at(connection_id: UUID, *, failures: int, soon: bool = False) -> datetime:
    """Return when to sync the connection again, after this number of failures in a row.

    `soon`: another sync must confirm that accounts are gone.
    """
    now = database_now()
    interval = timedelta(seconds=settings.SYNC_INTERVAL_SECONDS)
    if soon:
        return now + min(CONFIRMATION, interval)
    if failures:
        # The pause doubles with each failure.
        return now + min(min(FIRST_RETRY, interval) * (1 << min(failures - 1, 20)), MAX_RETRY)
    # A hash of the id gives each connection a fixed place in the sync interval, which spreads the syncs
    # evenly.
    phase = _share(connection_id) * interval
    return now + (interval - (now - _EPOCH - phase) % interval)


def _share(connection_id: UUID) -> float:
    return int.from_bytes(sha256(connection_id.bytes).digest()[:6]) / 2**48


def sync_soon(connection_ids: Collection[UUID]) -> None:
    # The new connections of handed-over accounts may receive newer data about them.
    if connection_ids:
        Connection.objects.live().filter(pk__in=connection_ids).update(next_sync_at=Now())
