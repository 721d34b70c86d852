"""Helpers for tests of sync runs: their jobs, their deaths, their age."""

from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import Account, SyncRun
from accounts.sync.listing import Listing, Outcome
from accounts.sync.run import run_sync
from amazon_accounts.postgresql.threads import in_thread
from tests.polling import poll_until

MANUAL = SyncRun.Trigger.MANUAL


def list_queued_runs() -> list[str]:
    """Return the ids of the runs that have a job, in the order in which they were queued."""
    return [job.args["run_id"] for job in list_queued_jobs()]


def list_queued_jobs() -> list[ProcrastinateJob]:
    return list(ProcrastinateJob.objects.filter(task_name=run_sync.name, status="todo").order_by("id"))


def list_scheduled_times() -> list[datetime]:
    """Return when the jobs that have a time may begin."""
    return [job.scheduled_at for job in list_queued_jobs() if job.scheduled_at is not None]


def let_die(run: SyncRun) -> None:
    """Make the run look as if its process was killed 31 seconds ago."""
    SyncRun.objects.filter(pk=run.pk).update(heartbeat_at=F("heartbeat_at") - timedelta(seconds=31))


def make_older(run: SyncRun, age: timedelta) -> None:
    SyncRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - age)


async def wait_until_started(run: SyncRun) -> None:
    await poll_until(in_thread(SyncRun.objects.filter(pk=run.pk).exclude(state="waiting").exists))


def make_ended_listing(
    source: str = Account.Source.ADS_ACCOUNTS,
    outcome: Outcome = Outcome.COMPLETE,
    region: str = "",
    profile_id: str = "",
    *,
    number: int = 0,
) -> Listing:
    listing = Listing(number, str(source), region, profile_id)
    listing.end(outcome)
    return listing
