"""The sync of each connection whose next sync is due."""

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from accounts.models import SyncRun
from accounts.sync.run import queue_run
from tokens.models import Connection
from tokens.queues import TOKENS

MAX_DUE = 500


# A short task, so it uses the queue of the tokens, where it does not wait behind syncs.
@app.task(queue=TOKENS, name="accounts.sync_due")
@transaction.atomic
def sync_due(limit: int = MAX_DUE) -> int:
    """Queue a sync of each connection whose next sync is due, the longest overdue first; return how many."""
    due = (
        Connection.objects.live()
        .filter(Q(next_sync_at__isnull=True) | Q(next_sync_at__lte=Now()))
        .filter(~Exists(SyncRun.objects.unfinished().filter(connection=OuterRef("pk"))))
        .order_by(F("next_sync_at").asc(nulls_first=True))[:limit]
    )
    requested = [SyncRun(connection=connection, trigger=SyncRun.Trigger.SCHEDULED) for connection in due]
    SyncRun.objects.bulk_create(requested, ignore_conflicts=True)
    stored = SyncRun.objects.filter(pk__in=[run.pk for run in requested]).values_list("pk", flat=True)
    for run_id in stored:
        queue_run(run_id)
    return len(stored)
