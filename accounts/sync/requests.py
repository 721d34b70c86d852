"""Requesting syncs: a request joins the waiting run of its connection, or creates and queues a run."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.db.models import IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce, Now

from accounts.models import SyncRun
from accounts.sync.askers import SYNC
from accounts.sync.lanes import choose_place, count_before
from accounts.sync.run import move_job, queue_run, run_sync
from amazon_accounts.postgresql import statements
from amazon_accounts.postgresql.clock import database_now
from tokens.errors import ConnectionUnusableError
from tokens.models import Connection
from tokens.people.audit import Action, record_audit
from tokens.people.keys import get_api_key_id
from tokens.permissions import System, get_person, require

# Who joins a waiting run takes it over from the schedule, and from a batch.
_RANKS: dict[str, int] = {SyncRun.Trigger.SCHEDULED: 0, SyncRun.Trigger.BATCH: 1}


def request_sync(user: User | System, connection: Connection, *, trigger: SyncRun.Trigger) -> SyncRun:
    """Queue a sync of this connection. When it begins, the right of the person is checked again (askers.py).

    Raises PermissionDenied or ConnectionUnusableError.
    """
    require(user, SYNC, connection)
    if reason := connection.reason_not_synced:
        raise ConnectionUnusableError(reason)
    with transaction.atomic():
        run = queue_sync(connection, trigger=trigger, requested_by=get_person(user), checks_asker=True)
        record_audit(user, Action.CONNECTION_SYNC, connection, after={"run": str(run.pk)})
    return run


@transaction.atomic
def queue_sync(
    connection: Connection,
    *,
    trigger: SyncRun.Trigger,
    requested_by: User | None = None,
    checks_asker: bool = False,
) -> SyncRun:
    """Queue a sync of this connection, or join its waiting run.

    The caller must have checked the permission. A connection that may not be synced gets a failed run that shows the
    reason.
    """
    opened = _open_run(connection, trigger, requested_by, checks_asker=checks_asker)
    run = opened.run
    if run.state == SyncRun.State.WAITING:
        # A postponed run starts at once, because Amazon may already answer for some of its lists.
        at = database_now() if run.postponed else None
        place = choose_place(run.trigger, opened.number_before)
        if opened.is_new or not move_job(run.pk, place, at=at):
            queue_run(run.pk, at=at, place=place)
    return run


@transaction.atomic
def open_run(
    connection: Connection, *, trigger: SyncRun.Trigger, requested_by: User | None = None
) -> SyncRun:
    """Return the waiting run of this connection, or a new run, without queueing it.

    A connection that may not be synced gets a failed run that shows the reason.
    """
    return _open_run(connection, trigger, requested_by).run


class _Opened(NamedTuple):
    run: SyncRun
    is_new: bool
    number_before: int


def _open_run(
    connection: Connection,
    trigger: SyncRun.Trigger,
    requested_by: User | None,
    *,
    checks_asker: bool = False,
) -> _Opened:
    if reason := connection.reason_not_synced:
        failed = SyncRun.objects.create(
            connection=connection,
            trigger=trigger,
            requested_by=requested_by,
            state=SyncRun.State.FAILED,
            finished_at=Now(),
            error=reason,
            cause=connection.cause_not_synced,
        )
        return _Opened(failed, is_new=True, number_before=0)
    waiting = SyncRun.objects.filter(connection=connection, state=SyncRun.State.WAITING).annotate(
        number_before=count_before(requested_by, connection.pk)
    )
    key = None if requested_by is None else get_api_key_id(requested_by)
    while True:
        run = SyncRun(
            connection=connection,
            trigger=trigger,
            requested_by=requested_by,
            asked_by_key=key,
            checks_asker=checks_asker and requested_by is not None,
        )
        SyncRun.objects.bulk_create([run], ignore_conflicts=True)
        # The lock lasts until the outer transaction ends, so that a batch that is cancelled in the meantime
        # sees that others have joined its run. No run is found if a worker has just claimed the waiting run.
        if (found := waiting.select_for_update(no_key=True).first()) is not None:
            if _RANKS.get(found.trigger, 2) < _RANKS.get(trigger, 2):
                # The run now serves this request too: it waits with what people asked for, and a cancelled batch must
                # not end it.
                found.trigger, found.requested_by = trigger, requested_by
                found.save(update_fields=["trigger", "requested_by"])
            is_same = (found.requested_by_id, found.asked_by_key) == (run.requested_by_id, run.asked_by_key)
            if found.checks_asker and not (checks_asker and is_same):
                # Somebody else waits for the run now, and must not lose it with the right of the first.
                found.checks_asker = False
                found.save(update_fields=["checks_asker"])
            return _Opened(found, is_new=found.pk == run.pk, number_before=vars(found)["number_before"])


@dataclass(frozen=True)
class Wait:
    """Since and until when a run is postponed, in which regions, and why; no region for the list of ads accounts."""

    since: datetime
    until: datetime
    regions: tuple[str, ...]
    reason: str


def find_waits(run_ids: Collection[UUID]) -> dict[UUID, Wait]:
    with database.cursor() as cursor:
        cursor.execute(
            statements.load(__file__, "find_postponed_runs"), {"task": run_sync.name, "runs": list(run_ids)}
        )
        return {
            run_id: Wait(since, until, tuple(regions), reason)
            for run_id, since, until, regions, reason in cursor.fetchall()
        }


def needed_calls(connection: str) -> Subquery:
    """Return, for a queryset, how many calls to Amazon the last sync of the connection in this field needed."""
    ended = SyncRun.objects.filter(connection=OuterRef(connection), finished_at__isnull=False, requests__gt=0)
    return Subquery(ended.order_by("-created_at", "-id").values("requests")[:1], output_field=IntegerField())


def find_needed_calls(connection_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return how many calls to Amazon the last sync of each connection needed; 0 where there was none."""
    rows = Connection.objects.filter(pk__in=connection_ids).order_by()
    return dict(rows.values_list("pk", Coalesce(needed_calls("pk"), 0)))
