"""How long a sync batch waits for Amazon, and why."""

from collections.abc import Mapping
from uuid import UUID

from django.db.models import Exists, OuterRef

from accounts.models import BatchOperation, SyncRun
from accounts.models.sync import UNFINISHED
from accounts.sync.requests import Wait, find_waits


def find_waits_of(batch: BatchOperation) -> dict[UUID, Wait]:
    """Return the pauses that Amazon asked for, by the id of the sync run."""
    has_runs = batch.operation == BatchOperation.Operation.SYNC and batch.started_at is not None
    if not has_runs or batch.is_finished:
        return {}
    postponed = SyncRun.objects.filter(state=SyncRun.State.WAITING, postponed__gt=0)
    of_batch = Exists(batch.list_items().filter(run=OuterRef("pk"), state__in=UNFINISHED))
    return find_waits(postponed.filter(of_batch).values_list("pk", flat=True))


def join_waits(waits: Mapping[UUID, Wait]) -> Wait | None:
    """Return one pause for all: since the first, until the last, with all regions, and why the last is made."""
    if not waits:
        return None
    last = max(waits.values(), key=lambda wait: wait.until)
    regions = {region for wait in waits.values() for region in wait.regions}
    since = min(wait.since for wait in waits.values())
    return Wait(since, last.until, tuple(sorted(regions)), last.reason)
