"""When a connection is synced next."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.utils import timezone

CONFIRMATION = timedelta(seconds=60)
FIRST_RETRY = timedelta(minutes=5)
MAX_RETRY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_sync_at(connection_id: UUID, *, failures: int, soon: bool = False) -> datetime:
    """When to sync again, after so many failures in a row.

    Connections are spread over the interval by a hash of their id, and none is left alone for longer than it. One
    with problems is tried again early, then ever more rarely. `soon`: this sync saw what another must confirm.
    """
    now = timezone.now()
    interval = timedelta(seconds=settings.SYNC_INTERVAL_SECONDS)
    if soon:
        return now + min(CONFIRMATION, interval)
    if failures:
        return now + min(min(FIRST_RETRY, interval) * (1 << min(failures - 1, 20)), MAX_RETRY)
    phase = _share(connection_id) * interval
    return now + (interval - (now - _EPOCH - phase) % interval)


def _share(connection_id: UUID) -> float:
    """A number from 0 to 1 that is this connection's own."""
    return int.from_bytes(sha256(connection_id.bytes).digest()[:6]) / 2**48
