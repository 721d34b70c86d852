"""The ascending list of changes misses none, also when a change is committed late."""

from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from accounts.models import Account, AccountChange
from accounts.placing import place_changes
from tests.accounts.conftest import AccountFactory, ClientFactory
from tests.processes import environment

ADDRESS = "/api/v1/accounts/changes/"


def read(client: APIClient, after: int, **more: Any) -> list[dict[str, Any]]:
    response = client.get(ADDRESS, {"after": after, **more})
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = response.json()["results"]
    return found


def rename(account: Account, name: str) -> int:
    Account.objects.filter(pk=account.pk).update(name=name)
    return AccountChange.objects.filter(new=name).values_list("pk", flat=True).get()


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_committed_late_comes_after_those_that_were_seen(
    admin: User, new_account: AccountFactory, client_of: ClientFactory
) -> None:
    client, slow, quick = client_of(admin), new_account(admin), new_account(admin)
    place_changes()
    (begin, *_) = [change["id"] for change in reversed(read(client, 0))] or [0]
    with psycopg.connect(environment()["DATABASE_URL"]) as other:
        # It gets its id first, and is committed last.
        other.execute("UPDATE user_accounts SET name = 'late' WHERE id = %s", [slow.pk])
        early = rename(quick, "early")
        place_changes()
        assert [change["id"] for change in read(client, begin)] == [early]
        other.commit()
    place_changes()
    (late,) = read(client, early)
    assert (late["new"], late["id"] < early) == ("late", True)
    assert [change["new"] for change in read(client, begin)] == ["early", "late"]


@pytest.mark.django_db
def test_it_ascends_by_pages(admin: User, new_account: AccountFactory, client_of: ClientFactory) -> None:
    client, account = client_of(admin), new_account(admin)
    ids = [rename(account, f"name {number}") for number in range(3)]
    assert read(client, 0) == []
    place_changes(batch_size=2)
    assert [change["id"] for change in read(client, 0)] == ids
    first = client.get(ADDRESS, {"after": 0, "page_size": 2}).json()
    assert [change["id"] for change in first["results"]] == ids[:2]
    assert [change["id"] for change in client.get(first["next"]).json()["results"]] == ids[2:]
    assert read(client, ids[1], kind="status") == []


@pytest.mark.django_db
def test_after_a_change_without_a_place_comes_nothing_yet(
    admin: User, new_account: AccountFactory, client_of: ClientFactory
) -> None:
    client, account = client_of(admin), new_account(admin)
    known = rename(account, "one")
    assert read(client, known) == []
    place_changes()
    following = rename(account, "two")
    place_changes()
    assert [change["id"] for change in read(client, known)] == [following]


@pytest.mark.django_db
def test_an_unknown_change_is_refused(admin: User, client_of: ClientFactory) -> None:
    response = client_of(admin).get(ADDRESS, {"after": 12345678})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "after")
