"""Addresses of the accounts page: a query string of the page is a query of the API, and old addresses lead on."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Account
from dashboard.lists.account_list import AccountList
from dashboard.lists.display import COOKIES
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection
from tokens.models import Connection

HTMX = {"HX-Request": "true"}


@pytest.fixture
def connection(alice: User, make_connection: MakeConnection) -> Connection:
    return make_connection(alice)


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


@pytest.fixture
def api(alice: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(alice)
    return client


def names(client: Client, query: str) -> list[str]:
    # The list without the frame is quicker.
    page = client.get(f"/accounts/{query}", headers=HTMX)
    return [account.name for account in page.context["accounts"]]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("type=seller&type=vendor", "account_type=seller&account_type=vendor"),
        ("sync=failing", "sync_status=failing"),
        ("q=garden+%26", "search=garden+%26"),
        ("sort=-synced", "ordering=-last_synced_at"),
        ("sort=status", "ordering=status"),
        ("after=abc", "cursor=abc"),
        ("label=team:north", 'labels={"team":"north"}'),
        ("label=team:north&label=tier:1", 'labels={"team":"north","tier":"1"}'),
        ("label=team", "labels=team"),
        ("q=old&search=new", "search=new"),
        ("country=&search=&status=active", "status=active"),
        ("q=a&view=table&utm=x", "search=a&view=table&utm=x"),
    ],
)
def test_an_old_address_leads_to_the_same_list(client: Client, old: str, new: str) -> None:
    response = client.get(f"/accounts/?{old}")
    assert response.status_code == 302
    address = urlsplit(response["Location"])
    assert address.path == "/accounts/"
    assert parse_qs(address.query) == parse_qs(new)
    assert client.get(response["Location"]).status_code == 200


def test_a_list_that_htmx_asks_for_by_an_old_address_is_answered_at_once(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "Garden")
    make_account(connection, "Kitchen")
    response = client.get("/accounts/?q=gard&country=", headers=HTMX)
    assert [account.name for account in response.context["accounts"]] == ["Garden"]
    assert response["HX-Push-Url"] == "/accounts/?search=gard"
    assert "HX-Push-Url" not in client.get("/accounts/?search=gard", headers=HTMX)


@pytest.fixture
def world(
    alice: User, connection: Connection, make_connection: MakeConnection, make_account: MakeAccount
) -> list[Account]:
    failing = make_connection(alice, "failing", sync_failures=2)
    kinds: list[dict[str, Any]] = [
        {"status": "active", "account_type": "seller", "labels": {"team": "north"}},
        {"status": "pending", "account_type": "vendor", "countries": ["DE"]},
        {"status": "suspended", "account_type": "seller", "labels": {"team": "south", "tier": "1"}},
    ]
    return [
        make_account((connection, failing)[number % 2], f"Shop {number:02}", **kinds[number % 3])
        for number in range(30)
    ]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?status=active&status=pending&ordering=-name",
        "?labels=team:south&view=table",
        '?labels={"team":"south","tier":"1"}&search=shop',
        "?country=de&sync_status=failing&page_size=3",
        "?status=bogus&account_type=seller&ordering=colour&cursor=forged",
    ],
)
def test_each_link_of_the_page_is_a_query_of_the_api_for_the_same_accounts(
    client: Client, api: APIClient, world: list[Account], query: str
) -> None:
    page = client.get(f"/accounts/{query}").content.decode()
    links = {unescape(link) for link in re.findall(r'href="(\?[^"]*)"', page)}
    assert len(links) > 20
    for link in links:
        read = AccountList.read(QueryDict(link.removeprefix("?")))
        size = read.page_size
        for cookie in COOKIES.values():
            client.cookies.pop(cookie, None)
        answer = api.get(f"/api/v1/accounts/{link}{'' if 'page_size' in link else f'&page_size={size}'}")
        assert answer.status_code == 200, (link, answer.json())
        # The API does not group.
        shown = read.group_address("") if read.group else link
        assert [row["name"] for row in answer.json()["results"]] == names(client, shown), link


def test_what_all_that_match_means_is_a_query_of_the_api(api: APIClient, world: list[Account]) -> None:
    state = AccountList.read(QueryDict("status=active&labels=team:north&ordering=status&view=table&cursor=x"))
    rows = api.get(f"/api/v1/accounts/?{state.filter_query}").json()["results"]
    assert {row["status"] for row in rows} == {"active"}
    assert len(rows) == len([account for account in world if account.status == "active"])
