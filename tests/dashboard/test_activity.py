"""The activity: what changed, what failed and what people did, in one timeline."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account, AccountChange, BatchOperation, SyncRun
from dashboard.activity.entries import Entry
from dashboard.activity.feed import Feed
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze
from tokens.models import ActivityVisit, AuditEntry, Connection, Event, Team, TokenRefresh

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
    Event.objects.all().delete()
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


ALL = "?kind=sync&kind=refresh&kind=change&kind=batch"


def entries(client: Client, address: str = "") -> list[Entry]:
    days = client.get(f"/activity/{address}").context["days"]
    return [entry for day in days for line in day.lines for entry in line.entries]


def lines(client: Client, address: str = "") -> list[tuple[str, str]]:
    return [(entry.source, entry.name) for entry in entries(client, address)]


def happen(
    type_: str, account: Account, *, team: Team | None = None, moment: datetime = NOW, **data: Any
) -> Event:
    named = {"name": account.name, "amazon_account_id": account.amazon_account_id}
    return Event.objects.create(
        team=team or account.team,
        type=type_,
        object_id=account.pk if type_.startswith("account.") else account.connection_id,
        connection_id=account.connection_id,
        created_at=moment,
        data={"account": named, "connection": {"label": account.connection.label}, **data},
    )


def read(client: Client, address: str = "") -> str:
    return squeeze(client.get(f"/activity/{address}").content.decode())


def test_it_mixes_all_kinds_newest_first(client: Client, connection: Connection) -> None:
    found = lines(client, ALL)
    assert len(found) == 40
    assert [kind for kind, _ in found[:4]] == ["sync", "refresh", "change", "batch"]
    page = client.get(f"/activity/{ALL}").content.decode()
    for text in (
        "sync succeeded",
        "token: refreshed",
        "status: active → suspended",
        "Sync of 2 accounts",
        "2 done",
    ):
        assert text in page
    assert "Amazon &lt;b&gt;refused&lt;/b&gt;" in page


@pytest.mark.parametrize("kind", ["sync", "refresh", "change", "batch"])
def test_it_shows_one_kind(client: Client, connection: Connection, kind: str) -> None:
    assert {found for found, _ in lines(client, f"?kind={kind}")} == {kind}


def test_it_shows_failures_only(client: Client, connection: Connection) -> None:
    assert sorted(kind for kind, _ in lines(client, f"{ALL}&outcome=failed")) == ["batch", "refresh", "sync"]


def test_it_shows_one_connection_and_some_days(client: Client, connection: Connection) -> None:
    found = lines(client, f"{ALL}&connection={connection.pk}")
    assert {kind for kind, _ in found} == {"sync", "refresh", "change"}
    unknown = "01890000-0000-7000-8000-000000000000"
    assert client.get(f"/activity/?connection={unknown}").status_code == 404
    assert lines(client, f"{ALL}&to=2020-01-01") == []
    assert len(lines(client, f"{ALL}&from={(NOW - timedelta(days=1)).date()}")) == 40


def test_pages_neither_lose_nor_repeat_an_entry_even_at_one_moment(
    alice: User, connection: Connection
) -> None:
    for account in connection.accounts.all():
        for number in range(10):
            happen("account.restored", account, moment=NOW - timedelta(minutes=number))
    feed, seen = Feed.of(QueryDict(f"{ALL[1:]}&kind=suspended")), []
    while True:
        page = feed.page(alice, page_size=7, max_read=4)
        seen += [(entry.source, entry.id) for line in page.lines for entry in line.entries]
        if page.next is None:
            break
        feed = feed.go_on(page.next)
    assert (len(seen), len(set(seen))) == (50, 50)


@pytest.mark.parametrize(
    "query",
    ["kind=odd", "after=tampered", "from=never", "to=32", "connection=x", "outcome=odd", "since=visit"],
)
def test_it_ignores_what_it_does_not_know(client: Client, connection: Connection, query: str) -> None:
    assert len(lines(client, f"?{query}")) == 11


def test_it_does_not_show_other_peoples_activity(
    client: Client, bob: User, log_in: LogIn, connection: Connection
) -> None:
    happen("account.suspended", connection.accounts.get())
    assert lines(log_in(bob), f"{ALL}&kind=suspended") == []
    assert "Nothing has happened yet" in read(log_in(bob))
    assert "Garden" not in log_in(bob).get("/activity/export/?format=jsonl").getvalue().decode()


def test_an_old_address_of_the_history_leads_to_the_same(client: Client, connection: Connection) -> None:
    answer = client.get("/history/?kind=sync&outcome=failed")
    assert answer["Location"] == "/activity/?kind=sync&outcome=failed"
    assert client.get("/history/")["Location"] == "/activity/"


@pytest.mark.parametrize(
    ("type_", "data", "text"),
    [
        ("account.suspended", {}, "suspended"),
        ("account.restored", {}, "can advertise again"),
        ("account.appeared", {}, "is new"),
        ("account.not_visible", {}, "is no longer visible"),
        (
            "account.suspension_announced",
            {"changes": {"suspension_at": [None, "2026-12-01T12:00:00+00:00"]}},
            "will be suspended on 1 Dec 2026",
        ),
        ("connection.broken", {}, "refused by Amazon"),
        ("connection.healed", {}, "is connected again"),
        (
            "connection.consent_ending",
            {"consent_ends_at": "2026-12-09T12:00:00+00:00"},
            "must be renewed by 9 Dec 2026",
        ),
    ],
)
def test_it_tells_what_has_changed(
    client: Client, connection: Connection, type_: str, data: dict[str, Any], text: str
) -> None:
    happen(type_, connection.accounts.get(), **data)
    (found,) = [entry for entry in entries(client) if entry.source == "event"]
    is_account = type_.startswith("account.")
    assert found.sentence == f"{'Garden' if is_account else 'Northwind'} {text}"


def test_it_tells_the_old_and_the_new_name(client: Client, connection: Connection) -> None:
    account = connection.accounts.get()
    Account.objects.filter(pk=account.pk).update(name="Garden & <b>Home</b>")
    assert "<b><bdi>Garden &amp; &lt;b&gt;Home&lt;/b&gt;</bdi></b>" in read(client, "?kind=renamed")
    assert [entry.sentence for entry in entries(client, "?kind=renamed")] == [
        "Garden is now called Garden & <b>Home</b>"
    ]


def test_three_of_a_kind_become_one_line(client: Client, connection: Connection) -> None:
    for number in range(25):
        happen("connection.broken", connection.accounts.get(), moment=NOW - timedelta(seconds=number))
    page = read(client)
    assert "<b>25 logins</b>refused by Amazon" in page
    assert "must be" not in page


def test_a_line_of_very_many_is_counted_and_passed_over(alice: User, connection: Connection) -> None:
    account = connection.accounts.get()
    noon = NOW.replace(hour=12) - timedelta(days=3)
    for number in range(30):
        happen("account.appeared", account, moment=noon - timedelta(seconds=number))
    happen("account.restored", account, moment=noon - timedelta(seconds=40))
    feed = Feed.of(QueryDict("kind=found&kind=suspended"))
    first = feed.page(alice, max_read=10)
    assert [line.number for line in first.lines] == ["30 accounts"]
    assert first.next is not None
    second = feed.go_on(first.next).page(alice, max_read=10)
    assert [line.first.fold for line in second.lines] == ["account.restored"]


def test_runs_without_news_are_one_line_a_day(client: Client, connection: Connection) -> None:
    page = read(client)
    assert "9 syncs and 9 token refreshes, nothing new" in page
    assert "sync succeeded" not in page


def test_it_says_what_is_new_since_the_last_visit(
    client: Client, alice: User, connection: Connection
) -> None:
    assert "You were last here" not in read(client)
    ActivityVisit.objects.update(seen_at=NOW - timedelta(minutes=33))
    happen("account.suspended", connection.accounts.get(), moment=NOW - timedelta(minutes=40))
    assert "You were last here" in read(client)
    assert "account.suspended" not in [entry.fold for entry in entries(client, "?since=visit")]
    assert "account.suspended" in [entry.fold for entry in entries(client)]


def test_it_shows_what_people_did(client: Client, alice: User, bob: User, connection: Connection) -> None:
    assert {kind for kind, _ in lines(client, "?by=people")} == {"batch"}
    assert len(lines(client, "?person=alice")) == 10
    assert lines(client, "?person=bob") == []


def test_it_can_be_exported_as_it_is_shown(client: Client, connection: Connection) -> None:
    account = connection.accounts.get()
    Account.objects.filter(pk=account.pk).update(name="=1+1")
    account.refresh_from_db()
    happen("account.suspended", account)
    answer = client.get("/activity/export/?kind=suspended&format=csv&for=excel")
    header, row = answer.getvalue().decode().splitlines()
    assert header == "\ufefftime,kind,id,name,what,details,by"
    assert row.split(",")[1:5] == ["suspended", str(account.pk), "'=1+1", "suspended"]
    lines = client.get("/activity/export/?kind=suspended&format=jsonl").getvalue().decode().splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["=1+1"]
    assert AuditEntry.objects.filter(action="activity.export").count() == 2
    assert client.get("/activity/export/?format=odd").status_code == 404


@pytest.mark.parametrize("address", ["", "?by=people", "?since=visit", ALL])
def test_it_costs_at_most_twelve_queries(
    client: Client,
    connection: Connection,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    address: str,
) -> None:
    with django_assert_max_num_queries(12):
        client.get(f"/activity/{address}")
