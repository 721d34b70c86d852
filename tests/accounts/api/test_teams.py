"""Teams in the API: the list, the members, and the filter of other lists."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.accounts.conftest import AccountFactory, ClientFactory
from tests.teams import join, set_role, team_of
from tokens.models import Membership, Team
from tokens.people.roles import Role

TEAMS = "/api/v1/teams/"


def members_of(team: Team) -> str:
    return f"{TEAMS}{team.pk}/members/"


def test_a_person_sees_their_teams(api: APIClient, alice: User, bob: User) -> None:
    join(bob, "North", Role.VIEWER)
    assert [row["name"] for row in api.get(TEAMS).json()["results"]] == [team_of(alice).name]


def test_a_superuser_makes_and_renames_a_team(client_of: ClientFactory, api: APIClient) -> None:
    root = client_of(User.objects.create_superuser("root"))
    made = root.post(TEAMS, {"name": "North"}, format="json")
    assert (made.status_code, made.json()["name"]) == (201, "North")
    address = f"{TEAMS}{made.json()['id']}/"
    assert root.patch(address, {"name": "South"}, format="json").json()["name"] == "South"
    assert root.post(TEAMS, {"name": "south"}, format="json").status_code == 400
    assert root.post(TEAMS, {"name": "West", "role": "x"}, format="json").status_code == 400
    assert root.post(TEAMS, {}, format="json").status_code == 400
    assert api.post(TEAMS, {"name": "West"}, format="json").status_code == 403
    assert api.patch(address, {"name": "West"}, format="json").status_code == 403


class TestMembers:
    @pytest.fixture
    def team(self, alice: User) -> Team:
        set_role(alice, Role.ADMINISTRATOR)
        return team_of(alice)

    def test_an_administrator_adds_changes_and_removes(self, api: APIClient, bob: User, team: Team) -> None:
        address = f"{members_of(team)}bob/"
        assert api.put(address, {"role": "viewer"}, format="json").json()["role"] == "viewer"
        assert api.put(address, {"role": "operator"}, format="json").json()["role"] == "operator"
        listed = api.get(members_of(team)).json()["results"]
        assert [(row["user"], row["role"], row["source"]) for row in listed] == [
            ("alice", "administrator", "person"),
            ("bob", "operator", "person"),
        ]
        assert api.delete(address).status_code == 204
        assert api.delete(address).status_code == 404

    def test_the_last_administrator_stays(self, api: APIClient, team: Team) -> None:
        answer = api.delete(f"{members_of(team)}alice/")
        assert answer.status_code == 400
        assert "the last administrator" in answer.json()["detail"]

    @pytest.mark.parametrize("body", [{"role": "owner"}, {}, {"role": "viewer", "a": 1}, [1]])
    def test_a_bad_body_is_refused(self, api: APIClient, bob: User, team: Team, body: Any) -> None:
        assert api.put(f"{members_of(team)}bob/", body, format="json").status_code == 400

    def test_others_change_nothing_and_learn_no_names(
        self, client_of: ClientFactory, bob: User, team: Team
    ) -> None:
        join(bob, team.name, Role.OPERATOR)
        for name in ("alice", "nobody"):
            address = f"{members_of(team)}{name}/"
            assert client_of(bob).put(address, {"role": "viewer"}, format="json").status_code == 403
            assert client_of(bob).delete(address).status_code == 403
        assert client_of(bob).delete(f"{members_of(team)}bob/").status_code == 204

    def test_another_team_is_not_found(self, client_of: ClientFactory, bob: User, team: Team) -> None:
        client = client_of(set_role(bob, Role.ADMINISTRATOR))
        assert client.get(members_of(team)).status_code == 404
        assert client.put(f"{members_of(team)}bob/", {"role": "viewer"}, format="json").status_code == 404
        assert client.delete(f"{members_of(team)}bob/").status_code == 404
        assert not Membership.objects.filter(team=team, user=bob).exists()


class TestFilter:
    @pytest.mark.parametrize("path", ["accounts", "connections"])
    def test_a_list_shows_one_team(
        self,
        admin: User,
        alice: User,
        bob: User,
        new_account: AccountFactory,
        client_of: ClientFactory,
        path: str,
    ) -> None:
        hers, _his = new_account(alice), new_account(bob)
        client = client_of(admin)
        assert len(client.get(f"/api/v1/{path}/").json()["results"]) == 2
        [row] = client.get(f"/api/v1/{path}/", {"team": str(hers.team_id)}).json()["results"]
        assert row["team"] == {"id": str(hers.team_id), "name": hers.team.name}

    @pytest.mark.parametrize("path", ["accounts", "accounts/export", "audit", "connections", "events"])
    def test_another_team_is_not_found(
        self, alice: User, bob: User, client_of: ClientFactory, path: str
    ) -> None:
        api = client_of(set_role(alice, Role.ADMINISTRATOR))
        assert api.get(f"/api/v1/{path}/", {"team": str(team_of(alice).pk)}).status_code == 200
        for team_id in (team_of(bob).pk, uuid4()):
            assert api.get(f"/api/v1/{path}/", {"team": str(team_id)}).status_code == 404
        assert api.get(f"/api/v1/{path}/", {"team": "north"}).status_code == 400

    def test_a_batch_takes_the_filter(
        self, admin: User, alice: User, bob: User, new_account: AccountFactory, client_of: ClientFactory
    ) -> None:
        hers, _his = new_account(alice), new_account(bob)
        body = {"operation": "disconnect", "filter": {"team": str(hers.team_id)}}
        assert client_of(admin).post("/api/v1/accounts/batch/", body, format="json").json()["total"] == 1
