"""What all lists of the API share: strict parameters, pages and the envelope."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.batch import start_batch
from accounts.models import Account, BatchItem, BatchOperation, Profile, SyncRun
from tests.accounts.conftest import AccountFactory, ClientFactory, ConnectionFactory
from tokens.models import Connection, TokenRefresh

ROOT = "/api/v1/"
ROWS = 5

Address = Callable[[str], str]


@pytest.fixture
def address(alice: User, new_account: AccountFactory, new_connection: ConnectionFactory) -> Address:
    """Make five rows for each list of the API. Return the address of the list that a word names."""
    accounts = [new_account(alice, f"Account {number}") for number in range(ROWS)]
    connection = accounts[0].connection
    for _ in range(ROWS - 1):
        new_connection(alice)
    Profile.objects.bulk_create(
        Profile(account=account, profile_id=str(number), region="EU", access_level="edit")
        for number, account in enumerate(accounts)
    )
    now = timezone.now()
    for number in range(ROWS):
        moment = now - timedelta(minutes=number)
        TokenRefresh.objects.create(
            connection=connection,
            grant_version=1,
            trigger="manual",
            outcome="succeeded",
            started_at=moment,
            finished_at=moment,
        )
        SyncRun.objects.create(
            connection=connection,
            trigger="manual",
            state="succeeded",
            created_at=moment,
            started_at=moment,
            finished_at=moment,
        )
        Account.objects.filter(pk=accounts[0].pk).update(name=f"Name {number}")
    batch = start_batch(alice, "sync", filters={})
    addresses = {
        "accounts": "accounts/",
        "profiles": "accounts/amazon-profiles/",
        "changes": "accounts/changes/",
        "changes of an account": f"accounts/{accounts[0].pk}/changes/",
        "sync runs": f"accounts/sync-runs/?connection={connection.pk}&state=succeeded",
        "connections": "connections/",
        "refreshes": f"connections/{connection.pk}/refreshes/",
        "items": f"accounts/batch/{batch.pk}/items/",
    }
    return lambda name: ROOT + addresses[name]


LISTS = [
    "accounts",
    "profiles",
    "changes",
    "changes of an account",
    "sync runs",
    "connections",
    "refreshes",
    "items",
]
every_list = pytest.mark.parametrize("name", LISTS)


def extend(address: str, query: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{query}"


def errors_of(response: Any) -> dict[str, str]:
    assert response.status_code == 400, response.content
    return {error["field"]: error["detail"] for error in response.json()["errors"]}


@every_list
def test_pages_show_each_row_once_in_both_directions(api: APIClient, address: Address, name: str) -> None:
    whole = api.get(address(name)).json()
    assert len(whole["results"]) == ROWS
    assert whole["next"] is whole["previous"] is None
    pages = [api.get(extend(address(name), "page_size=2")).json()]
    while pages[-1]["next"]:
        pages.append(api.get(pages[-1]["next"]).json())
    assert [len(page["results"]) for page in pages] == [2, 2, 1]
    assert [row for page in pages for row in page["results"]] == whole["results"]
    back = api.get(pages[-1]["previous"]).json()
    assert back["results"] == pages[1]["results"]
    first = api.get(back["previous"]).json()
    assert (first["results"], first["previous"]) == (pages[0]["results"], None)


@every_list
def test_a_link_keeps_the_other_parameters(api: APIClient, address: Address, name: str) -> None:
    link = api.get(extend(address(name), "page_size=2")).json()["next"]
    assert link.startswith(f"{settings.PUBLIC_URL}{address(name).partition('?')[0]}?")
    assert "page_size=2" in link
    assert link.count("cursor=") == api.get(link).json()["next"].count("cursor=") == 1


def test_no_header_changes_where_links_lead(api: APIClient, address: Address, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.NUM_PROXIES = 1
    settings.PUBLIC_URL = "https://ads.example.com"
    forged: dict[str, Any] = {
        "HTTP_HOST": "evil.example",
        "HTTP_X_FORWARDED_HOST": "evil.example",
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_X_FORWARDED_PORT": "8080",
        "HTTP_FORWARDED": "host=evil.example;proto=http",
    }
    for name in LISTS:
        first = api.get(extend(address(name), "page_size=2"), **forged).json()
        second = api.get(first["next"], **forged).json()
        for link in (first["next"], second["next"], second["previous"]):
            assert link.startswith(f"https://ads.example.com{address(name).partition('?')[0]}?"), link
    accounts = [row["id"] for row in api.get(address("accounts")).json()["results"]]
    body = {"operation": "sync", "account_ids": accounts}
    started = api.post(f"{ROOT}accounts/batch/", body, format="json", **forged)
    assert started["Location"].startswith("https://ads.example.com/api/v1/accounts/batch/")


@every_list
def test_a_list_works_without_its_last_slash(api: APIClient, address: Address, name: str) -> None:
    path, _, query = address(name).partition("?")
    response = api.get(f"{path[:-1]}?{query}&page_size=2" if query else f"{path[:-1]}?page_size=2")
    assert len(response.json()["results"]) == 2
    assert f"{path}?" in response.json()["next"]


@every_list
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("colour=red", "colour"),
        ("page_size=", "page_size"),
        ("page_size=0", "page_size"),
        ("page_size=-1", "page_size"),
        ("page_size=501", "page_size"),
        ("page_size=ten", "page_size"),
        ("page_size=1.5", "page_size"),
        ("page_size=2&page_size=2", "page_size"),
        ("cursor=", "cursor"),
        ("cursor=nonsense", "cursor"),
        ("cursor=a:b:c", "cursor"),
        ("cursor=%00", "cursor"),
        (f"cursor={'a' * 5_000}", "cursor"),
    ],
)
def test_a_wrong_parameter_is_named(
    api: APIClient, address: Address, name: str, query: str, field: str
) -> None:
    assert list(errors_of(api.get(extend(address(name), query)))) == [field]


@every_list
def test_a_cursor_of_another_list_is_refused(api: APIClient, address: Address, name: str) -> None:
    other = "connections" if name != "connections" else "profiles"
    link = api.get(extend(address(other), "page_size=2")).json()["next"]
    cursor = link.partition("cursor=")[2].partition("&")[0]
    assert list(errors_of(api.get(extend(address(name), f"cursor={cursor}")))) == ["cursor"]


@every_list
def test_a_person_without_connections_sees_no_rows(
    bob: User, address: Address, client_of: ClientFactory, name: str
) -> None:
    response = client_of(bob).get(address(name))
    assert response.status_code == 404 or response.json() == {"results": [], "next": None, "previous": None}


@every_list
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_list_is_only_read(api: APIClient, address: Address, name: str, method: str) -> None:
    response = getattr(api, method)(address(name))
    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("name", "query", "words"),
    [
        ("accounts", "status=open", Account.Status.values),
        ("accounts", "account_type=shop", Account.Type.values),
        ("accounts", "health=fine", Account.Health.values),
        ("accounts", "sync_status=good", Account.SyncStatus.values),
        ("changes", "kind=colour", ["name", "status"]),
        ("connections", "state=open", Connection.State.values),
        ("refreshes", "outcome=good", TokenRefresh.Outcome.values),
        ("items", "state=open", BatchItem.State.values),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_words(
    api: APIClient, address: Address, name: str, query: str, words: list[str]
) -> None:
    field, _, value = query.partition("=")
    error = errors_of(api.get(extend(address(name), query)))[field]
    assert f"“{value}” is not one of: " in error
    assert all(word in error for word in words)


@pytest.mark.parametrize(
    ("name", "query", "field"),
    [
        ("profiles", "account=1", "account"),
        ("profiles", "page_size=201", "page_size"),
        ("changes", "since=yesterday", "since"),
        ("changes", "since=2026-13-01T00:00:00Z", "since"),
        ("accounts", "ordering=colour", "ordering"),
        ("accounts", "connection=1", "connection"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(
    api: APIClient, address: Address, name: str, query: str, field: str
) -> None:
    assert list(errors_of(api.get(extend(address(name), query)))) == [field]


@pytest.mark.parametrize(("name", "field"), [("profiles", "account"), ("accounts", "connection")])
def test_a_filter_by_an_unknown_id_is_not_found(
    api: APIClient, address: Address, name: str, field: str
) -> None:
    assert api.get(address(name), {field: str(uuid4())}).status_code == 404


@pytest.mark.parametrize("query", ["?a=1", "?page_size=2", "?format=json"])
def test_an_object_takes_no_parameters(
    api: APIClient, alice: User, new_account: AccountFactory, query: str
) -> None:
    account = new_account(alice)
    batch = start_batch(alice, "sync", filters={})
    for address in (
        f"accounts/{account.pk}/",
        f"connections/{account.connection_id}/",
        f"accounts/batch/{batch.pk}/",
        "accounts/health/",
    ):
        [error] = errors_of(api.get(f"{ROOT}{address}{query}")).values()
        assert error == "There is no such parameter. It takes none."


def test_changes_are_filtered_by_kind(api: APIClient, address: Address) -> None:
    changes = api.get(extend(address("changes"), "kind=name")).json()["results"]
    assert {change["kind"] for change in changes} == {"name"}
    assert api.get(extend(address("changes"), "kind=status")).json()["results"] == []


def test_syncs_are_listed_newest_first(api: APIClient, address: Address) -> None:
    moments = [row["created_at"] for row in api.get(address("sync runs")).json()["results"]]
    assert moments == sorted(moments, reverse=True)


def test_refreshes_are_listed_newest_first(api: APIClient, address: Address) -> None:
    moments = [row["started_at"] for row in api.get(address("refreshes")).json()["results"]]
    assert moments == sorted(moments, reverse=True)


def test_connections_of_the_same_label_are_all_listed(
    api: APIClient, alice: User, new_connection: ConnectionFactory
) -> None:
    ids = {str(new_connection(alice, label="Same").pk) for _ in range(ROWS)}
    seen, link = set(), f"{ROOT}connections/?page_size=1"
    while link:
        page = api.get(link).json()
        seen |= {row["id"] for row in page["results"]}
        link = page["next"]
    assert seen == ids


def test_items_of_another_batch_are_not_listed(
    api: APIClient, alice: User, new_account: AccountFactory
) -> None:
    accounts = [new_account(alice) for _ in range(2)]
    batches = [start_batch(alice, "sync", account_ids=[str(account.pk)]) for account in accounts]
    for batch, account in zip(batches, accounts, strict=True):
        rows = api.get(f"{ROOT}accounts/batch/{batch.pk}/items/").json()["results"]
        assert [row["account"] for row in rows] == [str(account.pk)]
    assert BatchOperation.objects.count() == 2
