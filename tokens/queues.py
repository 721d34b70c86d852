"""The queues of the worker, and how a task is queued once."""

from datetime import datetime
from typing import Any, cast

from django.db import connection as database
from django.db import transaction
from procrastinate import JobContext
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.tasks import Task

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.logs.trace import read_trace
from amazon_accounts.postgresql.statements import load

# Has slots of its own: short tasks, and everything that keeps tokens fresh.
TOKENS = "tokens"
# What a person waits for has slots of its own, so that no scheduled work delays it: short tasks, and syncs.
PEOPLE = "people"
PEOPLE_SYNC = "people_sync"
# Tasks that may take long, and so must not take the slots of the refreshes.
UPKEEP = "upkeep"
BATCH = "batch"
# What other systems are sent. Their hosts may be slow.
WEBHOOKS = "webhooks"
# After this time a long task queues itself again, so that other jobs get their turn and a worker can stop soon.
MAX_TASK_SECONDS = 3.0

NOTE_REQUEST = load(__file__, "note_request")


def amazon_of(context: JobContext) -> AmazonClient:
    return cast("AmazonClient", context.additional_context["amazon"])


def defer_once(
    task: Task[Any, Any, Any],
    queueing_lock: str,
    *,
    priority: int | None = None,
    at: datetime | None = None,
    **arguments: Any,
) -> bool:
    """Queue the task, for now or for later, unless it waits already; return whether it was queued.

    Safe inside a transaction.
    """
    try:
        with transaction.atomic():
            job = task.configure(queueing_lock=queueing_lock, priority=priority, schedule_at=at)
            note_request(job.defer(**arguments))
    except AlreadyEnqueued:
        return False
    return True


def note_request(job_id: int) -> None:
    """Remember which request has queued the job: its worker writes the id into the log and the audit trail."""
    if request_id := read_trace().request_id:
        with database.cursor() as cursor:
            cursor.execute(NOTE_REQUEST, {"job": job_id, "request": request_id})
