"""The API's list of Amazon Ads profiles: of all accounts that the person sees, or of one account."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import Account, Profile
from tests.accounts.conftest import AccountFactory

LIST = "/api/v1/accounts/amazon-profiles/"


def new_profiles(account: Account, *profile_ids: str) -> None:
    Profile.objects.bulk_create(
        Profile(
            account=account,
            profile_id=profile_id,
            region="EU",
            country_code="DE",
            marketplace_id="A1PA6795UKMFR9",
            currency_code="EUR",
            timezone="Europe/Berlin",
            type="seller",
            name="Shop",
            entity_id="A2SELLER",
            access_level="edit",
            daily_budget="999999999.00",
        )
        for profile_id in profile_ids
    )


@pytest.fixture
def shop(alice: User, new_account: AccountFactory) -> Account:
    account = new_account(alice, "Shop")
    new_profiles(account, "18446744073709551615", "2")
    return account


def test_a_profile_is_shown_with_its_account(api: APIClient, shop: Account) -> None:
    body = api.get(LIST).json()
    assert body["next"] is body["previous"] is None
    first, second = body["results"]
    assert {first["profile_id"], second["profile_id"]} == {"18446744073709551615", "2"}
    del first["profile_id"]
    assert first == {
        "account": str(shop.pk),
        "amazon_account_id": shop.amazon_account_id,
        "name": "Shop",
        "region": "EU",
        "country_code": "DE",
        "marketplace_id": "A1PA6795UKMFR9",
        "currency_code": "EUR",
        "timezone": "Europe/Berlin",
        "type": "seller",
        "subtype": "",
        "entity_id": "A2SELLER",
        "access_level": "edit",
        "valid_payment_method": None,
        "daily_budget": "999999999.00",
        "standing": "unknown",
        "suspension_at": None,
        "billing_status": "",
        "billing_message": "",
        "billing_asked_at": None,
        "notices": None,
    }


def test_profiles_are_found_by_standing_with_what_amazon_says(api: APIClient, shop: Account) -> None:
    notice = {
        "name": "PAY_BY_INVOICE_OVERDUE_PAYMENT",
        "severity": "ALERT",
        "impact": "NO_IMPACT",
        "title": "Pay",
        "description": "",
        "due_at": "2036-12-01T00:00:00Z",
        "suspension_at": None,
    }
    Profile.objects.filter(profile_id="2").update(
        standing="at_risk", billing_status="PAYMENT_METHOD_EXPIRED", notices=[notice]
    )
    (found,) = api.get(f"{LIST}?standing=at_risk").json()["results"]
    assert (found["profile_id"], found["billing_status"]) == ("2", "PAYMENT_METHOD_EXPIRED")
    assert found["notices"] == [notice]
    assert api.get(f"{LIST}?standing=well").status_code == 400


def test_the_pages_show_each_profile_once(
    api: APIClient, alice: User, shop: Account, new_account: AccountFactory
) -> None:
    for number in range(5):
        new_profiles(new_account(alice), f"{number}00", f"{number}01", f"{number}02")
    found, address = [], f"{LIST}?page_size=4"
    while address:
        page = api.get(address).json()
        found += [profile["profile_id"] for profile in page["results"]]
        address = page["next"]
    assert len(found) == len(set(found)) == 17


def test_it_shows_those_of_one_account(
    api: APIClient, alice: User, shop: Account, new_account: AccountFactory
) -> None:
    new_profiles(new_account(alice), "3")
    shown = api.get(f"{LIST}?account={shop.pk}").json()["results"]
    assert {profile["profile_id"] for profile in shown} == {"18446744073709551615", "2"}


def test_the_profiles_of_another_person_are_not_found(
    api: APIClient, bob: User, shop: Account, new_account: AccountFactory
) -> None:
    other = new_account(bob)
    new_profiles(other, "3")
    assert len(api.get(LIST).json()["results"]) == 2
    assert api.get(f"{LIST}?account={other.pk}").status_code == 404
    assert api.get(f"{LIST}?account={uuid4()}").status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page_size=201", "page_size"),
        ("page_size=0", "page_size"),
        ("account=5", "account"),
        ("accounts=5", "accounts"),
        ("cursor=tampered", "cursor"),
    ],
)
def test_bad_parameters_are_named(api: APIClient, shop: Account, query: str, field: str) -> None:
    response = api.get(f"{LIST}?{query}")
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == [field]


def test_it_asks_as_much_of_the_database_whatever_the_size(
    api: APIClient,
    alice: User,
    shop: Account,
    new_account: AccountFactory,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(20):
        new_profiles(new_account(alice), f"{number}00", f"{number}01")
    with django_assert_max_num_queries(7):
        assert len(api.get(LIST).json()["results"]) == 42


def test_a_request_that_changes_something_works_without_the_last_slash(api: APIClient, shop: Account) -> None:
    body = {"operation": "update", "account_ids": [str(shop.pk)], "options": {"labels": {"team": "north"}}}
    assert api.post("/api/v1/accounts/batch", body, format="json").status_code == 202
