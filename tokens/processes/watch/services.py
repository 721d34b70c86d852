"""Which parts of the console do not work now: no worker, no leading scheduler, a queue that stands still, a disk that is
nearly full."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection

from amazon_accounts.postgresql.statements import load
from tokens.processes.heartbeats import Beats, count_beats

# A process that is replaced in an upgrade is away for less.
MAX_ABSENCE: Final = timedelta(minutes=5)
# In local mode the database is on the same disk as everything else.
MIN_FREE_SHARE: Final = 0.05
GIGABYTE: Final = 1024**3


@dataclass(frozen=True)
class ServiceFailure:
    # One word for the part, by which the failure is known while it lasts.
    subject: str
    # What happens and what to do; `{since}` stands for when it began.
    text: str
    # How long it must last before people are told.
    patience: timedelta = timedelta()
    # When it began, if that is known better than by the first look that saw it.
    since: datetime | None = None


# What is told when the failure of this part is over.
ENDINGS: Final = {
    "worker": "A worker is alive again. Tokens are refreshed and accounts are synced.",
    "scheduler": "A scheduler leads again. Tokens are refreshed and accounts are synced by themselves.",
    "queue": "The queue moves again. No task has waited for too long.",
    "disk": "At least 5% of the disk that holds DATA_DIR is free again.",
}


@dataclass(frozen=True)
class ServiceReport:
    failing: list[ServiceFailure]
    # What cannot be judged now. If it failed before, it is not over.
    unknown: frozenset[str]


def look_at_services() -> ServiceReport:
    alive = count_beats()
    # Without a worker the queue only stands still.
    unknown = frozenset() if alive.worker_is_alive else frozenset({"queue"})
    return ServiceReport(list(_find_failing(alive)), unknown)


def _find_failing(alive: Beats) -> Iterator[ServiceFailure]:
    waiting, oldest = _read_queue()
    patience = min(MAX_ABSENCE, timedelta(seconds=settings.ALERT_AFTER_SECONDS))
    if not alive.worker_is_alive:
        yield ServiceFailure(
            "worker",
            f"No worker has been alive since {{since}}. {_count(waiting, 'task')} waiting: no token is refreshed and no "
            "account is synced. Start manage.py runworker, and read in its log why it ended.",
            patience,
        )
    elif oldest is not None:
        yield ServiceFailure(
            "queue",
            f"{_count(waiting, 'task')} waiting in the queue, the oldest since {{since}}. The workers do not keep up. "
            "Start another manage.py runworker, or cancel operations that nobody needs any more.",
            # A worker that comes back finds old tasks.
            patience,
            since=oldest,
        )
    if not alive.scheduler_is_alive:
        yield ServiceFailure(
            "scheduler",
            "No scheduler has led since {since}: nothing is refreshed or synced by itself. Start manage.py "
            "runscheduler, and read in its log why it ended.",
            patience,
        )
    if settings.LOCAL_MODE and (low := find_low_disk(settings.DATA_DIR)) is not None:
        yield low


def find_low_disk(folder: Path, min_free_share: float = MIN_FREE_SHARE) -> ServiceFailure | None:
    disk = shutil.disk_usage(folder)
    if disk.free >= min_free_share * disk.total:
        return None
    return ServiceFailure(
        "disk",
        f"Since {{since}} less than {min_free_share:.0%} of the disk that holds DATA_DIR is free: "
        f"{disk.free / GIGABYTE:.1f} of {disk.total / GIGABYTE:.1f} GB. A full disk stops the database. Delete what nobody "
        "needs, or make the disk larger.",
    )


def _count(number: int, word: str) -> str:
    return f"1 {word} is" if number == 1 else f"{number:,} {word}s are"


def _read_queue() -> tuple[int, datetime | None]:
    """Return how many tasks could begin now, and since when the oldest waits if it has waited for too long."""
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "read_queue"), {"patience": settings.ALERT_AFTER_SECONDS})
        waiting, oldest = cursor.fetchone()
    return waiting, oldest
