"""How many calls to Amazon the syncs of a batch have made, and how many are left."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce, Greatest

from accounts.models import BatchOperation, SyncRun
from accounts.models.sync import UNFINISHED
from accounts.sync.requests import needed_calls
from amazon_accounts.postgresql.clock import approximate_now

# With fewer calls the pace is not known.
MIN_CALLS = 5


@dataclass(frozen=True)
class Calls:
    made: int
    # As many as the last sync of each connection needed.
    left: int
    # Connections without a last sync: how many calls they need is not known.
    unknown: int
    seconds_left: int | None


def count_calls(batch: BatchOperation) -> Calls | None:
    """Return the calls of a sync batch that has not ended; None for any other batch."""
    if batch.operation != BatchOperation.Operation.SYNC or batch.started_at is None or batch.is_finished:
        return None
    runs = SyncRun.objects.filter(
        pk__in=batch.list_items().filter(run__isnull=False).values("run")
    ).order_by()
    unfinished = Q(state__in=UNFINISHED)
    found = runs.annotate(needed=needed_calls("connection")).aggregate(
        made=Coalesce(Sum("requests"), 0),
        left=Coalesce(Sum(Greatest(F("needed") - F("requests"), 0), filter=unfinished), 0),
        unknown=Count("pk", filter=unfinished & Q(needed=None)),
    )
    spent = (approximate_now() - batch.started_at) / timedelta(seconds=1)
    is_known = found["made"] >= MIN_CALLS and found["left"] and not found["unknown"]
    seconds = round(spent / found["made"] * found["left"]) if is_known else None
    return Calls(found["made"], found["left"], found["unknown"], seconds)
