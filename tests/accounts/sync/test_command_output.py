"""What `manage.py sync_accounts` prints, and how it syncs many connections at once."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError
from django.utils import timezone

from accounts.management.commands.sync_accounts import COUNTS, Command, Progress, sync_all
from accounts.models import Account, SyncRun
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import make_ended_listing
from tokens.models import Connection

pytestmark = pytest.mark.django_db

STARTED = timezone.now()


def make_run(connection: Connection, state: str, error: str = "", **fields: object) -> SyncRun:
    return SyncRun(
        connection=connection,
        state=state,
        error=error,
        started_at=STARTED,
        finished_at=STARTED + timedelta(seconds=2),
        **fields,
    )


@pytest.fixture
def connections(connect: ConnectionFactory) -> list[Connection]:
    return [connect("alice"), connect("bob"), connect("charlie")]


def print_runs(connections: list[Connection], runs: list[SyncRun], *, as_json: bool = False) -> str:
    out = StringIO()
    Command(stdout=out)._print(connections, runs, as_json=as_json)
    return out.getvalue()


def test_counts_are_added_up_over_all_runs(connections: list[Connection]) -> None:
    runs = [
        make_run(connections[0], "succeeded", seen=1200, created=7),
        make_run(connections[1], "partial", seen=34, gone=1),
        make_run(connections[2], "waiting"),
    ]
    assert print_runs(connections, runs) == (
        "1,234 seen, 7 created, 0 changed, 0 unchanged, 1 gone, 0 rejected, 0 requests, 0 throttled,"
        " 1 succeeded, 1 partial, 0 failed, 1 postponed, 0 suspended, 0 at_risk, 0 set_up\n"
    )


def test_the_accounts_that_somebody_has_to_look_at_are_counted(connections: list[Connection]) -> None:
    for number, (connection, standing) in enumerate(
        [(0, "suspended"), (1, "suspended"), (1, "at_risk"), (1, "good"), (2, "set_up")]
    ):
        login = connections[connection]
        Account.objects.create(
            team=login.team, user=login.owner, connection=login, source="ads_accounts",
            amazon_account_id=str(number),
            status="active", standing=standing,
        )  # fmt: skip
    chosen, runs = connections[:2], [make_run(each, "succeeded") for each in connections[:2]]
    assert print_runs(chosen, runs).endswith("2 suspended, 1 at_risk, 0 set_up\n")
    printed = json.loads(print_runs(chosen, runs, as_json=True))
    assert (printed["suspended"], printed["at_risk"], printed["set_up"]) == (2, 1, 0)


def test_no_connection_is_no_error() -> None:
    assert print_runs([], []).endswith("0 postponed, 0 suspended, 0 at_risk, 0 set_up\n")


def test_json_has_each_run_with_its_connection(connections: list[Connection]) -> None:
    runs = [
        make_run(connections[0], "succeeded", seen=11),
        make_run(connections[1], "failed", "It failed."),
        make_run(connections[2], "waiting"),
    ]
    runs[2].started_at = runs[2].finished_at = None
    printed = json.loads(print_runs(connections, runs, as_json=True))
    assert set(COUNTS) < set(printed)
    assert [each["connection"] for each in printed["runs"]] == [str(each.pk) for each in connections]
    assert [each["state"] for each in printed["runs"]] == ["succeeded", "failed", "postponed"]
    assert [each["seconds"] for each in printed["runs"]] == [2.0, 2.0, None]
    assert (printed["runs"][1]["error"], printed["seen"]) == ("It failed.", 11)


@pytest.mark.parametrize(
    ("state", "more", "explanation"),
    [
        ("failed", 0, "Not all was synced. “Login of alice” failed: It\nwas refused."),
        ("partial", 1, "Not all was synced. “Login of alice” partial: It\nwas refused. (1 more)"),
        ("waiting", 2, "Not all was synced. “Login of alice” postponed: It\nwas refused. (2 more)"),
    ],
)
def test_the_first_problem_is_explained_in_one_line(
    connections: list[Connection], state: str, more: int, explanation: str
) -> None:
    problems = [
        make_run(connections[0], state, "It\nwas refused."),
        *(make_run(connections[1], "failed") for _ in range(more)),
    ]
    assert Command()._explain(connections, problems) == explanation.replace("\n", " ")


def test_named_connections_are_synced_once_and_in_the_order_given(connections: list[Connection]) -> None:
    first, second, _ = connections
    assert Command()._choose([second.pk, first.pk, second.pk]) == [second, first]


def test_without_names_all_live_connections_are_synced(connections: list[Connection]) -> None:
    Connection.objects.filter(pk=connections[1].pk).update(state=Connection.State.REAUTHORIZATION_REQUIRED)
    assert Command()._choose([]) == sorted([connections[0], connections[2]], key=lambda each: each.pk)


def test_one_unknown_connection_refuses_all(connections: list[Connection]) -> None:
    with pytest.raises(CommandError, match="There is no connection"):
        Command()._choose([connections[0].pk, uuid4()])


@pytest.mark.django_db(transaction=True)
async def test_connections_are_synced_side_by_side_and_returned_in_order(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connections = [await in_thread(connect)(login) for login in ("alice", "bob", "charlie")]
    sandbox.faults.add("slow", path="/adsAccounts/list", seconds=0.1, nth=1)
    with Progress({connection.pk: 0 for connection in connections}) as progress:
        runs = await sync_all(connections, amazon, 60, progress)
    assert [run.connection_id for run in runs] == [each.pk for each in connections]
    assert {str(run.state) for run in runs} == {"succeeded"}


def test_progress_off_a_terminal_prints_nothing(
    connections: list[Connection], capsys: pytest.CaptureFixture[str]
) -> None:
    listing = make_ended_listing()
    listing.seen = 5
    with Progress({connections[0].pk: 3}) as progress:
        progress.show(connections[0], [listing])
        progress.show_waiting(connections[0])
        progress.finish(connections[0])
    assert capsys.readouterr() == ("", "")
