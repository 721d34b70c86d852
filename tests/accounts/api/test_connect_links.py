"""The API of client links."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.accounts.conftest import ClientFactory, ConnectionFactory
from tests.teams import join, team_of
from tokens.models import ConnectLink
from tokens.people.roles import Role

ADDRESS = "/api/v1/connect-links/"


def test_only_the_answer_to_the_post_has_the_link(alice: User, client_of: ClientFactory) -> None:
    client = client_of(alice)
    made = client.post(ADDRESS, {"label": "Copperleaf", "regions": ["EU"], "days": 3}, format="json")
    assert made.status_code == 201
    assert "no-store" in made["Cache-Control"]
    body = made.json()
    token = body.pop("url").rstrip("/").rpartition("/c/")[2]
    assert len(token) == 43
    assert (body["state"], body["owner"], body["regions"]) == ("open", "alice", ["EU"])
    listed = client.get(ADDRESS)
    assert listed.json()["results"] == [body]
    assert token not in listed.content.decode()
    revoked = client.post(f"{ADDRESS}{body['id']}/revoke/")
    assert revoked.json() == body | {"state": "revoked"}
    assert client.post(f"{ADDRESS}{body['id']}/revoke/").json()["state"] == "revoked"


def test_an_empty_field_is_one_that_is_left_out(alice: User, client_of: ClientFactory) -> None:
    body = {"label": "Copperleaf", "email": "", "connection": None}
    made = client_of(alice).post(ADDRESS, body, format="json")
    assert made.status_code == 201
    assert made.json()["url"]


def test_a_link_that_is_mailed_is_only_in_the_mail(alice: User, client_of: ClientFactory) -> None:
    made = client_of(alice).post(
        ADDRESS, {"label": "Copperleaf", "email": "ads@copperleaf.example", "language": "de"}, format="json"
    )
    assert (made.status_code, made.json()["url"], made.json()["language"]) == (201, None, "de")


def test_a_renewal_is_of_the_team_of_its_connection(
    alice: User, client_of: ClientFactory, new_connection: ConnectionFactory
) -> None:
    connection = new_connection(alice, regions=["FE"])
    join(alice, "North", Role.OPERATOR)
    body = {"label": "Copperleaf", "connection": str(connection.pk)}
    made = client_of(alice).post(ADDRESS, body, format="json").json()
    assert (made["team"]["id"], made["connection"]) == (str(connection.team_id), str(connection.pk))
    assert made["regions"] == ["FE"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"days": 31}, "days"),
        ({"label": ""}, "label"),
        ({"regions": []}, "regions"),
        ({"email": "a@example.com\nBcc: b@example.com"}, "email"),
        ({"team": "0193c8a0-0000-7000-8000-000000000001"}, "team"),
        ({"connection": "of bob"}, "connection"),
        ({"language": "xx"}, "language"),
        ({"token": "x"}, "token"),
    ],
)
def test_a_wrong_field_is_named(
    alice: User,
    bob: User,
    client_of: ClientFactory,
    new_connection: ConnectionFactory,
    changes: dict[str, Any],
    field: str,
) -> None:
    if changes.get("connection"):
        changes = {"connection": str(new_connection(bob).pk)}
    answer = client_of(alice).post(ADDRESS, {"label": "Copperleaf", **changes}, format="json")
    assert answer.status_code == 400
    assert [error["field"].partition(".")[0] for error in answer.json()["errors"]] == [field]
    assert not ConnectLink.objects.exists()


def test_a_person_in_several_teams_must_name_one(alice: User, client_of: ClientFactory) -> None:
    north = join(alice, "North", Role.OPERATOR)
    client = client_of(alice)
    assert client.post(ADDRESS, {"label": "x"}, format="json").status_code == 400
    made = client.post(ADDRESS, {"label": "x", "team": str(north.pk)}, format="json")
    assert made.json()["team"] == {"id": str(north.pk), "name": "North"}
    assert team_of(alice) is not None
