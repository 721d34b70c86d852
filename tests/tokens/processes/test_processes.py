"""Worker and scheduler as processes of their own: what they do, and what they survive."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.processes import PROJECT, environment, eventually, run, running
from tests.sandbox_fixtures import SandboxServer
from tests.tokens.processes.newer_worker import NEW_TASK
from tokens.models import Connection, TokenRefresh
from tokens.permissions import SYSTEM
from tokens.processes.heartbeats import count_beats
from tokens.queues import TOKENS
from tokens.refresh.tasks import request_refresh

REFRESH = "tokens.refresh_connection"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def connection(alice: User, sandbox_server: SandboxServer) -> Connection:
    result = run(
        "connect",
        *("--owner", "alice", "--label", "Garden shop", "--regions", "EU,na", "--consented-at", "2026-08-01"),
        stdin=sandbox_server.sandbox.refresh_token("bob") + "\n",
    )
    assert result.returncode == 0, result.stderr
    return Connection.objects.get(pk=result.stdout.split()[-1])


def terminate_backends() -> None:
    """End every connection but ours, as a restart of PostgreSQL does, and wait until they are gone."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_connect_prints_the_id_last_and_knows_the_login(connection: Connection) -> None:
    assert connection.label == "Garden shop"
    assert connection.regions == ["EU", "NA"]
    assert connection.amazon_user_id is not None
    assert connection.consented_at is not None
    refresh = connection.refreshes.get()
    assert refresh.trigger == TokenRefresh.Trigger.CONNECT
    assert refresh.outcome == TokenRefresh.Outcome.SUCCEEDED


def test_a_worker_refreshes_and_ends_in_time(connection: Connection, tmp_path: Path) -> None:
    with running("runworker", log=tmp_path / "worker.log") as worker:
        worker.wait_for("The worker is ready")
        assert request_refresh(SYSTEM, connection)
        eventually(lambda: Connection.objects.get().refresh_count == 1)
        eventually(lambda: count_beats().worker_is_alive)

        # The database goes away under it, twice.
        for _ in range(2):
            terminate_backends()
            eventually(lambda: request_refresh(SYSTEM, connection))
            eventually(lambda: not ProcrastinateJob.objects.filter(task_name=REFRESH).exists())
        assert Connection.objects.get().refresh_count == 3

        status, seconds = worker.terminate()
        assert status == 0
        assert seconds < 5
        assert count_beats().workers == 0


def test_a_job_of_a_newer_version_waits_for_a_worker_of_that_version(db: None, tmp_path: Path) -> None:
    new_jobs = ProcrastinateJob.objects.filter(task_name=NEW_TASK)
    with running("runworker", log=tmp_path / "old.log") as old:
        old.wait_for("The worker is ready")
        for _ in range(2):
            app.configure_task(NEW_TASK, queue=TOKENS, allow_unknown=True).defer()
        app.configure_task("tokens.refresh_due").defer()
        eventually(lambda: not ProcrastinateJob.objects.filter(task_name="tokens.refresh_due").exists())
        assert list(new_jobs.values_list("status", "attempts")) == [("todo", 0)] * 2
        with (tmp_path / "new.log").open("ab") as log:
            new = subprocess.Popen(
                [sys.executable, "-m", "tests.tokens.processes.newer_worker"],
                env=environment(),
                cwd=PROJECT,
                stdout=log,
                stderr=log,
            )
        try:
            eventually(lambda: not new_jobs.exists(), describe=old.output)
        finally:
            new.kill()
            new.wait(10)
    assert (tmp_path / "new.log").read_text().count("Something new is done.") == 2
    assert "Traceback" not in old.output()


def test_a_killed_workers_job_is_queued_again(
    connection: Connection, sandbox_server: SandboxServer, tmp_path: Path
) -> None:
    fault = sandbox_server.sandbox.faults.add("hang", path="/auth/o2/token", seconds=30)
    with running("runworker", log=tmp_path / "first.log") as worker:
        worker.wait_for("The worker is ready")
        request_refresh(SYSTEM, connection)
        eventually(lambda: TokenRefresh.objects.filter(outcome=None).exists())
        worker.kill()
    sandbox_server.sandbox.faults.remove(fault.name)
    left = ProcrastinateJob.objects.filter(status="doing", task_name=REFRESH)
    assert left.count() == 1

    # Half a minute and more passes.
    with database.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds'")
    Connection.objects.update(next_refresh_at=timezone.now())
    with (
        running("runworker", log=tmp_path / "second.log"),
        running("runscheduler", log=tmp_path / "scheduler.log"),
    ):
        eventually(lambda: Connection.objects.get().refresh_count == 1)
        eventually(lambda: not left.exists())
    outcomes = TokenRefresh.objects.order_by("started_at").values_list("outcome", flat=True)
    assert list(outcomes)[:3] == ["succeeded", "lost", "succeeded"]


def test_one_scheduler_leads_and_another_takes_over(alice: User, tmp_path: Path) -> None:
    with (
        running("runscheduler", log=tmp_path / "first.log") as first,
        running("runscheduler", log=tmp_path / "second.log") as second,
    ):
        logs = {first.pid: first, second.pid: second}
        eventually(lambda: any("leads now" in each.output() for each in logs.values()))
        leader = first if "leads now" in first.output() else second
        standby = second if leader is first else first
        eventually(lambda: count_beats().schedulers == 2)
        eventually(lambda: count_beats().leaders == 1, 2)
        assert "leads now" not in standby.output()

        # Each job ran at once.
        eventually(lambda: ProcrastinateJob.objects.filter(task_name="tokens.refresh_due").count() == 1)
        leader.kill()
        standby.wait_for("leads now")
        status, seconds = standby.terminate()
        assert status == 0
        assert seconds < 5


def test_a_scheduler_survives_the_loss_of_the_database(alice: User, tmp_path: Path) -> None:
    with running("runscheduler", log=tmp_path / "scheduler.log") as scheduler:
        scheduler.wait_for("leads now")
        terminate_backends()
        eventually(lambda: scheduler.output().count("leads now") == 2)
        eventually(lambda: DjangoJobExecution.objects.filter(status="Executed").exists())
        assert scheduler.is_running


def test_a_scheduler_forgets_jobs_that_are_no_more(alice: User, tmp_path: Path) -> None:
    DjangoJob.objects.create(id="removed.long.ago", next_run_time=timezone.now(), job_state=b"")
    with running("runscheduler", log=tmp_path / "scheduler.log") as scheduler:
        scheduler.wait_for("leads now")
        eventually(lambda: DjangoJob.objects.filter(id="tokens.refresh_due").exists())
        assert not DjangoJob.objects.filter(id="removed.long.ago").exists()


def test_scheduler_and_worker_refresh_what_is_due(connection: Connection, tmp_path: Path) -> None:
    Connection.objects.update(next_refresh_at=timezone.now() - timedelta(minutes=1))
    with (
        running("runworker", log=tmp_path / "worker.log"),
        running("runscheduler", log=tmp_path / "scheduler.log", TOKEN_REFRESH_CHECK_SECONDS="2"),
    ):
        eventually(lambda: Connection.objects.get().refresh_count == 1)
        Connection.objects.update(next_refresh_at=timezone.now() - timedelta(minutes=1))
        eventually(lambda: Connection.objects.get().refresh_count == 2)


def test_refresh_tokens_counts_last(connection: Connection) -> None:
    result = run("refresh_tokens", "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout.splitlines()[-1])["refreshed"] == 0
    result = run("refresh_tokens", "--all")
    assert result.stdout.splitlines()[-1] == "1 refreshed, 0 postponed, 0 skipped, 0 failed"
    result = run("refresh_tokens", "--connection", str(connection.pk))
    assert result.returncode == 0


def test_an_error_is_one_line_and_an_exit_status(connection: Connection) -> None:
    result = run("connect", "--owner", "alice", "--label", "X", stdin="Atzr|refused\n")
    assert result.returncode == 1
    assert result.stdout == ""
    last = result.stderr.splitlines()[-1]
    assert last.startswith("CommandError: Amazon answered 400")
    assert last.endswith("Sign in at Amazon again, and give the refresh token of the new consent.")
    assert "Traceback" not in result.stderr
    assert Connection.objects.count() == 1


def test_many_logins_are_connected_from_a_csv_file(
    alice: User, sandbox_server: SandboxServer, tmp_path: Path
) -> None:
    sandbox = sandbox_server.sandbox
    bob, charlie = sandbox.refresh_token("bob"), sandbox.refresh_token("charlie")
    file = tmp_path / "logins.csv"
    file.write_text(
        "label,refresh_token,regions,consented_at\n"
        f'Garden shop,{bob},"NA,EU",2026-08-01\n'
        "Broken,Atzr|refused,,\n"
        f"Toy shop,{charlie}\n"
        f"Garden shop again,{bob},,\n"
        f"No such region,{bob},XX,\n"
    )
    result = run("connect", "--owner", "alice", "--csv", str(file))
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert [line.split(":")[1].split()[0] for line in lines[:-1]] == [
        "connected",
        "failed",
        "connected",
        "updated",
        "failed",
    ]
    assert lines[-1] == "2 connected, 1 updated, 2 failed"
    assert "Atzr" not in result.stdout + result.stderr
    assert sorted(Connection.objects.values_list("label", flat=True)) == ["Garden shop", "Toy shop"]


def test_two_processes_with_many_callers_make_one_call(
    connection: Connection, sandbox_server: SandboxServer
) -> None:
    """Fifty callers while Login with Amazon takes its time."""
    Connection.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    sandbox = sandbox_server.sandbox
    sandbox.journal.clear()
    sandbox.faults.add("slow", path="/auth/o2/token", seconds=6)
    askers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.tokens.refresh.asking", str(connection.pk), "25"],
            cwd=PROJECT,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [json.loads(asker.communicate(timeout=60)[0]) for asker in askers]
    assert answers[0] == answers[1]
    assert len(answers[0]) == 1
    assert sandbox.journal.count(path="/auth/o2/token") == 1
