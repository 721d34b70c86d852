"""Saved views by the API: the same that the pages show."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.accounts.conftest import ClientFactory
from tests.teams import join, team_of
from tokens.models import ApiKey, SavedView
from tokens.people.roles import Role

VIEWS = "/api/v1/views/"


@pytest.fixture
def client(alice: User, client_of: ClientFactory) -> APIClient:
    return client_of(alice)


def save(client: APIClient, status: int = 201, **body: Any) -> dict[str, Any]:
    answer = client.post(VIEWS, body, format="json")
    assert answer.status_code == status, answer.content
    return dict(answer.json())


def test_a_view_is_saved_listed_changed_and_deleted(client: APIClient, alice: User) -> None:
    made = save(
        client, name=" Two  lands ", query="ordering=-name&country=gb&country=DE&page_size=5&group=team"
    )
    assert made == {
        "id": made["id"],
        "name": "Two lands",
        "query": "country=DE&country=UK&group=team&ordering=-name",
        "team": None,
        "created_at": made["created_at"],
    }
    shared = save(client, name="Shared", team=str(team_of(alice).pk))
    assert shared["team"] == {"id": str(team_of(alice).pk), "name": team_of(alice).name}
    assert [view["name"] for view in client.get(VIEWS).json()["results"]] == ["Shared", "Two lands"]
    changed = client.patch(f"{VIEWS}{made['id']}/", {"name": "One", "query": "country=DE"}, format="json")
    assert (changed.json()["name"], changed.json()["query"]) == ("One", "country=DE")
    assert client.patch(f"{VIEWS}{made['id']}/", {}, format="json").json() == changed.json()
    assert client.delete(f"{VIEWS}{made['id']}/").status_code == 204
    assert [view.name for view in SavedView.objects.all()] == ["Shared"]


def test_the_same_name_gets_the_new_filters_and_is_not_given_twice(client: APIClient) -> None:
    first = save(client, name="Peak", query="country=DE")
    assert save(client, name="Peak", query="country=AT")["id"] == first["id"]
    other = save(client, name="Other")
    answer = client.patch(f"{VIEWS}{other['id']}/", {"name": "Peak"}, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"field": "name", "detail": "There is a view with this name."}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "A", "query": "colour=red"}, "query"),
        ({"name": "A", "query": "country=Germany"}, "query"),
        ({"name": "A", "query": "a=&" * 1_200}, "query"),
        ({"name": "A", "query": "search=" + "x" * 4_000}, "query"),
        ({"name": "A" * 61}, "name"),
        ({"query": ""}, "name"),
        ({"name": "A", "team": "01890000-0000-7000-8000-000000000000"}, "team"),
        ({"name": "A", "user": "bob"}, "user"),
    ],
)
def test_it_refuses_what_cannot_be_a_view(client: APIClient, body: dict[str, str], field: str) -> None:
    assert [error["field"] for error in save(client, 400, **body)["errors"]] == [field]


def test_another_persons_own_view_is_not_found(
    client: APIClient, bob: User, client_of: ClientFactory
) -> None:
    own = save(client_of(bob), name="Bob's")
    assert client.get(VIEWS).json()["results"] == []
    assert client.patch(f"{VIEWS}{own['id']}/", {"name": "Mine"}, format="json").status_code == 404
    assert client.delete(f"{VIEWS}{own['id']}/").status_code == 404


def test_a_viewer_keeps_own_views_and_does_not_touch_those_of_the_team(
    client: APIClient, alice: User, client_of: ClientFactory
) -> None:
    shared = save(client, name="Shared", team=str(team_of(alice).pk))
    viewer = User.objects.create_user("vera", is_staff=True)
    join(viewer, team_of(alice).name, Role.VIEWER)
    theirs = client_of(viewer)
    save(theirs, name="Mine", query="country=DE")
    save(theirs, 403, name="Ours", team=str(team_of(alice).pk))
    assert theirs.patch(f"{VIEWS}{shared['id']}/", {"name": "Ours"}, format="json").status_code == 403
    assert theirs.delete(f"{VIEWS}{shared['id']}/").status_code == 403
    assert [view["name"] for view in theirs.get(VIEWS).json()["results"]] == ["Mine", "Shared"]


def test_a_key_of_one_team_has_the_views_of_this_team_alone(alice: User, client_of: ClientFactory) -> None:
    save(client_of(alice), name="Own")
    client = client_of(alice)
    ApiKey.objects.update(team=team_of(alice))
    assert save(client, name="Shared")["team"] is not None
    assert [view["name"] for view in client.get(VIEWS).json()["results"]] == ["Shared"]
