"""What the scheduler queues for this app."""

from accounts.models import AccountSearch, BatchOperation
from accounts.placing import changes_wait
from accounts.tasks import (
    forget_old_standings,
    index_search,
    place_changes,
    prune_batches,
    prune_sync_history,
    rescue_runs,
    settle_batches,
    store_availability,
    sync_due,
)
from tokens.processes.scheduled_jobs import ScheduledJob

JOBS = [
    ScheduledJob(sync_due, every=15),
    ScheduledJob(rescue_runs, every=10),
    ScheduledJob(prune_sync_history, every=3600),
    ScheduledJob(prune_batches, every=3600),
    ScheduledJob(store_availability, every=3600),
    ScheduledJob(forget_old_standings, every=3600),
    ScheduledJob(settle_batches, every=15, only_if=BatchOperation.objects.unfinished().exists),
    ScheduledJob(place_changes, every=5, only_if=changes_wait),
    ScheduledJob(index_search, every=10, only_if=AccountSearch.objects.filter(is_indexed=False).exists),
]
