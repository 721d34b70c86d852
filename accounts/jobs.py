"""What the scheduler defers for this app."""

from accounts.tasks import prune, rescue_runs, sync_due
from tokens.scheduling import ScheduledJob
from tokens.tasks import defer_once


def sync_what_is_due() -> None:
    defer_once(sync_due, "accounts.sync_due")


def rescue_dead_runs() -> None:
    defer_once(rescue_runs, "accounts.rescue_runs")


def prune_histories() -> None:
    defer_once(prune, "accounts.prune")


JOBS = [
    ScheduledJob("accounts.sync_due", sync_what_is_due, 15),
    ScheduledJob("accounts.rescue_runs", rescue_dead_runs, 10),
    ScheduledJob("accounts.prune", prune_histories, 3600),
]
