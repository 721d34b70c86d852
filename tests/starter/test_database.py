"""What a process does that finds no database when it starts."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.starter.database import wait_for_database
from tests.half_open_proxy import HalfOpenProxy
from tests.ports import free_port
from tests.processes import environment, run, running
from tests.sandbox_fixtures import SandboxServer

NOBODY = {"host": "127.0.0.1", "user": "nobody", "dbname": "nothing"}


def test_it_waits_for_a_bounded_time_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImproperlyConfigured, match="does not answer within 3 s: connection failed"):
        wait_for_database({**NOBODY, "port": free_port()}, 3)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Waiting for the database: connection failed")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("command", "ready"), [("runworker", "is ready"), ("runscheduler", "leads now")])
def test_worker_and_scheduler_work_as_soon_as_the_database_is_there(
    command: str, ready: str, sandbox_server: SandboxServer, half_open_proxy: HalfOpenProxy, tmp_path: Path
) -> None:
    half_open_proxy.freeze()
    with running(command, log=tmp_path / "log", DATABASE_URL=half_open_proxy.database_url) as process:
        process.wait_for("Waiting for the database: ")
        half_open_proxy.thaw()
        process.wait_for(ready)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_other_commands_end_at_once_with_one_line(sandbox_server: SandboxServer) -> None:
    url = environment()["DATABASE_URL"].partition("@")[0] + f"@127.0.0.1:{free_port()}/nothing"
    done = run("refresh_tokens", DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The database that DATABASE_URL names does not answer: ")
    assert done.stderr.count("\n") == 1
