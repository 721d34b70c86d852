"""How a batch ends: items get the outcome of their syncs, and the batch ends with its last item."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.db.models import Q

from accounts.batch.audited import count_by_team, describe_batch, name_batch
from accounts.batch.operations import require_to_steer
from accounts.models import BatchItem, BatchOperation, ConnectionBatchItem, SyncRun
from accounts.models.sync import UNFINISHED
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.postgresql.measures import BATCH_ITEMS, BATCHES
from amazon_accounts.postgresql.statements import load
from tokens.connect.renewal_mails import gather_mailing
from tokens.people.audit import Action, record_many
from tokens.permissions import System

logger = logging.getLogger(__name__)

State = BatchOperation.State

FOLLOW_NEXT_RUN = load(__file__, "follow_next_run")
FOLLOW_RUN = load(__file__, "follow_run")
END_SYNCED_ITEMS = load(__file__, "end_synced_items")
END_UNWANTED_RUNS = load(__file__, "end_unwanted_runs")
END_STORED_ITEMS = load(__file__, "end_stored_items")
FOLLOW_RUNS_OF_CONNECTIONS = load(__file__, "follow_runs_of_connections")
Subject = BatchOperation.Subject
# How the items of a sync batch follow their runs.
FOLLOW = {
    Subject.ACCOUNTS: (FOLLOW_NEXT_RUN, FOLLOW_RUN, END_SYNCED_ITEMS),
    Subject.CONNECTIONS: (FOLLOW_RUNS_OF_CONNECTIONS,),
}
FOLLOW_STATE = {Subject.ACCOUNTS: FOLLOW_RUN, Subject.CONNECTIONS: FOLLOW_RUNS_OF_CONNECTIONS}
WRITE_END_EVENT = {
    Subject.ACCOUNTS: load(__file__, "write_end_event"),
    Subject.CONNECTIONS: load(__file__, "write_end_event_of_connections"),
}


class BatchStateError(Exception):
    """The batch is not in a state in which this can be done."""


@contextmanager
def hold_batch(batch_id: UUID) -> Iterator[BatchOperation]:
    # All changes of a batch and its items are made inside this transaction, so that they happen one after the other.
    with transaction.atomic():
        yield BatchOperation.objects.select_for_update(no_key=True).get(pk=batch_id)


def settle_syncs(run_id: UUID | None = None) -> None:
    # Called with its run when a sync ends. A scheduled task calls it without a run, because a worker may have died
    # between the end of its sync and the call.
    of_run = Q() if run_id is None else Q(run=run_id)
    batches: set[UUID] = set()
    for items in (BatchItem.objects.all(), ConnectionBatchItem.objects.all()):
        waiting = items.filter(of_run, state__in=UNFINISHED, run__isnull=False).order_by()
        batches.update(waiting.values_list("batch_id", flat=True).distinct())
    for batch_id in sorted(batches):
        with hold_batch(batch_id) as batch, database.cursor() as cursor:
            for statement in FOLLOW[Subject(batch.subject)]:
                cursor.execute(statement, {"batch": batch_id})
            finish_if_done(batch)


def end_stored_items(run_id: UUID, *, listing: int, after: int, up_to: int, refused: Sequence[str]) -> None:
    """End the items whose accounts the run has just read and stored; the others wait for its end."""
    waiting = BatchItem.objects.filter(run=run_id, state__in=UNFINISHED).order_by()
    for batch_id in sorted(waiting.values_list("batch_id", flat=True).distinct()):
        with hold_batch(batch_id) as batch, database.cursor() as cursor:
            cursor.execute(
                END_STORED_ITEMS,
                {
                    "batch": batch_id,
                    "run": run_id,
                    "listing": listing,
                    "after": after,
                    "up_to": up_to,
                    "refused": list(refused),
                },
            )
            finish_if_done(batch)


def finish_if_done(batch: BatchOperation) -> None:
    # Counted in the database: the columns of the batch are written only at its end.
    counts = batch.list_items().count_by_state([batch.pk])[batch.pk]
    if counts[BatchItem.State.WAITING] or counts[BatchItem.State.RUNNING]:
        return
    if batch.cancelled_at is not None:
        state = State.CANCELLED
    elif not counts[BatchItem.State.FAILED]:
        state = State.SUCCEEDED
    elif counts[BatchItem.State.SUCCEEDED]:
        state = State.PARTIAL
    else:
        state = State.FAILED
    finish(batch, state, counts)


def finish(batch: BatchOperation, state: BatchOperation.State, counts: Mapping[str, int]) -> None:
    batch.state = state
    batch.finished_at = max(approximate_now(), batch.created_at)
    batch.succeeded = counts.get(BatchItem.State.SUCCEEDED, 0)
    batch.failed = counts.get(BatchItem.State.FAILED, 0)
    batch.skipped = counts.get(BatchItem.State.SKIPPED, 0)
    batch.save(update_fields=["state", "finished_at", "succeeded", "failed", "skipped"])
    with database.cursor() as cursor:
        cursor.execute(
            WRITE_END_EVENT[Subject(batch.subject)],
            {"batch": batch.pk, "operation": batch.operation, "state": str(batch.state)},
        )
    if batch.operation == BatchOperation.Operation.SEND_RENEWAL_LINKS:
        gather_mailing(batch.pk)
    transaction.on_commit(partial(_report_end, batch), robust=True)


def _report_end(batch: BatchOperation) -> None:
    results = {name: getattr(batch, name) for name in ("succeeded", "failed", "skipped")}
    seconds = ((batch.finished_at or batch.created_at) - batch.created_at).total_seconds()
    BATCHES.time(seconds, batch.operation, batch.state)
    for result, number in results.items():
        BATCH_ITEMS.count(batch.operation, result, number=number)
    logger.info(
        "Operation %s (%s) %s after %.1f s: %d succeeded, %d failed, %d skipped.",
        batch.pk,
        batch.operation,
        batch.state,
        seconds,
        *results.values(),
        extra={
            "action": "batch_ended",
            "batch": str(batch.pk),
            "operation": str(batch.operation),
            "subject": str(batch.subject),
            "state": str(batch.state),
            "seconds": round(seconds, 3),
            **results,
        },
    )


def cancel_batch(user: User | System, batch: BatchOperation) -> BatchOperation:
    """Skip the items that wait; items that run end normally. Raises BatchStateError if no item waits.

    A waiting sync that no other batch needs is deleted or ended.
    """
    with hold_batch(batch.pk) as batch, database.cursor() as cursor:
        require_to_steer(user, batch)
        if batch.is_finished:
            raise BatchStateError("The operation has ended; nothing waits any more.")
        # An item whose run has started in the meantime is not skipped.
        cursor.execute(FOLLOW_STATE[Subject(batch.subject)], {"batch": batch.pk})
        waiting = batch.list_items().filter(state=BatchItem.State.WAITING)
        # The lock keeps other batches from joining a run while it is ended. All code locks several runs in the order of
        # their connections, so that no two transactions wait for each other.
        runs = SyncRun.objects.filter(
            state=SyncRun.State.WAITING, pk__in=waiting.filter(run__isnull=False).values("run")
        )
        locked = list(runs.order_by("connection").select_for_update().values_list("pk", flat=True))
        skipped = count_by_team(waiting, batch, "skipped")
        waiting.update(state=BatchItem.State.SKIPPED, message="Cancelled before it began.", run=None)
        if not skipped:
            # A batch of which every item is done is not called cancelled.
            raise BatchStateError("Nothing waits any more; what has begun goes on to its end.")
        cursor.execute(END_UNWANTED_RUNS, {"runs": locked})
        batch.cancelled_at = approximate_now()
        batch.save(update_fields=["cancelled_at"])
        record_many(user, Action.BATCH_CANCEL, name_batch(batch, skipped), after=describe_batch(batch))
        finish_if_done(batch)
    return batch
