"""Histories end somewhere; so does what dead runs left behind."""

import logging
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from accounts.models import AccountChange
from amazon_accounts.postgresql.deletion import BATCH_SIZE, delete_in_batches

logger = logging.getLogger(__name__)

RUNS = timedelta(days=90)
CHANGES = timedelta(days=400)

# By hand: the ORM would look for the items of batch operations that name a run, which no index finds. They outlive it.
DELETE_RUNS = """
WITH old AS (
    SELECT id FROM accounts_syncrun
     WHERE created_at < %s AND state NOT IN ('waiting', 'running')
     LIMIT %s
), changes AS (
    UPDATE accounts_accountchange SET run_id = NULL FROM old WHERE run_id = old.id
)
DELETE FROM accounts_syncrun USING old WHERE accounts_syncrun.id = old.id
"""


def prune() -> int:
    """Delete runs and changes older than they are kept; return how many rows that were."""
    now = timezone.now()
    pruned = _delete_runs(now - RUNS)
    pruned += delete_in_batches(AccountChange.objects.filter(changed_at__lt=now - CHANGES))
    _discard_abandoned()
    if pruned:
        logger.info("Pruned %d old runs and changes.", pruned)
    return pruned


def _delete_runs(before: datetime) -> int:
    deleted = 0
    while True:
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(DELETE_RUNS, [before, BATCH_SIZE])
            if not cursor.rowcount:
                return deleted
            deleted += cursor.rowcount


def _discard_abandoned() -> None:
    """Delete what a process staged after its run had been taken for dead and closed."""
    with database.cursor() as cursor:
        for table in ("accounts_staged_account", "accounts_staged_profile"):
            cursor.execute(
                f"DELETE FROM {table} staged WHERE NOT EXISTS ("  # noqa: S608 - the name is ours
                " SELECT FROM accounts_syncrun run WHERE run.id = staged.run_id AND run.state = 'running')"
            )
