"""Worker and scheduler beside a database that falls silent: they find back by themselves, and end when they are told."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.half_open_proxy import HalfOpenProxy
from tests.processes import Process, eventually, run, running
from tests.sandbox_fixtures import SandboxServer
from tests.sick_database import full_disk
from tokens.models import Connection
from tokens.permissions import SYSTEM
from tokens.refresh.tasks import request_refresh

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]

AWAY = "The database does not answer."


def test_they_find_back_and_end_in_time_while_the_database_is_silent(
    alice: User, sandbox_server: SandboxServer, half_open_proxy: HalfOpenProxy, tmp_path: Path
) -> None:
    connect(sandbox_server)
    extra = {
        "DATABASE_URL": half_open_proxy.database_url,
        "DB_SILENCE_SECONDS": "1.5",
        "TOKEN_REFRESH_CHECK_SECONDS": "1",
    }
    with (
        running("runworker", log=tmp_path / "worker.log", **extra) as worker,
        running("runscheduler", log=tmp_path / "scheduler.log", **extra) as scheduler,
    ):
        refresh_again(worker)
        half_open_proxy.freeze()
        for process in (worker, scheduler):
            process.wait_for(AWAY)
        half_open_proxy.thaw()
        for process in (worker, scheduler):
            process.wait_for("The database works again")
        refresh_again(worker)
        for process in (worker, scheduler):
            assert_quiet(process)

        half_open_proxy.freeze()
        for process in (worker, scheduler):
            eventually(lambda process=process: process.output().count(AWAY) >= 2)  # type: ignore[misc]
            status, _ = process.terminate()
            assert status == 0


@pytest.mark.skipif(sys.platform != "linux", reason="The socket filter is one of Linux.")
def test_they_find_back_when_their_connections_are_lost_in_the_network(
    alice: User, sandbox_server: SandboxServer, half_open_proxy: HalfOpenProxy, tmp_path: Path
) -> None:
    connect(sandbox_server)
    extra = {
        # The time of production would be 15 s.
        "DATABASE_URL": f"{half_open_proxy.database_url}?tcp_user_timeout=1500",
        "TOKEN_REFRESH_CHECK_SECONDS": "1",
    }
    with (
        running("runworker", log=tmp_path / "worker.log", **extra) as worker,
        running("runscheduler", log=tmp_path / "scheduler.log", **extra) as scheduler,
    ):
        refresh_again(worker)
        half_open_proxy.drop_packets()
        eventually(lambda: scheduler.output().count("leads now") == 2, describe=scheduler.output)
        refresh_again(worker)


def connect(sandbox_server: SandboxServer) -> Connection:
    refresh_token = sandbox_server.sandbox.refresh_token("bob")
    result = run("connect", "--owner", "alice", "--label", "Shop", stdin=f"{refresh_token}\n")
    assert result.returncode == 0, result.stderr
    return Connection.objects.get()


def refresh_again(worker: Process) -> None:
    before = Connection.objects.get().refresh_count
    Connection.objects.update(next_refresh_at=timezone.now() - timedelta(minutes=1))
    # A job whose end the database did not take is done again when it counts as stalled.
    eventually(lambda: Connection.objects.get().refresh_count > before, 180, describe=worker.output)


def assert_quiet(process: Process) -> None:
    output = process.output()
    assert output.count(f"{AWAY} (") == 1, output
    assert "Traceback" not in output
    assert len(output.splitlines()) < 15, output


def test_a_job_that_a_full_disk_ended_is_done_again(
    alice: User, sandbox_server: SandboxServer, tmp_path: Path
) -> None:
    connection = connect(sandbox_server)
    before = connection.refresh_count
    with running("runworker", log=tmp_path / "worker.log") as worker:
        worker.wait_for("The worker is ready")
        with full_disk("tokens_tokenrefresh"):
            assert request_refresh(SYSTEM, connection)
            worker.wait_for("The database's disk is full.")
        eventually(lambda: Connection.objects.get().refresh_count > before)
        worker.wait_for("The database works again")
        assert "Traceback" not in worker.output()
    assert not ProcrastinateJob.objects.filter(status="failed").exists()
