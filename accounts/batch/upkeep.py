"""Upkeep of batches: find batches that have lost their job, and delete old batches that have ended."""

from datetime import timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from accounts.models import AnyItem, BatchItem, BatchOperation, ConnectionBatchItem
from tokens.queues import BATCH

RETENTION = timedelta(days=90)  # from the creation of the batch
MAX_PRUNED = 1_000


def find_unstarted() -> list[BatchOperation]:
    of_batch = Q(batch=OuterRef("pk"), state=AnyItem.State.WAITING, run=None)
    unstarted = Exists(BatchItem.objects.filter(of_batch)) | Exists(
        ConnectionBatchItem.objects.filter(of_batch)
    )
    return list(BatchOperation.objects.unfinished().filter(unstarted).only("subject"))


@app.task(queue=BATCH, name="accounts.prune_batches")
def prune_batches() -> int:
    old = BatchOperation.objects.filter(created_at__lt=Now() - RETENTION, finished_at__isnull=False)
    batch_ids = list(old.order_by("created_at").values_list("pk", flat=True)[:MAX_PRUNED])
    for batch_id in batch_ids:
        # Written in SQL, because Django would read all items of a batch first, up to 100,000.
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute("DELETE FROM accounts_batchitem WHERE batch_id = %s", [batch_id])
            cursor.execute("DELETE FROM accounts_connectionbatchitem WHERE batch_id = %s", [batch_id])
            cursor.execute("DELETE FROM accounts_batchoperation WHERE id = %s", [batch_id])
    return len(batch_ids)
