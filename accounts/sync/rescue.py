"""Restarting runs whose process died, and queueing waiting runs that have lost their job."""

import logging
from datetime import timedelta
from itertools import takewhile
from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now
from procrastinate.contrib.django import app

from accounts.models import SyncRun
from accounts.sync.claims import find_waiting_run, finish_closing
from accounts.sync.next_sync import next_sync_at
from accounts.sync.requests import open_run
from accounts.sync.run import queue_run, run_sync
from amazon_accounts.amazon_ads.causes import Cause
from amazon_accounts.postgresql import statements
from tokens.models import Connection
from tokens.queues import TOKENS

logger = logging.getLogger(__name__)

# Six missed heartbeats.
DEAD_AFTER = timedelta(seconds=30)
# In a row, for one connection: the run itself may be what kills its process.
MAX_RESTARTS = 3
DIED = "The process that ran it died."


# A short task, so it uses the queue of the tokens, where it does not wait behind syncs.
@app.task(queue=TOKENS, name="accounts.rescue_runs")
def rescue_runs() -> int:
    """Close the runs whose process died, and queue waiting runs that have no job; return how many were closed."""
    dead = SyncRun.objects.filter(state=SyncRun.State.RUNNING, heartbeat_at__lt=Now() - DEAD_AFTER)
    rescued = sum(_rescue_run(run) for run in dead.select_related("connection"))
    for run_id in _find_waiting_without_job():
        queue_run(run_id)
    return rescued


@transaction.atomic
def _rescue_run(run: SyncRun) -> bool:
    connection = Connection.objects.select_for_update(no_key=True).get(pk=run.connection_id)
    # The run may have sent a heartbeat or ended since it was found, so the update checks again.
    closed = SyncRun.objects.filter(
        pk=run.pk,
        state=SyncRun.State.RUNNING,
        started_at=run.started_at,
        heartbeat_at__lt=Now() - DEAD_AFTER,
    ).update(
        state=SyncRun.State.FAILED,
        finished_at=Greatest(Now(), F("created_at")),
        error=DIED,
        cause=Cause.INTERRUPTED,
    )
    if not closed:
        return False
    logger.warning(
        "Sync run %s is closed, because its process died.", run.pk, extra={"action": "sync_rescued"}
    )
    finish_closing(run.pk, run.connection_id)
    connection.sync_failures += 1
    connection.sync_error = "The process that ran the last sync died."
    connection.next_sync_at = next_sync_at(connection.pk, failures=connection.sync_failures)
    connection.save(update_fields=["sync_failures", "sync_error", "next_sync_at"])
    if _count_deaths(connection) <= MAX_RESTARTS and not connection.reason_not_synced:
        open_run(connection, trigger=SyncRun.Trigger(run.trigger), requested_by=run.requested_by)
    if (waiting := find_waiting_run(connection.pk)) is not None:
        queue_run(waiting)
    return True


def _count_deaths(connection: Connection) -> int:
    # Only consecutive deaths count: a run that ends in any other way resets the count.
    ended = SyncRun.objects.filter(connection=connection, finished_at__isnull=False)
    errors = ended.order_by("-created_at", "-id").values_list("error", flat=True)[: MAX_RESTARTS + 1]
    return len(list(takewhile(lambda error: error == DIED, errors)))


def _find_waiting_without_job() -> list[UUID]:
    with database.cursor() as cursor:
        cursor.execute(statements.load(__file__, "find_waiting_runs_without_job"), {"task": run_sync.name})
        return [run_id for (run_id,) in cursor.fetchall()]
