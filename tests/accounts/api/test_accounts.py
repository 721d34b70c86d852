"""The list of accounts, one account, and what operators say about it."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import Account, AccountManager, Profile
from tests.accounts.conftest import AccountFactory, ClientFactory, ConnectionFactory
from tests.teams import set_role
from tokens.people.roles import Role

LIST = "/api/v1/accounts/"


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["results"]]


def test_it_shows_all_of_an_account(api: APIClient, alice: User, new_account: AccountFactory) -> None:
    manager = new_account(alice, "Agency", account_type="manager", source="manager_accounts")
    account = new_account(
        alice, "Garden", account_type="seller", countries=["DE", "FR"], errors={"DE": [{"errorCode": "X"}]},
        metadata={"adsAccountId": "1"}, labels={"team": "north"}, standing="at_risk",
        suspension_at=datetime(2036, 12, 15, tzinfo=UTC),
    )  # fmt: skip
    AccountManager.objects.create(manager=manager, account=account)
    for number, country in enumerate(["FR", "DE"]):
        Profile.objects.create(
            account=account, profile_id=str(2**63 + number), region="EU", country_code=country,
            marketplace_id="A1PA6795UKMFR9", currency_code="EUR", timezone="Europe/Paris", type="seller",
        )  # fmt: skip
    connection = account.connection
    assert connection.last_synced_at is not None
    assert api.get(f"{LIST}{account.pk}/").json() == {
        "id": str(account.pk),
        "team": {"id": str(account.team_id), "name": account.team.name},
        "amazon_account_id": account.amazon_account_id,
        "name": "Garden",
        "status": "active",
        "inactive_reason": None,
        "amazon_status": "CREATED",
        "standing": "at_risk",
        "suspended_in": [],
        "suspension_at": "2036-12-15T00:00:00.000000Z",
        "account_type": "seller",
        "health": "attention",
        "health_reason": "at_risk",
        "connection": str(connection.pk),
        "connections": [str(connection.pk)],
        "parent": None,
        "managers": [str(manager.pk)],
        "countries": ["DE", "FR"],
        "profiles": [
            {
                "profile_id": str(2**63 + number), "country_code": country, "marketplace_id": "A1PA6795UKMFR9",
                "currency_code": "EUR", "timezone": "Europe/Paris", "type": "seller",
            }
            for country, number in (("DE", 1), ("FR", 0))
        ],
        "errors": {"DE": [{"errorCode": "X"}]},
        "metadata": {"adsAccountId": "1"},
        "labels": {"team": "north"},
        "is_default": False,
        "sync_enabled": True,
        "connected_at": account.connected_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "last_synced_at": connection.last_synced_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "sync_status": "synced",
        "sync_off_reason": None,
        "unread_regions": [],
        "sync_error": "",
    }  # fmt: skip
    assert api.get(LIST).json()["results"][1] == api.get(f"{LIST}{account.pk}/").json()


def test_it_shows_people_their_own(
    api: APIClient, alice: User, bob: User, admin: User, new_account: AccountFactory, client_of: ClientFactory
) -> None:
    new_account(alice, "Hers")
    his = new_account(bob, "His")
    assert names(api.get(LIST)) == ["Hers"]
    assert api.get(f"{LIST}{his.pk}/").status_code == 404
    assert api.get(LIST, {"connection": str(his.connection_id)}).status_code == 404
    assert names(client_of(admin).get(LIST)) == ["Hers", "His"]


def test_it_answers_with_few_queries(
    api: APIClient, alice: User, new_account: AccountFactory, new_connection: ConnectionFactory,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    another = new_account(alice, connection=new_connection(alice))
    for _ in range(30):
        account = new_account(alice, connection=new_connection(alice), labels={"a": "b"}, metadata={"a": "b"})
        Profile.objects.create(account=account, profile_id="1", region="EU")
    cursor = api.get(f"{LIST}?ordering=last_synced_at&page_size=2").json()["next"].split("cursor=")[1]
    everything = (
        f"{LIST}?ordering=last_synced_at&search=account&health=ok&sync_status=synced&page_size=2"
        f"&connection={account.connection_id}&connection={another.connection_id}"
        f"&labels={json.dumps({'a': 'b'})}&metadata={json.dumps({'a': 'b'})}&cursor={cursor}"
    )
    for address in (LIST, f"{LIST}{account.pk}/", f"{LIST}?ordering=-last_synced_at", everything):
        with django_assert_max_num_queries(8):
            assert api.get(address).status_code == 200


class TestChangesByOperators:
    @pytest.fixture
    def account(self, alice: User, new_account: AccountFactory) -> Account:
        return new_account(alice, "Garden", labels={"team": "north", "old": "yes"})

    def patch(self, api: APIClient, account: Account, body: Any, **headers: str) -> Any:
        return api.patch(f"{LIST}{account.pk}/", body, format="json", headers=headers)

    def test_it_sets_and_removes_labels(self, api: APIClient, account: Account) -> None:
        response = self.patch(api, account, {"labels": {"team": "south", "old": None, "new": ""}})
        assert response.json()["labels"] == {"team": "south", "new": ""}

    def test_it_has_one_default_per_person(
        self, api: APIClient, alice: User, bob: User, account: Account, new_account: AccountFactory
    ) -> None:
        another, his = new_account(alice), new_account(bob, is_default=True)
        for chosen in (account, another):
            assert self.patch(api, chosen, {"is_default": True}).json()["is_default"]
        assert set(Account.objects.filter(is_default=True)) == {another, his}

    def test_it_turns_syncs_off(self, api: APIClient, account: Account) -> None:
        assert self.patch(api, account, {"sync_enabled": False}).json()["sync_status"] == "off"

    def test_it_refuses_a_change_of_what_has_changed(self, api: APIClient, account: Account) -> None:
        tag = api.get(f"{LIST}{account.pk}/")["ETag"]
        first = self.patch(api, account, {"labels": {"a": "1"}}, **{"If-Match": tag})
        assert first.status_code == 200
        assert first["ETag"] != tag
        assert self.patch(api, account, {"labels": {"a": "2"}}, **{"If-Match": tag}).status_code == 412
        assert (
            self.patch(api, account, {"labels": {"a": "3"}}, **{"If-Match": "W/" + first["ETag"]}).status_code
            == 200
        )
        assert self.patch(api, account, {}, **{"If-Match": "nonsense"}).status_code == 412

    def test_it_needs_the_permission(self, alice: User, account: Account, client_of: ClientFactory) -> None:
        set_role(alice, Role.VIEWER)
        response = self.patch(client_of(alice), account, {"sync_enabled": False})
        assert response.status_code == 403
        assert "Can change labels and settings of accounts" in response.json()["detail"]

    def test_it_hides_accounts_of_another_person(
        self, account: Account, bob: User, client_of: ClientFactory
    ) -> None:
        assert self.patch(client_of(bob), account, {"sync_enabled": False}).status_code == 404

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ([], ""),
            ({"name": "Mine"}, "name"),
            ({"labels": ["a"]}, "labels"),
            ({"labels": {"a": 1}}, "labels"),
            ({"labels": {"a" * 257: "b"}}, "labels"),
            ({"labels": {"a": "b" * 257}}, "labels"),
            ({"labels": {"": "b"}}, "labels"),
            ({"labels": {" ": "b"}}, "labels"),
            ({"labels": {" team": "b"}}, "labels"),
            ({"labels": {"two\nlines": None}}, "labels"),
            ({"labels": {str(n): "" for n in range(65)}}, "labels"),
            ({"labels": {str(n): "" for n in range(63)}}, "labels"),
            ({"is_default": None}, "is_default"),
            ({"sync_enabled": "yes"}, "sync_enabled"),
        ],
    )
    def test_it_names_the_field_at_fault(
        self, api: APIClient, account: Account, body: Any, field: str
    ) -> None:
        response = self.patch(api, account, body)
        assert response.status_code == 400
        assert [error["field"] for error in response.json()["errors"]] == [field]
        account.refresh_from_db()
        assert account.labels == {"team": "north", "old": "yes"}


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("colour=red", "colour", "status, standing, suspension_before, account_type"),
        ("status=on", "status", "active, suspended, pending, inactive, unknown"),
        ("status=", "status", "empty"),
        ("health=fine", "health", "ok, attention, problem, off"),
        ("sync_status=x", "sync_status", "never, synced, stale, failing, off"),
        ("account_type=x", "account_type", "seller, vendor, agency, manager, advertiser, unknown"),
        ("country=germany", "country", "two letters"),
        ("marketplace=US", "marketplace", "ATVPDKIKX0DER"),
        ("connection=1", "connection", "id of a connection"),
        ("search=a%00b", "search", "NUL"),
        ("search=" + "x" * 201, "search", "200"),
        ("search=a&search=b", "search", "once"),
        ("labels=north", "labels", "a name and a value"),
        ("labels=[1]", "labels", "a name and a value"),
        ('labels={"a":"\\u0000"}', "labels", "NUL"),
        ("metadata=" + '{"a":' * 40 + "1" + "}" * 40, "metadata", "deep"),
        ('metadata={"a":1e999}', "metadata", "JSON"),
        ("ordering=colour", "ordering", "name, -name, last_synced_at"),
        ("ordering=", "ordering", "empty"),
        ("page_size=0", "page_size", "1"),
        ("page_size=501", "page_size", "500"),
        ("page_size=" + "9" * 5000, "page_size", ""),
        ("cursor=abc", "cursor", "first page"),
        ("cursor=a%00b", "cursor", ""),
    ],
)
def test_it_names_the_parameter_at_fault(api: APIClient, query: str, field: str, words: str) -> None:
    response = api.get(f"{LIST}?{query}")
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert error["field"] == field
    assert words in error["detail"]


def test_a_path_works_without_its_last_slash(
    api: APIClient, alice: User, new_account: AccountFactory
) -> None:
    account = new_account(alice)
    assert names(api.get("/api/v1/accounts?status=active")) == ["Account 1"]
    response = api.patch(f"/api/v1/accounts/{account.pk}", {"sync_enabled": False}, format="json")
    assert response.status_code == 200
    assert api.get("/api/v1/accounts", {"page_size": 1}).json()["next"] is None


def test_an_unknown_account_is_not_found(api: APIClient) -> None:
    for id_ in (uuid4(), "1", "nonsense"):
        assert api.get(f"{LIST}{id_}/").status_code == 404


def test_a_changed_name_is_found_by_its_new_words(
    api: APIClient, alice: User, new_account: AccountFactory
) -> None:
    account = new_account(alice, "Old Words")
    Account.objects.filter(pk=account.pk).update(name="New Words", updated_at=timezone.now())
    assert names(api.get(LIST, {"search": "new wo"})) == ["New Words"]
    assert names(api.get(LIST, {"search": "old wo"})) == []
