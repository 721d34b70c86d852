"""Histories end somewhere; so does what dead runs left behind."""

import logging
from datetime import timedelta

from django.db import connection as database
from django.utils import timezone

from accounts.models import AccountChange, SyncRun
from accounts.runs import UNDER_WAY
from tokens.pruning import delete_in_batches

logger = logging.getLogger(__name__)

RUNS = timedelta(days=90)
CHANGES = timedelta(days=400)


def prune() -> int:
    """Delete runs and changes older than they are kept; return how many rows that were."""
    now = timezone.now()
    pruned = delete_in_batches(
        SyncRun.objects.filter(created_at__lt=now - RUNS).exclude(state__in=UNDER_WAY)
    ) + delete_in_batches(AccountChange.objects.filter(changed_at__lt=now - CHANGES))
    _discard_abandoned()
    if pruned:
        logger.info("Pruned %d old runs and changes.", pruned)
    return pruned


def _discard_abandoned() -> None:
    """Delete what a process staged after its run had been taken for dead and closed."""
    with database.cursor() as cursor:
        for table in ("accounts_staged_account", "accounts_staged_profile"):
            cursor.execute(
                f"DELETE FROM {table} staged WHERE NOT EXISTS ("  # noqa: S608 - the name is ours
                " SELECT FROM accounts_syncrun run WHERE run.id = staged.run_id AND run.state = 'running')"
            )
