"""The accounts page: its address is its state."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account, AccountAccess, AccountChange, AccountManager, Note, SyncRun
from dashboard.lists.account_chips import count_groups
from dashboard.lists.account_list import AccountList
from dashboard.lists.display import COOKIES, DEFAULT_PAGE_SIZE
from dashboard.lists.values import count_values
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze, staff
from tokens.models import Connection


@pytest.fixture
def connection(alice: User, make_connection: MakeConnection) -> Connection:
    return make_connection(alice)


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


def names(client: Client, address: str) -> list[str]:
    return [account.name for account in client.get(f"/accounts/{address}").context["accounts"]]


def read(address: str) -> AccountList:
    return AccountList.read(QueryDict(address))


def test_it_shows_name_state_type_marketplaces_and_sync(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "Garden", countries=["DE", "FR"], labels={"team": "north"})
    page = client.get("/accounts/").content.decode()
    for text in ("Garden", "Seller", "DE FR", "4 min ago", "OK", "Northwind", 'title="team: north"'):
        assert text in page


def test_labels_stand_in_the_order_of_their_keys(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    # PostgreSQL keeps the shortest key first.
    make_account(connection, "Garden", labels={"by": "hand", "about": "toys", "team": "north"})
    page = client.get("/accounts/").content.decode()
    places = [page.index(f'title="{label}"') for label in ("about: toys", "by: hand", "team: north")]
    assert places == sorted(places)


@pytest.mark.parametrize("view", ["cards", "table"])
def test_it_shows_hostile_names_harmlessly(
    client: Client, connection: Connection, make_account: MakeAccount, view: str
) -> None:
    hostile = "<script>alert(1)</script>\"'{{ 7|add:7 }}\u202e" + "x" * 180
    make_account(connection, hostile, labels={"<b>": '"><img src=x>'})
    page = client.get(f"/accounts/?view={view}").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7|add:7 }}" in page
    assert "<img src=x" not in page


def test_several_choices_of_a_group_mean_any_and_of_two_groups_both(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A", status="active", account_type="seller")
    make_account(connection, "B", status="pending", account_type="seller")
    make_account(connection, "C", status="pending", account_type="vendor")
    make_account(connection, "D", status="suspended", account_type="seller")
    assert names(client, "?status=active&status=pending") == ["A", "B", "C"]
    assert names(client, "?status=active&status=pending&account_type=seller") == ["A", "B"]


@pytest.mark.parametrize(
    "query",
    [
        "foo=bar",
        "ordering=amazon_account_id",
        "view=3d",
        "cursor=tampered",
        "page_size=0",
    ],
)
def test_it_ignores_what_it_does_not_know(
    client: Client, connection: Connection, make_account: MakeAccount, query: str
) -> None:
    make_account(connection, "A")
    assert names(client, f"?{query}") == ["A"]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("status=bogus", "status: “bogus” is not one of: active, "),
        ("labels=team", "The label “team” needs a name and a value"),
        ("labels=:north", "The label “:north” needs a name and a value"),
        (f"search={'x' * 201}", "at most 200 characters"),
        ("country=Germany", "country: “GERMANY” is not a country code"),
        ("connection=1", "connection: “1” is not the id of a connection."),
    ],
)
def test_it_says_which_filter_it_could_not_use(
    client: Client, connection: Connection, make_account: MakeAccount, query: str, error: str
) -> None:
    make_account(connection, "A")
    response = client.get(f"/accounts/?{query}")
    page = response.content.decode()
    assert error in page
    assert "The list is not filtered by this." in page
    assert len(response.context["accounts"]) == 1
    assert "Clear filters" in page


def test_it_says_whether_any_that_match_is_inactive(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A", countries=["DE"])
    assert "data-inactive" not in client.get("/accounts/").content.decode()
    make_account(connection, "B", status="inactive", countries=["US"])
    for query, is_any in (
        ("", True),
        ("status=inactive", True),
        ("status=active", False),
        ("country=DE", False),
        ("status=inactive&country=DE", False),
    ):
        assert ("data-inactive" in client.get(f"/accounts/?{query}").content.decode()) is is_any, query


def test_a_search_keeps_what_was_typed_though_it_cannot_be_used(client: Client) -> None:
    assert f'value="{"x" * 201}"' in client.get(f"/accounts/?search={'x' * 201}").content.decode()


def test_a_connection_that_is_not_there_is_not_found(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A")
    unknown = "01890000-0000-7000-8000-000000000000"
    assert client.get(f"/accounts/?connection={unknown}").status_code == 404
    assert names(client, f"?connection={connection.pk}") == ["A"]


def test_it_finds_by_name_and_by_id(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "Garden Süd", amazon_account_id="amzn1.ads-account.g.needle")
    make_account(connection, "Kitchen")
    assert names(client, "?search=den S") == ["Garden Süd"]
    assert names(client, "?search=needle") == ["Garden Süd"]


def test_it_filters_by_country_marketplace_and_label(
    client: Client, connection: Connection, make_account: MakeAccount, make_profile: Any
) -> None:
    german = make_account(connection, "A", countries=["DE"], labels={"team": "north"})
    make_account(connection, "B", countries=["US"])
    make_profile(german, "DE", "1", marketplace_id="A1PA6795UKMFR9")
    assert names(client, "?country=de") == ["A"]
    assert names(client, "?marketplace=A1PA6795UKMFR9") == ["A"]
    assert names(client, "?labels=team:north") == ["A"]
    assert names(client, "?labels=team:south") == []


@pytest.mark.parametrize("view", ["cards", "table"])
def test_it_says_in_words_where_and_when_amazon_stops_an_account(
    client: Client, connection: Connection, make_account: MakeAccount, view: str
) -> None:
    soon = timezone.now() + timedelta(days=3, hours=1)
    make_account(connection, "A", status="suspended", standing="suspended", suspended_in=["UK"])
    make_account(connection, "B", standing="at_risk", suspension_at=soon)
    make_account(connection, "C", status="pending", standing="set_up")
    page = client.get(f"/accounts/?view={view}").content.decode()
    assert re.search(
        r'<span class="c-word c-bad"><svg.*?</svg>Suspended</span> <span class="c-why">in UK<', page
    )
    title = f"Amazon announces it for {soon:%-d %b %Y, %H:%M} UTC"
    assert re.search(
        rf'title="{title}"><span class="c-word c-attention"><svg.*?</svg>At risk</span>',
        page,
    )
    assert re.search(
        r"</svg>Set-up missing</span> <span class=\"c-why\">billing, payment or tax details<", page
    )
    assert names(client, "?health_reason=suspended&health_reason=set_up") == ["A", "C"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["A", "B", "C"]),
        ("-name", ["C", "B", "A"]),
        ("status", ["B", "A", "C"]),
        ("-last_synced_at", ["A", "B", "C"]),
    ],
)
def test_it_sorts(
    client: Client,
    alice: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    sort: str,
    expected: list[str],
) -> None:
    fresh = make_connection(alice, "fresh")
    never = make_connection(alice, "never", last_synced_at=None)
    make_account(fresh, "A", status="pending")
    make_account(fresh, "B", status="active")
    make_account(never, "C", status="suspended")
    found = names(client, f"?ordering={sort}")
    if sort == "-last_synced_at":
        assert found[-1] == "C"
    else:
        assert found == expected


def test_it_walks_pages_by_key_forwards_and_back(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    for number in range(28):
        make_account(connection, f"{number:03}")
    first = client.get("/accounts/?page_size=25")
    assert first.context["previous"] is None
    assert "<b class=c-number>1–25</b>" in squeeze(first.content.decode()).replace('"', "")
    second = client.get(f"/accounts/{first.context['next']}")
    assert [account.name for account in second.context["accounts"]] == ["025", "026", "027"]
    assert (second.context["place_text"], second.context["place_of"]) == ("26–28", "of 28")
    assert second.context["next"] is None
    back = client.get(f"/accounts/{second.context['previous']}")
    assert [account.name for account in back.context["accounts"]] == [f"{number:03}" for number in range(25)]
    assert back.context["place_text"] == "1–25"


def test_a_page_without_a_known_place_says_how_many_rows_it_shows(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    for number in range(3):
        make_account(connection, str(number))
    address = client.get("/accounts/?page_size=2").context["next"]
    for forged in ("", "&from=x", "&from=-1", "&from=" + "9" * 30):
        page = client.get(f"/accounts/{address.replace('&from=3', forged)}")
        assert (page.context["place_text"], page.context["place_of"]) == ("1", "of 3")


def test_any_change_but_paging_starts_at_the_first_page() -> None:
    state = read("status=active&cursor=cursor&ordering=-name")
    assert "cursor=other" in state.page_address("other")
    assert "cursor=cursor" in state.view_address("table")
    assert "cursor" not in state.toggle_address("account_type", "seller")
    assert "cursor" not in state.sort_address("name")


def test_a_groups_counts_ignore_its_own_choice_and_obey_the_others(
    alice: User, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A", status="active", account_type="seller")
    make_account(connection, "B", status="pending", account_type="seller")
    make_account(connection, "C", status="pending", account_type="vendor")
    found, count = count_groups(alice, read("status=active"))
    _state, status, _billing, account_type, *_ = (
        {chip.state.word: chip.number for chip in group.chips} for group in found
    )
    assert status == {"Active": 1, "Set-up missing": 2, "Suspended": 0, "Inactive": 0, "Not known": 0}
    assert (account_type["Seller"], account_type["Vendor"]) == (1, 0)
    assert (count.number, count.capped) == (1, False)


def test_every_count_is_what_its_link_leads_to(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    for state in ({}, {"sync_failures": 2}, {"last_synced_at": None}, {"state": "reauthorization_required"}):
        connection = make_connection(alice, str(state), **state)
        for status in Account.Status.values:
            make_account(connection, f"{state} {status}", status=status)
        for reason in Account.InactiveReason.values:
            make_account(connection, f"{state} {reason}", status="inactive", inactive_reason=reason)
        make_account(connection, f"{state} at risk", standing="at_risk")
        make_account(connection, f"{state} not told", standing="unknown")
        make_account(connection, f"{state} manager", standing="unknown", source="manager_accounts")
        make_account(connection, f"{state} off", sync_enabled=False)
    for group in count_groups(alice, read("account_type=seller"))[0]:
        for chip in group.chips:
            if group.title != "Type":
                assert client.get(f"/accounts/{chip.address}").context["count"].number == chip.number, chip


def test_above_the_cap_chips_have_no_numbers_and_the_count_says_so(
    alice: User, connection: Connection, make_account: MakeAccount
) -> None:
    for number in range(4):
        make_account(connection, str(number))
    found, _ = count_groups(alice, read(""), cap=2)
    assert {chip.number for group in found for chip in group.chips} == {None}
    values = count_values(Account.objects.visible_to(alice), "country", cap=2)
    assert (values.is_cut, list(values.numbers)) == (True, ["DE"])


def test_it_shows_nobody_elses_accounts(
    client: Client,
    bob: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    log_in: LogIn,
    administrator: User,
) -> None:
    theirs = make_account(make_connection(bob), "Bob's")
    assert names(client, "") == []
    assert client.get(f"/accounts/{theirs.pk}/").status_code == 404
    assert client.get(f"/accounts/?connection={theirs.connection_id}").status_code == 404
    assert names(log_in(administrator), "") == ["Bob's"]


def test_three_kinds_of_nothing_have_three_texts(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount, log_in: LogIn
) -> None:
    assert (
        "Connect an Amazon login, and its accounts appear here" in client.get("/accounts/").content.decode()
    )
    assert (
        "You may look here, but not connect"
        in log_in(staff("vera", "Viewer")).get("/accounts/").content.decode()
    )
    connection = make_connection(alice)
    assert "No account yet" in client.get("/accounts/").content.decode()
    make_account(connection, "A")
    assert "No account matches" in client.get("/accounts/?search=zzz").content.decode()


def test_what_is_shown_of_the_rows_is_remembered_and_can_be_bookmarked(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A")
    assert "<table" in client.get("/accounts/").content.decode()
    assert "<table" not in client.get("/accounts/?view=cards").content.decode()
    assert "<table" not in client.get("/accounts/").content.decode()
    assert "<table" in client.get("/accounts/?view=table").content.decode()
    client.get("/accounts/?columns=type.id&page_size=100")
    page = client.get("/accounts/")
    assert page.context["columns"] == ["type", "id"]
    assert page.context["state"].page_size == 100
    assert client.get("/accounts/?columns=none").context["columns"] == []
    client.cookies["accounts-columns"] = "odd.<b>"
    client.cookies["accounts-page-size"] = "100000"
    page = client.get("/accounts/")
    assert (page.context["columns"], page.context["state"].page_size) == ([], DEFAULT_PAGE_SIZE)


def test_each_choice_of_the_display_leads_to_what_it_says(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A", labels={"team": "north"})
    make_account(connection, "A", labels={"team": "north"})
    for group in client.get("/accounts/?status=active").context["display_groups"]:
        for choice in group.choices:
            for cookie in COOKIES.values():
                client.cookies.pop(cookie, None)
            page = client.get(f"/accounts/{choice.address}")
            changed = next(each for each in page.context["display_groups"] if each.name == group.name)
            was = {each.title.strip("↑↓ "): each.current for each in group.choices}
            now = {each.title.strip("↑↓ "): each.current for each in changed.choices}
            title = choice.title.strip("↑↓ ")
            assert now[title] is (not was[title] if group.name == "columns" else True), choice
            assert "status=active" in choice.address


def test_a_search_by_htmx_gets_the_list_and_the_filters_it_must_keep(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A")
    page = client.get("/accounts/?status=active&search=a", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in page
    assert '<div id="list"' in page
    keep = re.search(r'<span id="keep" hx-swap-oob="true">(.*?)</span>', page, re.DOTALL)
    assert keep
    assert 'name="status" value="active"' in keep[1]
    assert 'name="search"' not in keep[1]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?status=active&sync_status=synced&health=ok&account_type=seller&search=acc",
        "?ordering=-last_synced_at&view=table",
        "?status=active&filter=country",
        "?connection_labels=a:b&country=DE&search=acc&sync_status=synced&filter=labels",
        "?search=acc&filter=connection",
        "?search=acc&sync_status=synced&filter=labels&group=connection",
        "?group=label:client",
    ],
)
def test_it_costs_at_most_twelve_queries_whatever_the_size(
    client: Client,
    connection: Connection,
    make_account: MakeAccount,
    query: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(DEFAULT_PAGE_SIZE + 1):
        make_account(connection, f"Account {number}")
    with django_assert_max_num_queries(12):
        response = client.get(f"/accounts/{query}")
    assert len(response.content) < 200_000


def test_one_account_shows_profiles_reports_and_raw_data(
    client: Client, connection: Connection, make_account: MakeAccount, make_profile: Any
) -> None:
    account = make_account(
        connection,
        "Garden",
        status="pending",
        errors={"DE": [{"errorId": 1, "errorCode": "TAX", "errorMessage": "Needs a valid VAT number <b>"}]},
        metadata={"alternateIds": ["<script>"]},
    )
    make_profile(account, "DE", "18446744073709551615", currency_code="EUR", timezone="Europe/Berlin")
    page = client.get(f"/accounts/{account.pk}/").content.decode()
    for text in (
        "Garden",
        "18446744073709551615",
        "EUR",
        "Europe/Berlin",
        "Needs a valid VAT number &lt;b&gt;",
    ):
        assert text in page
    assert "<script>&quot;" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "errors", [["text"], {"DE": "text"}, {"DE": [None, 5, {"odd": {}}]}, "text", {"": []}]
)
def test_errors_of_an_unexpected_shape_are_shown(
    client: Client, connection: Connection, make_account: MakeAccount, errors: Any
) -> None:
    account = make_account(connection, "A", errors=errors)
    assert client.get(f"/accounts/{account.pk}/").status_code == 200


@pytest.mark.parametrize("view", ["table", "cards"])
def test_a_row_offers_what_can_be_done_with_its_account(
    client: Client, connection: Connection, make_account: MakeAccount, view: str
) -> None:
    make_account(connection, "on")
    page = squeeze(client.get(f"/accounts/?view={view}").content.decode())
    assert [
        form for form in ("sync", "update", "disconnect", "reconnect") if f'form="quick-{form}"' in page
    ] == [
        "sync",
        "update",
        "disconnect",
    ]
    Account.objects.update(sync_enabled=False)
    assert 'form="quick-sync"' not in client.get(f"/accounts/?view={view}").content.decode()


def test_a_disconnected_account_is_reconnected_in_its_row(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "on")
    Account.objects.update(status="inactive", inactive_reason="disconnected", disconnected_at=timezone.now())
    page = client.get("/accounts/").content.decode()
    assert 'form="quick-reconnect"' in page
    assert 'form="quick-disconnect"' not in page


def test_a_viewer_is_offered_nothing_in_a_row(
    log_in: LogIn, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    vera = staff("vera", "Viewer")
    make_account(make_connection(vera), "A")
    assert 'class="c-quick"' not in log_in(vera).get("/accounts/").content.decode()


def test_an_agency_costs_at_most_twelve_queries(
    client: Client,
    alice: User,
    connection: Connection,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    make_profile: Any,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    agency = make_account(connection, "Agency", account_type="agency")
    AccountAccess.objects.create(account=agency, connection=make_connection(alice, "Second"))
    Note.objects.create(account=agency, author=alice, text="Ask them on Monday.")
    for number in range(5):
        make_profile(agency, "DE", str(number), type="agency")
        make_account(connection, f"Advertiser {number}", account_type="advertiser", parent=agency)
        AccountManager.objects.create(manager=make_account(connection, f"M{number}"), account=agency)
        AccountChange.objects.create(account=agency, kind="name", old="A", new="B", changed_by=alice)
    SyncRun.objects.create(connection=connection, trigger="manual", requested_by=alice)
    with django_assert_max_num_queries(12):
        page = client.get(f"/accounts/{agency.pk}/").content.decode()
    assert "Advertiser 4" in page
    assert "also seen by other logins" in page


def test_one_account_costs_at_most_twelve_queries(
    client: Client,
    connection: Connection,
    make_account: MakeAccount,
    make_profile: Any,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    account = make_account(connection, "A")
    for number in range(20):
        make_profile(account, "DE", str(number))
        AccountManager.objects.create(manager=make_account(connection, f"M{number}"), account=account)
    with django_assert_max_num_queries(12):
        client.get(f"/accounts/{account.pk}/")


def test_one_account_shows_what_stands_above_and_below_it(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    agency = make_account(connection, "The agency", account_type="agency")
    account = make_account(connection, "Garden", parent=agency)
    AccountManager.objects.create(manager=make_account(connection, "The manager"), account=account)
    page = client.get(f"/accounts/{account.pk}/").content.decode()
    assert "The agency" in page
    assert "The manager" in page
    assert "Garden" in client.get(f"/accounts/{agency.pk}/").content.decode()
