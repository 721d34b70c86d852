"""Requesting syncs: a request joins the waiting run of its connection, or creates and queues a run."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import SyncRun
from accounts.sync.run import queue_run, run_sync
from amazon_accounts.postgresql import statements
from tokens.errors import refuse_unusable
from tokens.models import Connection
from tokens.permissions import System, get_person, require


def request_sync(user: User | System, connection: Connection, *, trigger: SyncRun.Trigger) -> SyncRun:
    """Queue a sync of this connection.

    Raises PermissionDenied or ConnectionUnusableError.
    """
    require(user, "accounts.sync_account")
    refuse_unusable(connection)
    return queue_sync(connection, trigger=trigger, requested_by=get_person(user))


@transaction.atomic
def queue_sync(
    connection: Connection, *, trigger: SyncRun.Trigger, requested_by: User | None = None
) -> SyncRun:
    """Queue a sync of this connection, or join its waiting run.

    The caller must have checked the permission. An unusable connection gets a failed run that shows the
    reason.
    """
    run = open_run(connection, trigger=trigger, requested_by=requested_by)
    if run.state == SyncRun.State.WAITING:
        # A postponed run starts at once, because Amazon may already answer for some of its lists.
        queue_run(run.pk, at=timezone.now() if run.postponed else None)
    return run


@transaction.atomic
def open_run(
    connection: Connection, *, trigger: SyncRun.Trigger, requested_by: User | None = None
) -> SyncRun:
    """Return the waiting run of this connection, or a new run, without queueing it.

    An unusable connection gets a failed run that shows the reason.
    """
    if reason := connection.reason_unusable:
        return SyncRun.objects.create(
            connection=connection,
            trigger=trigger,
            requested_by=requested_by,
            state=SyncRun.State.FAILED,
            finished_at=Now(),
            created_at=Now(),
            error=reason,
        )
    waiting = SyncRun.objects.filter(connection=connection, state=SyncRun.State.WAITING)
    while True:
        run = SyncRun(connection=connection, trigger=trigger, requested_by=requested_by)
        SyncRun.objects.bulk_create([run], ignore_conflicts=True)
        # The lock lasts until the outer transaction ends, so that a batch that is cancelled in the meantime
        # sees that others have joined its run. No run is found if a worker has just claimed the waiting run.
        if (found := waiting.select_for_update(no_key=True).first()) is not None:
            if found.trigger == SyncRun.Trigger.BATCH != trigger:
                # The run now also serves this request, so a cancelled batch must not end it.
                waiting.filter(pk=found.pk).update(trigger=trigger)
            return found


@dataclass(frozen=True)
class Wait:
    """Until when a run is postponed, and in which regions; no region for the list of ads accounts."""

    until: datetime
    regions: tuple[str, ...]


def find_waits(run_ids: Collection[UUID]) -> dict[UUID, Wait]:
    with database.cursor() as cursor:
        cursor.execute(
            statements.load(__file__, "find_postponed_runs"), {"task": run_sync.name, "runs": list(run_ids)}
        )
        return {run_id: Wait(until, tuple(regions)) for run_id, until, regions in cursor.fetchall()}
