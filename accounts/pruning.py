"""Deletes old sync runs, old account changes, and rows that abandoned runs have left."""

import logging
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from procrastinate.contrib.django import app

from accounts.models import AccountChange
from amazon_accounts.postgresql import statements
from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.deletion import BATCH_SIZE, delete_in_batches
from tokens.queues import TOKENS

logger = logging.getLogger(__name__)

RUNS_KEPT = timedelta(days=90)
CHANGES_KEPT = timedelta(days=400)


# In the queue of the tokens the task does not wait for long syncs.
@app.task(queue=TOKENS, name="accounts.prune")
def prune_sync_history() -> int:
    """Delete runs and changes after their retention time. Return the number of deleted rows."""
    now = database_now()
    pruned = _delete_runs(now - RUNS_KEPT)
    pruned += delete_in_batches(AccountChange.objects.filter(changed_at__lt=now - CHANGES_KEPT))
    with database.cursor() as cursor:
        cursor.execute(statements.load(__file__, "delete_abandoned_rows"))
    if pruned:
        logger.info("Pruned %d old runs and changes.", pruned)
    return pruned


def _delete_runs(before: datetime) -> int:
    deleted = 0
    while True:
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(
                statements.load(__file__, "delete_old_runs"), {"before": before, "batch_size": BATCH_SIZE}
            )
            if not cursor.rowcount:
                return deleted
            deleted += cursor.rowcount
