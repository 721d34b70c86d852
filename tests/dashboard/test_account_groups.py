"""The accounts page in groups: what stands in each line, and where its links lead to."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from accounts.models import AccountAccess
from dashboard.lists.account_list import AccountList
from dashboard.lists.groups import group_accounts
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze
from tests.teams import team_of
from tokens.models import Connection

Lines = dict[str, tuple[str, ...]]


@pytest.fixture
def connection(alice: User, make_connection: MakeConnection) -> Connection:
    return make_connection(alice)


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


def lines(client: Client, query: str) -> Lines:
    groups = client.get(f"/accounts/?{query}").context["account_groups"].groups
    return {group.name: (str(group.count), *(state.text for state in group.states)) for group in groups}


@pytest.mark.parametrize("team_chosen", [False, True])
@pytest.mark.parametrize(
    "query",
    [
        "group=connection",
        "group=team",
        "group=country",
        "group=label:client",
        "group=label:client&labels=tier:1",
        "group=country&country=DE&country=FR&health_reason=none&health_reason=suspended",
    ],
)
def test_each_link_leads_to_as_many_accounts_as_its_line_says(
    administrator: User,
    alice: User,
    bob: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    log_in: LogIn,
    query: str,
    team_chosen: bool,
) -> None:
    one, refused = (
        make_connection(alice, "One"),
        make_connection(alice, "R", state="reauthorization_required"),
    )
    shared = make_account(one, "A", countries=["DE", "FR"], labels={"client": "a", "tier": "1"})
    AccountAccess.objects.create(account=shared, connection=refused)
    make_account(one, "B", status="suspended", countries=["DE", "IT"], labels={"client": "a"})
    make_account(one, "C", status="inactive", countries=[], labels={"client": "", "tier": "1"})
    make_account(refused, "D", countries=["FR"])
    make_account(make_connection(bob, "Theirs"), "E", standing="at_risk", labels={"client": "b", "tier": "1"})
    client = log_in(administrator)
    page = client.get(f"/accounts/?{query}" + (f"&team={team_of(alice).pk}" if team_chosen else ""))
    groups = page.context["account_groups"].groups
    assert groups
    for group in groups:
        for address, text in [
            (group.address, group.count.text),
            *((s.address, s.text) for s in group.states),
        ]:
            if address:
                found = client.get(f"/accounts/{address}").context
                assert f"{found['count'].number}" == text.split()[0], (group.name, text)
                assert "account_groups" not in found


def test_an_account_stands_in_each_of_its_countries_and_the_biggest_group_comes_first(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A", countries=["FR", "UK"])
    make_account(connection, "B", countries=["UK"], status="suspended")
    make_account(connection, "C", countries=[])
    found = lines(client, "group=country")
    assert found == {
        "United Kingdom": ("2 accounts", "1 suspended", "1 OK"),
        "France": ("1 account", "1 OK"),
        "No marketplace": ("1 account", "1 OK"),
    }
    assert next(iter(found)) == "United Kingdom"
    page = client.get("/accounts/?group=country")
    assert (page.context["place_text"], page.context["place_of"]) == ("3 groups,", "3 accounts")
    assert page.context["next"] is None


def test_an_account_stands_in_each_login_that_sees_it(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    one, two = make_connection(alice, "One"), make_connection(alice, "Two")
    AccountAccess.objects.create(account=make_account(one, "A"), connection=two)
    assert lines(client, "group=connection") == {"One": ("1 account", "1 OK"), "Two": ("1 account", "1 OK")}


def test_accounts_without_the_label_are_a_group_without_a_link(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A", labels={"client": "<b>acme"})
    make_account(connection, "B", labels={"client": "<b>acme"})
    make_account(connection, "C", labels={"client": ""})
    make_account(connection, "D", labels={"tier": "1"})
    assert list(lines(client, "group=label:client")) == ["<b>acme", "(empty)", "Without client"]
    page = client.get("/accounts/?group=label:client")
    assert "<b>acme" not in page.content.decode()
    assert [bool(group.address) for group in page.context["account_groups"].groups] == [True, True, False]
    assert "Label tier" in {title for title, *_ in page.context["groupings"]}


def test_the_oldest_sync_is_that_of_the_login_that_waits_longest(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    now = timezone.now()
    old = make_connection(alice, "Old", last_synced_at=now - timedelta(minutes=50))
    make_account(old, "A", countries=["DE"])
    make_account(old, "B", countries=["FR"], sync_enabled=False)
    make_account(make_connection(alice, "New"), "C", countries=["DE", "FR", "IT"])
    off = make_connection(alice, "Off", last_synced_at=now - timedelta(days=3), paused=True)
    make_account(off, "D", countries=["IT", "ES"])
    page = client.get("/accounts/?group=country")
    text = squeeze(page.content.decode())
    ages = {
        group.name: group.oldest_synced_at and round((now - group.oldest_synced_at).total_seconds() / 60)
        for group in page.context["account_groups"].groups
    }
    assert ages == {"Germany": 50, "France": 4, "Italy": 4, "Spain": None}
    assert text.count("oldest sync") == 3


def test_of_many_accounts_some_are_counted_and_of_many_groups_the_biggest_are_shown(
    alice: User, connection: Connection, make_account: MakeAccount
) -> None:
    for country in ("DE", "DE", "FR", "IT"):
        make_account(connection, countries=[country])
    state = AccountList.read(QueryDict("group=country"))
    found = group_accounts(alice, state, max_groups=2)
    assert [group.name for group in found.groups] == ["Germany", "France"]
    assert (found.total, found.more, found.counted) == ("3 groups", "1 more group", None)
    cut = group_accounts(alice, state, cap=3)
    assert cut.counted == 3
    assert all(group.count.or_more for group in cut.groups)
    assert {state.text[1:3] for group in cut.groups for state in group.states} == {"+ "}


@pytest.mark.parametrize(
    "query", ["group=size", "group=label:", "group=label:%20x", f"group=label:{'x' * 257}"]
)
def test_an_unknown_grouping_is_ignored(
    client: Client, connection: Connection, make_account: MakeAccount, query: str
) -> None:
    make_account(connection, "A")
    page = client.get(f"/accounts/?{query}").context
    assert (page["grouped_by"], [account.name for account in page["accounts"]]) == ("", ["A"])


def test_nothing_to_group_says_so_as_the_list_does(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A")
    assert "No account matches" in client.get("/accounts/?group=country&country=FR").content.decode()


def test_nobody_elses_accounts_are_counted(
    client: Client,
    bob: User,
    connection: Connection,
    make_connection: MakeConnection,
    make_account: MakeAccount,
) -> None:
    make_account(connection, "A")
    make_account(make_connection(bob, "Theirs"), "B")
    assert lines(client, "group=connection") == {"Northwind": ("1 account", "1 OK")}
    assert sum(int(number.split()[0]) for number, *_ in lines(client, "group=country").values()) == 1
