"""The tasks of this app, each a door to one operation, and the functions that queue them."""

import logging
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from procrastinate import JobContext
from procrastinate.contrib.django import app

from accounts import pruning
from accounts.models import SyncRun
from accounts.sync import requests as runs
from accounts.sync.run import sync_connection
from tokens.errors import refuse_unusable
from tokens.models import Connection
from tokens.people.permissions import require
from tokens.queues import TOKENS, amazon_of

logger = logging.getLogger(__name__)


def request_sync(user: User | None, connection: Connection, *, trigger: SyncRun.Trigger) -> SyncRun:
    """Queue a sync of this connection for a person, or for the system itself (None).

    Raises PermissionDenied or ConnectionUnusableError.
    """
    require(user, "accounts.sync_account")
    refuse_unusable(connection)
    return queue_sync(connection, trigger=trigger, requested_by=user)


@transaction.atomic
def queue_sync(
    connection: Connection, *, trigger: SyncRun.Trigger, requested_by: User | None = None
) -> SyncRun:
    """Queue a sync of this connection, or join the sync that waits already; never one that runs.

    It checks no permission: the operation that calls it has done that. An unusable connection gets a run that has
    failed, with the reason.
    """
    run = runs.request(connection, trigger=trigger, requested_by=requested_by)
    if run.state == SyncRun.State.WAITING:
        # Somebody asks for it now: one that Amazon asked to wait tries at once what it need not wait for.
        runs.defer(run.pk, at=timezone.now() if run.postponed else None)
    return run


@app.task(queue=runs.QUEUE, name=runs.TASK, pass_context=True)
async def run_sync(context: JobContext, run_id: str) -> None:
    try:
        await sync_connection(UUID(run_id), amazon_of(context))
    except (runs.RunTakenError, runs.AnotherRunActiveError) as state:
        # Taken: there is nothing left to do. Another: when it ends, it queues this one again.
        logger.info("Sync run %s is not begun: %s", run_id, state.__doc__)


# Short, and not to wait behind long syncs: these go in the lane of the tokens.


@app.task(queue=TOKENS, name="accounts.sync_due")
def sync_due() -> None:
    runs.request_due()


@app.task(queue=TOKENS, name="accounts.rescue_runs")
def rescue_runs() -> None:
    runs.rescue()


@app.task(queue=TOKENS, name="accounts.prune")
def prune() -> None:
    pruning.prune()
