"""The filters of the accounts page: what is chosen, and the choices of each."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze
from tests.dashboard.test_account_list import names
from tokens.models import Connection


@pytest.fixture
def connection(alice: User, make_connection: MakeConnection) -> Connection:
    return make_connection(alice)


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


def test_it_filters_by_the_day_of_an_announced_suspension(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A", standing="at_risk", suspension_at=datetime(2036, 12, 15, tzinfo=UTC))
    make_account(connection, "B", standing="at_risk", suspension_at=datetime(2036, 12, 16, tzinfo=UTC))
    assert names(client, "?suspension_before=2036-12-16") == ["A"]
    page = client.get("/accounts/?suspension_before=2036-12-16&status=active&filter=suspension_before")
    fields = squeeze(page.content.decode())
    assert 'type="date" name="suspension_before" value="2036-12-16"' in fields
    assert '<input type="hidden" name="status" value="active">' in fields


def chosen(client: Client, address: str) -> dict[str, str]:
    return {each.title: each.text for each in client.get(f"/accounts/{address}").context["chosen"]}


def choices(client: Client, address: str) -> dict[str, Any]:
    return {each.text: each for each in client.get(f"/accounts/{address}").context["opened"].choices}


def test_what_is_chosen_stands_in_words_and_each_can_be_removed(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A", labels={"team": "north"})
    query = (
        f"?country=gb&country=DE&connection={connection.pk}&labels=team:north&health_reason=none"
        "&marketplace=A1PA6795UKMFR9&status=active&status=suspended"
    )
    assert chosen(client, query) == {
        "State": "OK",
        "Marketplace": "United Kingdom, Germany",
        "Profile in": "Germany",
        "Label": "team: north",
        "Connection": "Northwind",
        "Status at Amazon": "Active, Suspended",
    }
    for each in client.get("/accounts/?country=DE&status=active&ordering=-name").context["chosen"]:
        rest = client.get(f"/accounts/{each.removed}")
        assert each.title not in {other.title for other in rest.context["chosen"]}
        assert len(rest.context["chosen"]) == 1
        assert rest.context["state"].ordering == "-name"


def test_choices_have_names_and_the_number_that_each_leads_to(
    client: Client, alice: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    one, two = make_connection(alice, "<b>One</b>"), make_connection(alice, "Two")
    make_account(one, "A", countries=["DE", "UK"], labels={"client": "a", "tier": "1"})
    make_account(one, "B", countries=["DE"], labels={"client": "b"})
    make_account(two, "C", countries=["ZZ"], status="pending")
    found = choices(client, "?filter=country&country=UK")
    assert {name: found[name].number for name in ("Germany", "United Kingdom", "ZZ", "Japan")} == {
        "Germany": 2, "United Kingdom": 1, "ZZ": 1, "Japan": 0,
    }  # fmt: skip
    assert found["United Kingdom"].current
    assert [each.code for each in list(found.values())[:2]] == ["DE", "UK"]
    assert {text: each.number for text, each in choices(client, "?filter=connection").items()} == {
        "<b>One</b>": 2,
        "Two": 1,
    }
    labels = choices(client, "?filter=labels&status=active")
    assert {text: each.number for text, each in labels.items()} == {
        "client:a": 1, "client:b": 1, "tier:1": 1, "without client": 0, "without tier": 1,
    }  # fmt: skip
    for name in ("country", "connection", "labels", "status"):
        for choice in choices(client, f"?filter={name}").values():
            page = client.get(f"/accounts/{choice.address}")
            assert page.context["count"].number == choice.number, choice
            assert page.context["opened"].name == name


def test_a_label_is_added_to_those_chosen_and_taken_away_again(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A", labels={"client": "a", "tier": "1"})
    make_account(connection, "B", labels={"client": "a", "tier": "2"})
    both = choices(client, "?labels=client:a&filter=labels")["tier:1"].address
    assert names(client, both) == ["A"]
    assert names(client, choices(client, both)["client:a"].address) == ["A"]
    assert names(client, choices(client, both)["tier:1"].address) == ["A", "B"]
    either = choices(client, both)["tier:2"].address
    assert names(client, either) == ["A", "B"]
    assert chosen(client, either) == {"Label": "client: a, tier: 1 or 2"}
    assert names(client, choices(client, either)["tier:1"].address) == ["B"]
    gone = choices(client, "?labels=client:gone&filter=labels")["client:gone"]
    assert (gone.current, gone.number) == (True, 0)


def test_accounts_without_a_label_are_found(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    make_account(connection, "A", labels={"client": "a", "tier": "1"})
    make_account(connection, "B", labels={"a:b": "c"})
    make_account(connection, "Unlabelled")
    found = choices(client, "?filter=labels")
    assert list(found)[-3:] == ["without a:b", "without client", "without tier"]
    without = found["without client"].address
    assert names(client, without) == ["B", "Unlabelled"]
    assert chosen(client, without) == {"Label": "without client"}
    assert choices(client, without)["without client"].current
    either = choices(client, without)["client:a"].address
    assert names(client, either) == ["A", "B", "Unlabelled"]
    assert chosen(client, either) == {"Label": "client: a or none"}
    assert names(client, choices(client, either)["without client"].address) == ["A"]
    assert names(client, choices(client, without)["a:b:c"].address) == ["B"]
    nowhere = choices(client, '?filter=labels&search=Unlabelled&labels={"region":null}')
    assert {text: each.number for text, each in nowhere.items()} == {"without region": 1}
