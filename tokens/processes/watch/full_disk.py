"""The alert that the database refuses writes, because its disk is full. No row can be added then, so it is sent at once.

One row that exists already can still be changed. Who sets its time tells.
"""

import logging
import time
from datetime import timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.postgresql.outages import FULL, probe
from tokens.alerts.create import create_alert
from tokens.alerts.delivery import send_without_rows
from tokens.models import Alert, Watch
from tokens.processes.watch.texts import name_time

logger = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 60.0


class DiskWatch:
    """Whether the disk of the database is full, as this process sees it."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        # By the monotonic clock.
        self._full_since: float | None = None

    def look(self) -> bool:
        """Return whether the database takes writes. Tell when it has refused them for long, and when that is over."""
        trouble = probe()
        now = time.monotonic()
        if trouble is None:
            self._full_since = None
            _tell_end()
        elif trouble.cause == FULL:
            self._full_since = now if self._full_since is None else self._full_since
            if now - self._full_since >= self._patience_seconds:
                _tell(lasts=now - self._full_since)
        return trouble is None


def _tell(*, lasts: float) -> None:
    untold = Watch.objects.filter(full_disk_told_at=None)
    if not untold.update(full_disk_told_at=Now()):
        return
    since = name_time(approximate_now() - timedelta(seconds=lasts))
    text = (
        f"The database has refused all writes since {since}, because its disk is full. Tokens are not refreshed any more, "
        "and no sync and no change is stored. Free space on the disk of the database, or make it larger. Everything goes "
        "on by itself then."
    )
    connection.close()
    if not send_without_rows(Alert(kind=Alert.Kind.SERVICE_FAILING, text=text)):
        # The next look tries again.
        Watch.objects.update(full_disk_told_at=None)


@transaction.atomic
def _tell_end() -> None:
    told = Watch.objects.filter(full_disk_told_at__isnull=False).select_for_update().first()
    if told is not None:
        since = name_time(told.full_disk_told_at or approximate_now())
        Watch.objects.update(full_disk_told_at=None)
        text = f"The database takes writes again. Its disk was full when that was told at {since}."
        create_alert(Alert.Kind.SERVICE_WORKING, f"full disk:{uuid7()}", text)
