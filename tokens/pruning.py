"""Histories end somewhere: old rows go, a batch at a time, so that nobody waits for a lock."""

import logging
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from tokens.models import AccessTokenRequest, Alert, AuthorizationAttempt, Heartbeat, TokenRefresh

logger = logging.getLogger(__name__)

BATCH = 1000
HISTORY = timedelta(days=90)
AUDIT = timedelta(days=365)
# The queue's and the scheduler's own books.
BOOKS = timedelta(days=7)

FINISHED_JOBS = """
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT id FROM procrastinate_jobs AS job
    WHERE status IN ('succeeded', 'failed', 'cancelled', 'aborted') AND NOT EXISTS (
        SELECT FROM procrastinate_events AS event WHERE event.job_id = job.id AND event.at > %s
    )
    LIMIT %s
)
"""


def prune() -> int:
    """Delete what is older than its history is kept; return how many rows that were."""
    now = timezone.now()
    close_abandoned()
    pruned = sum(
        delete_in_batches(old)
        for old in (
            TokenRefresh.objects.filter(started_at__lt=now - HISTORY, outcome__isnull=False),
            AccessTokenRequest.objects.filter(requested_at__lt=now - AUDIT),
            Alert.objects.filter(created_at__lt=now - AUDIT, next_try_at__isnull=True),
            AuthorizationAttempt.objects.filter(created_at__lt=now - timedelta(hours=1)),
            Heartbeat.objects.filter(beat_at__lt=now - timedelta(days=1)),
            DjangoJobExecution.objects.filter(run_time__lt=now - BOOKS),
        )
    )
    pruned += _prune_jobs(now - BOOKS)
    if pruned:
        logger.info("Pruned %d old rows.", pruned)
    return pruned


def delete_in_batches(rows: QuerySet[Any]) -> int:
    """Delete these rows, a batch per transaction."""
    model: type[Model] = rows.model
    deleted = 0
    while True:
        batch = list(rows.order_by().values_list("pk", flat=True)[:BATCH])
        if not batch:
            return deleted
        deleted += rows.filter(pk__in=batch).delete()[0]
        logger.debug("Pruned %d rows of %s.", len(batch), model.__name__)


def close_abandoned() -> None:
    """Close as lost what no claimant will ever close: the refreshes of connections that were disconnected since."""
    TokenRefresh.objects.filter(outcome=None, started_at__lt=timezone.now() - timedelta(hours=1)).exclude(
        connection__state="active"
    ).update(outcome=TokenRefresh.Outcome.LOST, finished_at=timezone.now())


def _prune_jobs(before: Any) -> int:
    pruned = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(FINISHED_JOBS, [before, BATCH])
            if not cursor.rowcount:
                return pruned
            pruned += cursor.rowcount
