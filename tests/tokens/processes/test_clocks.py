"""Processes whose clock is wrong, or is set while they run."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob

from amazon_accounts.postgresql.clock import database_now
from tests.clocks import Clock, needs_wrong_clocks
from tests.processes import eventually, run, running
from tests.sandbox_fixtures import SandboxServer
from tokens.models import Connection, TokenRefresh
from tokens.refresh.tasks import refresh_due_tokens

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, needs_wrong_clocks]

TEN_MINUTES = 600
AN_HOUR = 3600
MARGIN = timedelta(seconds=20)


def test_jobs_go_on_when_the_clock_of_the_scheduler_is_set(alice: User, tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    refresh_checks = ProcrastinateJob.objects.filter(task_name="tokens.refresh_due")

    def wait_for_two_checks() -> None:
        # The job is queued once and again by its interval of a second: the first check may be from before.
        for _ in range(2):
            refresh_checks.delete()
            eventually(refresh_checks.exists)

    with running(
        "runscheduler",
        log=tmp_path / "scheduler.log",
        TOKEN_REFRESH_CHECK_SECONDS="1",
        **clock.environment(),
    ) as scheduler:
        scheduler.wait_for("leads now")
        wait_for_two_checks()
        for seconds_off in (-TEN_MINUTES, 0, TEN_MINUTES):
            clock.set(seconds_off)
            wait_for_two_checks()
        assert scheduler.output().count("leads now") == 1


def read_connection(began: datetime) -> Connection:
    """Return the only connection; fail unless its times say that Amazon has just given a token for an hour."""
    connection, now = Connection.objects.get(), database_now()
    assert connection.last_refreshed_at is not None
    assert connection.expires_at is not None
    assert connection.next_refresh_at is not None
    assert began <= connection.last_refreshed_at <= now
    assert abs(connection.expires_at - connection.last_refreshed_at - timedelta(hours=1)) < MARGIN
    assert connection.last_refreshed_at < connection.next_refresh_at < connection.expires_at
    return connection


@pytest.mark.parametrize("seconds_off", [-AN_HOUR, AN_HOUR], ids=["slow", "fast"])
def test_tokens_are_refreshed_in_time_by_processes_whose_clock_is_wrong(
    alice: User, sandbox_server: SandboxServer, tmp_path: Path, seconds_off: int
) -> None:
    clock = Clock(tmp_path)
    clock.set(seconds_off)
    began = database_now()
    token = sandbox_server.sandbox.refresh_token("bob")
    connected = run("connect", "--owner", "alice", "--label", "Bob", stdin=token, **clock.environment())
    assert connected.returncode == 0, connected.stderr
    connection = read_connection(began)
    assert began <= connection.created_at <= database_now()
    with running("runworker", log=tmp_path / "worker.log", **clock.environment()) as worker:
        worker.wait_for("The worker is ready")
        # What is not due by the database's clock is left alone.
        checks = ProcrastinateJob.objects.filter(task_name=refresh_due_tokens.name)
        refresh_due_tokens.defer()
        eventually(lambda: not checks.exclude(status="succeeded").exists(), describe=worker.output)
        assert Connection.objects.get().refresh_count == 0
        due_since = database_now()
        Connection.objects.update(next_refresh_at=Now())
        refresh_due_tokens.defer()
        eventually(lambda: Connection.objects.get().refresh_count == 1, describe=worker.output)
    read_connection(due_since)
    proof, refresh = TokenRefresh.objects.order_by("started_at")
    assert (proof.trigger, refresh.trigger) == ("connect", "scheduled")
    assert proof.finished_at is not None
    assert refresh.finished_at is not None
    assert began <= proof.started_at <= proof.finished_at <= due_since
    assert due_since <= refresh.started_at <= refresh.finished_at <= database_now()
