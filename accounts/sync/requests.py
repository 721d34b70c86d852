"""The life of a sync run: asked for, claimed, kept alive, closed. Each step is one short transaction."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Greatest, Now
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from accounts.models import SyncRun
from accounts.signals import sync_ended
from accounts.sync import suspensions
from accounts.sync.listing import (
    PROFILES_EDIT,
    Listing,
    is_application_refused,
    is_only_postponed,
    is_unauthorized,
    totals,
)
from accounts.sync.schedule import next_sync_at
from tokens.connect.disconnect import refuse
from tokens.models import Connection

logger = logging.getLogger(__name__)

QUEUE = "sync"
TASK = "accounts.run_sync"
HEARTBEAT_SECONDS = 5.0
# Six heartbeats missed: the process that ran it is gone.
DEAD_AFTER = timedelta(seconds=30)
MAX_POSTPONEMENTS = 3
# Whoever is asked to wait for longer ends with what there is: all else would wait as well.
MAX_POSTPONEMENT = timedelta(minutes=5)
MAX_DUE = 500
UNDER_WAY = [SyncRun.State.WAITING, SyncRun.State.RUNNING]
# Runs of one connection in a row whose worker died: perhaps it is the run that kills it.
MAX_RESTARTS = 3
# Of one connection in a row in which Amazon refused each call.
UNAUTHORIZED_RUNS = 3
DIED = "The process that ran it died."


class RunLostError(Exception):
    """The run was closed meanwhile, or its connection was disconnected or reconnected."""


class RunTakenError(Exception):
    """The run is not waiting any more: another process took it, or it was closed."""


class AnotherRunActiveError(Exception):
    """Another run of the same connection is under way."""


@dataclass(frozen=True)
class RunClaim:
    """A run that is ours, and the connection as it was when we took it."""

    run_id: UUID
    started_at: datetime
    connection_id: UUID
    owner_id: int
    client_id: str
    grant_version: int
    regions: tuple[str, ...]


@transaction.atomic
def request(connection: Connection, *, trigger: SyncRun.Trigger, requested_by: User | None = None) -> SyncRun:
    """Return the run that waits for this connection, a new one if there is none.

    A new one gets no job here. A connection that cannot be synced gets a run that has already failed, so that
    whoever asked finds the reason in its history.
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
        # None: the one that was in the way has begun since.
        # Held until the transaction around it ends: a batch that is cancelled meanwhile must see who joined it.
        if (found := waiting.select_for_update(no_key=True).first()) is not None:
            if found.trigger == SyncRun.Trigger.BATCH != trigger:
                # Others want it now: it goes on, though the operation that asked for it be cancelled.
                waiting.filter(pk=found.pk).update(trigger=trigger)
            return found


def defer(run_id: UUID, *, at: datetime | None = None) -> None:
    """Queue the job of a waiting run, unless it is queued; then `at` alone is new. Part of the transaction around it."""
    lock = f"{TASK}:{run_id}"
    try:
        with transaction.atomic():
            app.configure_task(TASK, queue=QUEUE, queueing_lock=lock, schedule_at=at).defer(
                run_id=str(run_id)
            )
    except AlreadyEnqueued:
        if at is not None:
            with database.cursor() as cursor:
                cursor.execute(
                    "UPDATE procrastinate_jobs SET scheduled_at = %s WHERE queueing_lock = %s AND status = 'todo'",
                    [at, lock],
                )


@transaction.atomic
def request_due(limit: int = MAX_DUE) -> int:
    """Ask for a run of each live connection whose turn has come, longest waiting first; return how many."""
    due = (
        Connection.objects.live()
        .filter(Q(next_sync_at__isnull=True) | Q(next_sync_at__lte=Now()))
        .filter(~Exists(SyncRun.objects.filter(connection=OuterRef("pk"), state__in=UNDER_WAY)))
        .order_by(F("next_sync_at").asc(nulls_first=True))[:limit]
    )
    requested = [SyncRun(connection=connection, trigger=SyncRun.Trigger.SCHEDULED) for connection in due]
    SyncRun.objects.bulk_create(requested, ignore_conflicts=True)
    stored = SyncRun.objects.filter(pk__in=[run.pk for run in requested]).values_list("pk", flat=True)
    for run_id in stored:
        defer(run_id)
    return len(stored)


def claim(run_id: UUID) -> RunClaim:
    """Make a waiting run ours. Raises RunTakenError or AnotherRunActiveError; at most one of a connection runs at a time."""
    try:
        with transaction.atomic():
            taken = SyncRun.objects.filter(pk=run_id, state=SyncRun.State.WAITING).update(
                state=SyncRun.State.RUNNING, started_at=Now(), heartbeat_at=Now()
            )
    except IntegrityError:
        raise AnotherRunActiveError from None
    if not taken:
        raise RunTakenError
    run = SyncRun.objects.select_related("connection").get(pk=run_id)
    assert run.started_at is not None  # noqa: S101 - for the type checker: it was set above
    return RunClaim(
        run_id=run_id,
        started_at=run.started_at,
        connection_id=run.connection_id,
        owner_id=run.connection.owner_id,
        client_id=run.connection.client_id,
        grant_version=run.connection.grant_version,
        regions=tuple(run.connection.regions),
    )


def owned_by(claim: RunClaim) -> dict[str, Any]:
    """The lookups that find this run only as long as it is ours."""
    return {"pk": claim.run_id, "state": SyncRun.State.RUNNING, "started_at": claim.started_at}


def beat(claim: RunClaim, listings: Sequence[Listing]) -> bool:
    """Say that the run lives and how far it is; return whether it is still ours."""
    return (
        SyncRun.objects.filter(**owned_by(claim)).update(
            heartbeat_at=Now(), sources=[listing.as_data() for listing in listings], **totals(listings)
        )
        == 1
    )


@transaction.atomic
def close(claim: RunClaim, state: SyncRun.State, listings: Sequence[Listing], error: str = "") -> None:
    """Close the run, tell its connection how it went, and let the next one that waits begin.

    Raises RunLostError if it is not ours any more.
    """
    connection = Connection.objects.select_for_update(no_key=True).get(pk=claim.connection_id)
    closed = SyncRun.objects.filter(**owned_by(claim)).update(
        state=state,
        finished_at=Greatest(Now(), F("created_at")),
        sources=[listing.as_data() for listing in listings],
        error=error,
        **totals(listings),
    )
    if not closed:
        raise RunLostError
    if connection.grant_version == claim.grant_version:
        _record_on_connection(connection, state, listings, error)
    _tell_the_end(claim.run_id)
    _let_the_next_begin(claim.connection_id)
    if is_unauthorized([listing.as_data() for listing in listings]):
        transaction.on_commit(partial(_refuse_if_alone, connection))


def _refuse_if_alone(connection: Connection) -> None:
    """Take the login for refused when some runs in a row met nothing but 401 while Amazon accepted another login.

    If it accepts none, the application is to blame, and no login.
    """
    ended = SyncRun.objects.filter(connection=connection, finished_at__isnull=False)
    last = list(ended.order_by("-created_at", "-id")[:UNAUTHORIZED_RUNS])
    if len(last) < UNAUTHORIZED_RUNS or not all(is_unauthorized(run.sources) for run in last):
        return
    others = SyncRun.objects.filter(
        connection__in=Connection.objects.live().exclude(pk=connection.pk),
        state__in=[SyncRun.State.SUCCEEDED, SyncRun.State.PARTIAL],
        created_at__gt=last[-1].created_at,
    )
    if others.exists():
        refuse(connection, "Amazon answers 401 to every call of this login, and accepts those of others.")


def _record_on_connection(
    connection: Connection, state: SyncRun.State, listings: Sequence[Listing], error: str
) -> None:
    if is_application_refused(listings):
        # No connection is to blame, and it is tried again soon.
        connection.next_sync_at = next_sync_at(connection.pk, failures=max(connection.sync_failures, 1))
        connection.save(update_fields=["next_sync_at"])
        return
    succeeded = state == SyncRun.State.SUCCEEDED
    failures = 0 if succeeded else connection.sync_failures + (not is_only_postponed(listings))
    if succeeded or any(listing.is_list and listing.is_usable for listing in listings):
        connection.last_synced_at = Now()
    connection.sync_failures = failures
    connection.sync_error = "" if succeeded else error
    connection.next_sync_at = next_sync_at(
        connection.pk, failures=failures, soon=any(listing.is_unconfirmed for listing in listings)
    )
    if listings:
        connection.unread_lists = [
            listing.scope for listing in listings if listing.is_unread and listing.source != PROFILES_EDIT
        ]
    connection.save(
        update_fields=["last_synced_at", "sync_failures", "sync_error", "next_sync_at", "unread_lists"]
    )


def sync_soon(connections: Collection[UUID]) -> None:
    """Let the scheduler sync these next: accounts came to them of which they may know better than what is stored."""
    if connections:
        Connection.objects.live().filter(pk__in=connections).update(next_sync_at=Now())


def put_back(claim: RunClaim, until: datetime, listings: Sequence[Listing], reason: str) -> None:
    """Return the run to the queue until then: Amazon asked to be left alone. Raises RunLostError."""
    with transaction.atomic():
        if _returned_to_waiting(claim, listings, reason):
            SyncRun.objects.filter(pk=claim.run_id).update(postponed=F("postponed") + 1)
            discard_staged(claim.run_id)
            defer(claim.run_id, at=until)
            return
    # Another run was asked for meanwhile; that one will do what this one could not.
    close(claim, SyncRun.State.PARTIAL, listings, reason)


@dataclass(frozen=True)
class Wait:
    """Until when Amazon is left alone, and in which regions; none if it is the list of all regions."""

    until: datetime
    regions: tuple[str, ...]


def put_back_until(run_ids: Collection[UUID]) -> dict[UUID, Wait]:
    """Return for what those of the runs wait that were put back because of Amazon."""
    with database.cursor() as cursor:
        cursor.execute(
            """
            SELECT run.id, job.scheduled_at,
                   ARRAY(SELECT DISTINCT listing ->> 'region' FROM jsonb_array_elements(run.sources) listing
                          WHERE listing ->> 'region' <> '' AND listing -> 'errors' @> '[{"kind": "postponed"}]'
                          ORDER BY 1)
              FROM accounts_syncrun run
              JOIN procrastinate_jobs job
                ON job.queueing_lock = %s || ':' || run.id AND job.status = 'todo' AND job.scheduled_at > now()
             WHERE run.id = ANY(%s) AND run.state = 'waiting' AND run.postponed > 0
            """,
            [TASK, list(run_ids)],
        )
        return {run_id: Wait(until, tuple(regions)) for run_id, until, regions in cursor.fetchall()}


def give_up(claim: RunClaim, listings: Sequence[Listing], reason: str) -> None:
    """Return the run to the queue because this process ends. Another one takes it at once."""
    with transaction.atomic():
        if _returned_to_waiting(claim, listings, reason):
            discard_staged(claim.run_id)
            defer(claim.run_id)
            return
    close(claim, SyncRun.State.FAILED, listings, reason)


@transaction.atomic
def close_all(connection: Connection, error: str) -> None:
    """Close every run of the connection that waits or runs, as failed."""
    under_way = SyncRun.objects.filter(connection=connection, state__in=UNDER_WAY)
    closed = list(under_way.select_for_update().values_list("pk", flat=True))
    SyncRun.objects.filter(pk__in=closed).update(
        state=SyncRun.State.FAILED, finished_at=Greatest(Now(), F("created_at")), error=error
    )
    for run_id in closed:
        _tell_the_end(run_id)


def _tell_the_end(run_id: UUID) -> None:
    discard_staged(run_id)
    suspensions.note(run_id)
    sync_ended.send(sender=SyncRun, run_id=run_id)


def abandon(claim: RunClaim, listings: Sequence[Listing]) -> None:
    """Close a run that lost its connection, if nobody has closed it; leave nothing behind."""
    try:
        close(claim, SyncRun.State.FAILED, listings, "The connection was reconnected meanwhile.")
    except RunLostError:
        discard_staged(claim.run_id)


def _returned_to_waiting(claim: RunClaim, listings: Sequence[Listing], reason: str) -> bool:
    """Return whether the run waits again; False when another already waits. Raises RunLostError."""
    try:
        with transaction.atomic():
            returned = SyncRun.objects.filter(**owned_by(claim)).update(
                state=SyncRun.State.WAITING,
                started_at=None,
                heartbeat_at=None,
                sources=[listing.as_data() for listing in listings],
                error=reason,
            )
    except IntegrityError:
        return False
    if not returned:
        raise RunLostError
    return True


def may_be_put_back(claim: RunClaim, until: datetime) -> bool:
    """Say whether the run may wait until then: not for long, and not again and again."""
    postponed = SyncRun.objects.values_list("postponed", flat=True).get(pk=claim.run_id)
    return postponed < MAX_POSTPONEMENTS and until - timezone.now() <= MAX_POSTPONEMENT


def rescue() -> int:
    """Close runs whose worker died and ask for each again; queue what waits without a job. Return how many died."""
    dead = SyncRun.objects.filter(state=SyncRun.State.RUNNING, heartbeat_at__lt=Now() - DEAD_AFTER)
    rescued = sum(_rescue_one(run) for run in dead.select_related("connection"))
    for run_id in _waiting_without_job():
        defer(run_id)
    return rescued


@transaction.atomic
def _rescue_one(run: SyncRun) -> bool:
    connection = Connection.objects.select_for_update(no_key=True).get(pk=run.connection_id)
    closed = SyncRun.objects.filter(
        pk=run.pk,
        state=SyncRun.State.RUNNING,
        started_at=run.started_at,
        heartbeat_at__lt=Now() - DEAD_AFTER,
    ).update(
        state=SyncRun.State.FAILED,
        finished_at=Greatest(Now(), F("created_at")),
        error=DIED,
    )
    if not closed:
        return False
    logger.warning("Sync run %s died and is started again.", run.pk, extra={"action": "sync_rescued"})
    _tell_the_end(run.pk)
    connection.sync_failures += 1
    connection.sync_error = "The process that ran the last sync died."
    connection.next_sync_at = next_sync_at(connection.pk, failures=connection.sync_failures)
    connection.save(update_fields=["sync_failures", "sync_error", "next_sync_at"])
    if _deaths(connection) <= MAX_RESTARTS and not connection.reason_unusable:
        request(connection, trigger=SyncRun.Trigger(run.trigger), requested_by=run.requested_by)
    _let_the_next_begin(connection.pk)
    return True


def _deaths(connection: Connection) -> int:
    """How many of the connection's last runs in a row ended because their process died."""
    ended = SyncRun.objects.filter(connection=connection, finished_at__isnull=False)
    errors = ended.order_by("-created_at", "-id").values_list("error", flat=True)[: MAX_RESTARTS + 1]
    return len(list(takewhile(lambda error: error == DIED, errors)))


def _let_the_next_begin(connection_id: UUID) -> None:
    """Queue the run that waits for this connection: its own job may have come while we ran, and gone."""
    waiting = SyncRun.objects.filter(connection_id=connection_id, state=SyncRun.State.WAITING)
    for run_id in waiting.values_list("pk", flat=True):
        defer(run_id)


def _waiting_without_job() -> list[UUID]:
    """Runs that wait although no job of theirs does and nothing of their connection runs."""
    with database.cursor() as cursor:
        cursor.execute(
            """
            SELECT run.id
              FROM accounts_syncrun run
             WHERE run.state = 'waiting'
               AND run.created_at < now() - interval '10 seconds'
               AND NOT EXISTS (SELECT FROM accounts_syncrun other
                                WHERE other.connection_id = run.connection_id AND other.state = 'running')
               AND NOT EXISTS (SELECT FROM procrastinate_jobs job
                                WHERE job.queueing_lock = %s || ':' || run.id AND job.status = 'todo')
               AND NOT EXISTS (SELECT FROM procrastinate_jobs job
                                WHERE job.status = 'doing' AND job.task_name = %s
                                  AND job.args ->> 'run_id' = run.id::text)
            """,
            [TASK, TASK],
        )
        return [run_id for (run_id,) in cursor.fetchall()]


def discard_staged(run_id: UUID) -> None:
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_staged_account WHERE run_id = %s", [run_id])
        cursor.execute("DELETE FROM accounts_staged_profile WHERE run_id = %s", [run_id])
