"""Every task of this app. Procrastinate imports the module `tasks` of each installed app."""

from accounts.batch.tasks import prune_batches, run_batch, settle_batches
from accounts.lists.tasks import index_search
from accounts.sync.tasks import prune, rescue_runs, run_sync, sync_due

__all__ = [
    "index_search",
    "prune",
    "prune_batches",
    "rescue_runs",
    "run_batch",
    "run_sync",
    "settle_batches",
    "sync_due",
]
