"""The history: syncs, refreshes, changes and operations in one timeline."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import AccountChange, BatchOperation, SyncRun
from dashboard.history.timeline import Timeline
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection
from tokens.models import Connection, TokenRefresh

NOW = timezone.now().replace(microsecond=0)


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


@pytest.fixture
def connection(alice: User, make_connection: MakeConnection, make_account: MakeAccount) -> Connection:
    """A connection with ten events of each of the four kinds, all at the same ten moments."""
    connection = make_connection(alice)
    account = make_account(connection, "Garden")
    AccountChange.objects.all().delete()
    for number in range(10):
        moment = NOW - timedelta(minutes=number)
        bad = number == 3
        SyncRun.objects.create(
            connection=connection,
            trigger="scheduled",
            created_at=moment,
            started_at=moment,
            state="failed" if bad else "succeeded",
            finished_at=moment,
            error="Amazon <b>refused</b>" if bad else "",
        )
        TokenRefresh.objects.create(
            connection=connection,
            grant_version=1,
            trigger="scheduled",
            started_at=moment,
            finished_at=moment,
            outcome="permanent" if bad else "succeeded",
        )
        AccountChange.objects.create(
            account=account, kind="status", old="active", new="suspended", changed_at=moment
        )
        BatchOperation.objects.create(
            user=alice,
            operation="sync",
            total=2,
            created_at=moment,
            finished_at=moment,
            state="failed" if bad else "succeeded",
            succeeded=2,
        )
    return connection


def lines(client: Client, address: str = "") -> list[tuple[str, str]]:
    days = client.get(f"/history/{address}").context["days"]
    return [(line.kind, line.title) for _, group in days for line in group]


def test_it_mixes_all_kinds_newest_first(client: Client, connection: Connection) -> None:
    found = lines(client)
    assert len(found) == 40
    assert [kind for kind, _ in found[:4]] == ["sync", "refresh", "change", "batch"]
    page = client.get("/history/").content.decode()
    for text in (
        "Sync of Northwind",
        "Token of Northwind",
        "Status: active → suspended",
        "Sync of 2 accounts",
        "2 done",
    ):
        assert text in page
    assert "Amazon &lt;b&gt;refused&lt;/b&gt;" in page


@pytest.mark.parametrize("kind", ["sync", "refresh", "change", "batch"])
def test_it_shows_one_kind(client: Client, connection: Connection, kind: str) -> None:
    assert {found for found, _ in lines(client, f"?kind={kind}")} == {kind}


def test_it_shows_failures_only(client: Client, connection: Connection) -> None:
    assert sorted(kind for kind, _ in lines(client, "?outcome=failed")) == ["batch", "refresh", "sync"]


def test_it_shows_one_connection_and_some_days(client: Client, connection: Connection) -> None:
    assert {kind for kind, _ in lines(client, f"?connection={connection.pk}")} == {
        "sync",
        "refresh",
        "change",
    }
    unknown = "01890000-0000-7000-8000-000000000000"
    assert client.get(f"/history/?connection={unknown}").status_code == 404
    assert lines(client, "?to=2020-01-01") == []
    assert len(lines(client, f"?from={(NOW - timedelta(days=1)).date()}")) == 40


def test_pages_neither_lose_nor_repeat_a_line_even_at_one_moment(alice: User, connection: Connection) -> None:
    address, seen = "", []
    while True:
        events, address = Timeline.of(QueryDict(address.removeprefix("?"))).page(alice, page_size=7)
        seen += [(event.kind, event.id) for event in events]
        if not address:
            break
    assert (len(seen), len(set(seen))) == (40, 40)


@pytest.mark.parametrize(
    "query", ["kind=odd", "after=tampered", "from=never", "to=32", "connection=x", "outcome=odd"]
)
def test_it_ignores_what_it_does_not_know(client: Client, connection: Connection, query: str) -> None:
    assert len(lines(client, f"?{query}")) == 40


def test_it_does_not_show_other_peoples_history(
    client: Client, bob: User, log_in: LogIn, connection: Connection
) -> None:
    assert lines(log_in(bob)) == []
    assert "Nothing has happened yet" in log_in(bob).get("/history/").content.decode()


def test_it_costs_at_most_twelve_queries(
    client: Client, connection: Connection, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12):
        client.get("/history/")
