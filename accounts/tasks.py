"""Every task of this app. Procrastinate imports the module `tasks` of each installed app."""

from accounts.availability.closing import store_availability
from accounts.batch.tasks import run_batch, run_connection_batch, settle_batches
from accounts.batch.upkeep import prune_batches
from accounts.lists.tasks import index_search
from accounts.placing import place_changes
from accounts.pruning import prune_sync_history
from accounts.standing.forgetting import forget_old_standings
from accounts.sync.due import sync_due
from accounts.sync.rescue import rescue_runs
from accounts.sync.run import run_sync

__all__ = [
    "forget_old_standings",
    "index_search",
    "place_changes",
    "prune_batches",
    "prune_sync_history",
    "rescue_runs",
    "run_batch",
    "run_connection_batch",
    "run_sync",
    "settle_batches",
    "store_availability",
    "sync_due",
]
