"""`manage.py sync_accounts` and the worker, as processes."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from accounts.models import Account, SyncRun
from accounts.sync.requests import request_sync
from accounts.sync.rescue import DEAD_AFTER
from amazon_accounts.sandbox.world import generated_world
from tests.accounts.sync.expected_rows import find_differences
from tests.processes import eventually, run, running
from tests.sandbox_fixtures import SandboxServer
from tests.teams import team_of
from tokens.models import Connection
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = {
    "AMAZON_REQUESTS_PER_SECOND": "1000",
    "AMAZON_MAX_REQUESTS_PER_SECOND": "1000",
    "AMAZON_BURST": "100",
    "AMAZON_BACKOFF_BASE_SECONDS": "0.01",
}


@pytest.fixture
def owner(transactional_db: None) -> User:
    return User.objects.create_user("owner")


def make_connection(
    owner: User, server: SandboxServer, settings: LazySettings, login: str = "alice"
) -> Connection:
    return Connection.objects.create(
        team=team_of(owner),
        owner=owner,
        label=f"Login of {login}",
        client_id=settings.AMAZON_CLIENT_ID,
        refresh_token=server.sandbox.refresh_token(login),
    )


def test_it_syncs_every_live_connection_and_prints_the_counts(
    owner: User, sandbox_server: SandboxServer, settings: LazySettings
) -> None:
    alice = make_connection(owner, sandbox_server, settings)
    make_connection(owner, sandbox_server, settings, "charlie")
    done = run("sync_accounts", **QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("11 seen, 11 created, 0 changed, 0 unchanged, 0 gone")
    assert "2 succeeded, 0 partial, 0 failed, 0 postponed" in done.stdout
    assert find_differences(sandbox_server.sandbox.truth("alice"), alice) == []


def test_it_prints_json(owner: User, sandbox_server: SandboxServer, settings: LazySettings) -> None:
    connection = make_connection(owner, sandbox_server, settings)
    make_connection(owner, sandbox_server, settings, "charlie")
    done = run("sync_accounts", "--json", "--connection", str(connection.pk), **QUICK)
    printed: dict[str, Any] = json.loads(done.stdout)
    assert (printed["created"], printed["succeeded"]) == (11, 1)
    [printed_run] = printed["runs"]
    assert (printed_run["connection"], printed_run["state"]) == (str(connection.pk), "succeeded")
    assert printed_run["sources"][0]["source"] == "ads_accounts"


def test_it_explains_a_failure_in_one_line(
    owner: User, sandbox_server: SandboxServer, settings: LazySettings
) -> None:
    make_connection(owner, sandbox_server, settings)
    sandbox_server.sandbox.faults.add("error_500", area="api")
    done = run("sync_accounts", **QUICK, AMAZON_MAX_ATTEMPTS="1")
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    last = done.stderr.splitlines()[-1]
    assert last.startswith("CommandError: Not all was synced. “Login of alice” failed:")
    assert "Traceback" not in done.stderr


def test_it_reports_a_postponed_run(
    owner: User, sandbox_server: SandboxServer, settings: LazySettings
) -> None:
    make_connection(owner, sandbox_server, settings)
    sandbox_server.sandbox.faults.add(
        "throttle", path="/managerAccounts", region="FE", seconds=100, retry_after="100"
    )
    began = time.monotonic()
    done = run("sync_accounts", "--wait", "0.5", **QUICK)
    assert time.monotonic() - began < 30
    assert done.returncode == 1
    assert "1 postponed" in done.stdout
    assert "“Login of alice” postponed:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--connection", "0190c8f5-5b1c-7000-8000-000000000000"], "There is no connection"),
        (["--connection", "nonsense"], "invalid UUID value"),
        (["--wait", "-1"], "--wait must be a number of seconds"),
        (["--wait", "nan"], "--wait must be a number of seconds"),
    ],
)
def test_it_refuses_invalid_arguments(db: None, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("sync_accounts", *arguments)


def test_it_refuses_a_connection_that_cannot_be_synced(
    owner: User, sandbox_server: SandboxServer, settings: LazySettings
) -> None:
    connection = make_connection(owner, sandbox_server, settings)
    connection.state = Connection.State.REAUTHORIZATION_REQUIRED
    connection.save(update_fields=["state"])
    with pytest.raises(CommandError, match="must be reconnected"):
        call_command("sync_accounts", "--connection", str(connection.pk))


def test_a_worker_runs_a_requested_sync(
    owner: User, sandbox_server: SandboxServer, settings: LazySettings, tmp_path: Path
) -> None:
    connection = make_connection(owner, sandbox_server, settings)
    with running("runworker", log=tmp_path / "worker.log", **QUICK) as worker:
        requested = request_sync(SYSTEM, connection, trigger=SyncRun.Trigger.API)
        eventually(
            lambda: SyncRun.objects.get(pk=requested.pk).state == "succeeded", 30, describe=worker.output
        )
    assert Account.objects.count() == 11


@pytest.mark.slow
def test_a_killed_sync_is_repeated_within_a_minute(
    owner: User,
    sandbox_server: SandboxServer,
    settings: LazySettings,
    tmp_path: Path,
) -> None:
    sandbox_server.sandbox.reset(generated_world(accounts_per_login=300))
    connection = make_connection(owner, sandbox_server, settings, "login-1")
    slow = sandbox_server.sandbox.faults.add("slow", path="/adsAccounts/list", seconds=1.0, after=1)
    requested = request_sync(SYSTEM, connection, trigger=SyncRun.Trigger.SCHEDULED)
    with running("runworker", log=tmp_path / "first.log", **QUICK) as worker:
        eventually(
            lambda: SyncRun.objects.get(pk=requested.pk).state == "running", 30, describe=worker.output
        )
        worker.kill()
    killed_at = time.monotonic()
    sandbox_server.sandbox.faults.remove(slow.name)
    with (
        running("runworker", log=tmp_path / "second.log", **QUICK) as worker,
        running("runscheduler", log=tmp_path / "scheduler.log", **QUICK),
    ):
        eventually(lambda: SyncRun.objects.filter(state="succeeded").exists(), 60, describe=worker.output)
    assert time.monotonic() - killed_at < 60
    requested.refresh_from_db()
    assert (requested.state, requested.error) == ("failed", "The process that ran it died.")
    assert find_differences(sandbox_server.sandbox.truth("login-1"), connection) == []
    assert DEAD_AFTER.total_seconds() < 60
