"""What the scheduler defers for this app."""

from accounts.models import AccountSearch, BatchOperation
from accounts.tasks import index_search, prune, prune_batches, rescue_runs, settle_batches, sync_due
from tokens.processes.scheduler import ScheduledJob
from tokens.tasks import defer_once


def sync_what_is_due() -> None:
    defer_once(sync_due, "accounts.sync_due")


def rescue_dead_runs() -> None:
    defer_once(rescue_runs, "accounts.rescue_runs")


def prune_histories() -> None:
    defer_once(prune, "accounts.prune")
    defer_once(prune_batches, "accounts.prune_batches")


def settle_unfinished_batches() -> None:
    if BatchOperation.objects.unfinished().exists():
        defer_once(settle_batches, "accounts.settle_batches")


def index_new_names() -> None:
    if AccountSearch.objects.filter(is_indexed=False).exists():
        defer_once(index_search, "accounts.index_search")


JOBS = [
    ScheduledJob("accounts.sync_due", sync_what_is_due, 15),
    ScheduledJob("accounts.rescue_runs", rescue_dead_runs, 10),
    ScheduledJob("accounts.prune", prune_histories, 3600),
    ScheduledJob("accounts.settle_batches", settle_unfinished_batches, 15),
    ScheduledJob("accounts.index_search", index_new_names, 10),
]
