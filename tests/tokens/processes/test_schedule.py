"""What the scheduler defers."""

import pytest
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.tokens.conftest import ConnectionFactory
from tokens.alerts.create import alert_connection_broken
from tokens.permissions import SYSTEM
from tokens.processes import scheduler
from tokens.processes.scheduled_jobs import ScheduledJob, scheduled_jobs
from tokens.processes.stalled import rescue_stalled_jobs
from tokens.refresh.tasks import request_refresh

pytestmark = pytest.mark.django_db

# The names that operators know from the admin. `send_alerts` and others are queued only when there is work.
IDS = {
    "accounts.index_search",
    "accounts.forget_old_standings",
    "accounts.place_changes",
    "accounts.prune",
    "accounts.prune_batches",
    "accounts.rescue_runs",
    "accounts.settle_batches",
    "accounts.store_availability",
    "accounts.sync_due",
    "tokens.chain_audit",
    "tokens.mail_audit_end",
    "tokens.place_events",
    "tokens.queue_webhooks",
    "tokens.prune",
    "tokens.prune_audit",
    "tokens.prune_sessions",
    "tokens.refresh_due",
    "tokens.rescue_stalled_jobs",
    "tokens.send_alerts",
    "tokens.send_renewal_mails",
    "tokens.send_waiting_alerts",
    "tokens.warn_of_consent_ends",
    "tokens.warn_of_ending_keys",
}


def queued() -> list[tuple[str, str | None]]:
    return list(ProcrastinateJob.objects.order_by("id").values_list("task_name", "queueing_lock"))


def test_the_jobs_of_every_app_are_scheduled_under_the_names_of_their_tasks() -> None:
    jobs = scheduled_jobs()
    assert set(jobs) == IDS
    assert all(job.every >= 1 for job in jobs.values())
    assert set(app.tasks) >= IDS


def test_every_job_only_defers_and_a_job_that_waits_is_not_deferred_again() -> None:
    for _ in range(2):
        for job in scheduled_jobs().values():
            job.defer()
    names = [name for name, _ in queued()]
    assert len(names) == len(set(names))
    assert "tokens.refresh_due" in names


def test_the_queueing_lock_is_the_name_of_the_task() -> None:
    ScheduledJob(rescue_stalled_jobs, every=15).defer()
    assert queued() == [("tokens.rescue_stalled_jobs", "tokens.rescue_stalled_jobs")]


def test_a_job_is_deferred_only_when_there_is_work() -> None:
    ScheduledJob(rescue_stalled_jobs, every=15, only_if=lambda: False).defer()
    assert queued() == []
    ScheduledJob(rescue_stalled_jobs, every=15, only_if=lambda: True).defer()
    assert len(queued()) == 1


def test_alerts_are_sent_only_when_some_are_due(connect: ConnectionFactory) -> None:
    send_alerts = scheduled_jobs()["tokens.send_alerts"]
    send_alerts.defer()
    assert queued() == []
    alert_connection_broken(connect())
    send_alerts.defer()
    assert queued() == [("tokens.send_alerts", "tokens.send_alerts")]


def test_a_refresh_that_waits_is_not_queued_again(connect: ConnectionFactory) -> None:
    connection = connect()
    assert request_refresh(SYSTEM, connection)
    assert not request_refresh(SYSTEM, connection)
    assert queued() == [("tokens.refresh_connection", f"tokens.refresh:{connection.pk}")]


@pytest.mark.django_db(transaction=True)
def test_a_job_is_run_only_by_the_leader() -> None:
    scheduler.run_job("tokens.rescue_stalled_jobs")
    assert queued() == []


@pytest.mark.django_db(transaction=True)
def test_an_unknown_job_is_ignored() -> None:
    scheduler.run_job("removed.long.ago")
    assert queued() == []
