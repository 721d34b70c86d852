"""Old rows are deleted: the histories of this app, and the records of the queue and the scheduler."""

import logging
from datetime import datetime, timedelta

from django.db import connection
from django.db.models.functions import Now
from django_apscheduler.models import DjangoJobExecution
from procrastinate.contrib.django import app

from amazon_accounts.postgresql.cache import delete_expired_entries
from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.deletion import BATCH_SIZE, delete_in_batches
from amazon_accounts.postgresql.statements import load
from tokens.models import (
    Alert,
    AlertDelivery,
    ApiKey,
    AuthorizationAttempt,
    ConnectLink,
    Event,
    Failure,
    Heartbeat,
    Invitation,
    RenewalMail,
    RequestClock,
    SignInPace,
    TokenRefresh,
)
from tokens.queues import UPKEEP

logger = logging.getLogger(__name__)

HISTORY = timedelta(days=90)
ALERTS = timedelta(days=365)
JOB_HISTORY = timedelta(days=7)
ATTEMPTS = timedelta(hours=1)
# People look for the key that has ended when a program stops.
ENDED_KEYS = timedelta(days=30)
# They can be sent again until then.
ENDED_INVITATIONS = timedelta(days=30)
# Whoever asks what became of a link finds it until then.
ENDED_LINKS = timedelta(days=90)
# The API promises them for so long.
EVENTS = timedelta(days=30)
HEARTBEATS = timedelta(days=1)
# Much longer than any refresh takes.
ABANDONED_AFTER = timedelta(hours=1)


@app.task(queue=UPKEEP, name="tokens.prune")
def prune_tokens_histories(*, batch_size: int = BATCH_SIZE) -> int:
    """Delete the rows that are older than their history is kept; return how many rows were deleted."""
    now = database_now()
    close_abandoned_refreshes()
    old_rows = [
        TokenRefresh.objects.filter(started_at__lt=now - HISTORY, outcome__isnull=False),
        Alert.objects.filter(created_at__lt=now - ALERTS, next_try_at__isnull=True),
        # Only messages that are still tried are looked up.
        AlertDelivery.objects.filter(taken_at__lt=now - ALERTS),
        AuthorizationAttempt.objects.filter(created_at__lt=now - ATTEMPTS),
        ApiKey.objects.filter(expires_at__lt=now - ENDED_KEYS),
        Event.objects.filter(created_at__lt=now - EVENTS),
        Invitation.objects.filter(ends_at__lt=now - ENDED_INVITATIONS),
        ConnectLink.objects.filter(ends_at__lt=now - ENDED_LINKS),
        RenewalMail.objects.filter(day__lt=(now - ENDED_LINKS).date()),
        # A clock that is behind the time limits nobody.
        SignInPace.objects.filter(next_at__lt=now),
        RequestClock.objects.filter(ahead_until__lt=now),
        Failure.objects.filter(ended_at__lt=now - HISTORY),
        Heartbeat.objects.filter(beat_at__lt=now - HEARTBEATS),
        DjangoJobExecution.objects.filter(run_time__lt=now - JOB_HISTORY),
    ]
    pruned = sum(delete_in_batches(rows, batch_size=batch_size) for rows in old_rows)
    pruned += delete_expired_entries()
    pruned += _delete_finished_jobs(now - JOB_HISTORY, batch_size)
    if pruned:
        logger.info("Pruned %d old rows.", pruned)
    return pruned


def close_abandoned_refreshes() -> None:
    # A disconnected or broken connection is not refreshed again, so no later refresh closes the open one.
    TokenRefresh.objects.filter(outcome=None, started_at__lt=Now() - ABANDONED_AFTER).exclude(
        connection__state="active"
    ).update(outcome=TokenRefresh.Outcome.LOST, finished_at=Now())


def _delete_finished_jobs(before: datetime, batch_size: int) -> int:
    pruned = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                load(__file__, "delete_finished_jobs"), {"before": before, "batch_size": batch_size}
            )
            if not cursor.rowcount:
                return pruned
            pruned += cursor.rowcount
