"""The sync of each connection whose next sync is due, a few at a time and fair between teams."""

from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.functions import Now, RowNumber
from procrastinate.contrib.django import app

from accounts.models import SyncRun
from accounts.sync.lanes import SCHEDULED, Place
from accounts.sync.run import queue_run
from tokens.models import Connection
from tokens.queues import TOKENS

# Twice the slots that a worker has for them. What is due later, or belongs to another team, does not wait behind
# thousands of jobs.
MAX_WAITING = 20
# The keys of the advisory lock under which due syncs are queued. The locks of teams have another first key.
LOCK = (20261, 0)


# A short task, so it uses the queue of the tokens, where it does not wait behind syncs.
@app.task(queue=TOKENS, name="accounts.sync_due")
@transaction.atomic
def sync_due(limit: int = MAX_WAITING) -> int:
    """Queue syncs that are due until `limit` scheduled syncs wait; return how many were queued.

    The longest overdue connection of each team comes first, then the second of each, and so on.
    """
    if not _is_alone():
        return 0
    room = limit - _count_waiting()
    if room <= 0:
        return 0
    overdue = F("next_sync_at").asc(nulls_first=True)
    due = (
        Connection.objects.live()
        .filter(paused=False)
        .filter(Q(next_sync_at__isnull=True) | Q(next_sync_at__lte=Now()))
        .filter(~Exists(SyncRun.objects.unfinished().filter(connection=OuterRef("pk"))))
        .annotate(turn=Window(RowNumber(), partition_by="team", order_by=[overdue, "pk"]))
        .order_by("turn", overdue, "pk")[:room]
    )
    requested = [SyncRun(connection=connection, trigger=SyncRun.Trigger.SCHEDULED) for connection in due]
    SyncRun.objects.bulk_create(requested, ignore_conflicts=True)
    stored = set(SyncRun.objects.filter(pk__in=[run.pk for run in requested]).values_list("pk", flat=True))
    for run in requested:
        if run.pk in stored:
            queue_run(run.pk, place=Place(SCHEDULED, 0))
    return len(stored)


def queue_more(run_id: UUID) -> None:
    """Queue more of what is due when a scheduled sync has ended and few wait."""
    ended = SyncRun.objects.filter(pk=run_id, trigger=SyncRun.Trigger.SCHEDULED)
    if ended.exists() and _count_waiting() < MAX_WAITING // 2:
        sync_due()


def _is_alone() -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", LOCK)
        (is_alone,) = cursor.fetchone()
    return bool(is_alone)


def _count_waiting() -> int:
    # A postponed run waits for Amazon, and for no worker.
    return SyncRun.objects.filter(
        state=SyncRun.State.WAITING, trigger=SyncRun.Trigger.SCHEDULED, postponed=0
    ).count()
