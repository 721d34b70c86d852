"""What a key may do: no more than its owner at that moment, its team and its role; and keys of teams."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.test import Client

from tests.teams import join
from tests.tokens.conftest import new_connection
from tokens.models import ApiKey, AuditEntry, Connection, Membership, Team
from tokens.people.erase import erase_person, has_history
from tokens.people.keys import make_api_key, make_team_key, revoke_api_key
from tokens.people.roles import PERMISSIONS, Role
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db

LIST = "/api/v1/connections/"
MANY = f"{LIST}access-tokens/"


@pytest.fixture
def north(alice: User) -> Team:
    return join(alice, "North", Role.ADMINISTRATOR)


@pytest.fixture
def south(alice: User) -> Team:
    return join(alice, "South", Role.OPERATOR)


@pytest.fixture
def connections(alice: User, north: Team, south: Team, settings: LazySettings) -> dict[str, Connection]:
    """A connection of each team, and one of a team that Alice is not in."""
    teams = {"north": north, "south": south, "other": Team.objects.create(name="Other")}
    return {
        name: new_connection(alice, settings, "Atzr|x", team=team, label=name) for name, team in teams.items()
    }


def ask(key: str, method: str, address: str, body: object = None) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    data = {} if method == "get" else {"data": body or {}, "content_type": "application/json"}
    return getattr(Client(), method)(address, headers=headers, **data)


def seen(key: str) -> set[str]:
    answer = ask(key, "get", LIST)
    return {row["label"] for row in answer.json()["results"]}


def given(key: str, connections: dict[str, Connection]) -> set[str]:
    answer = ask(key, "post", MANY, {"connection_ids": [str(each.pk) for each in connections.values()]})
    names = {str(each.pk): name for name, each in connections.items()}
    return {names[row["connection"]] for row in answer.json().get("results", [])}


class TestLimits:
    def test_without_limits_it_may_what_its_owner_may(
        self, alice: User, connections: dict[str, Connection]
    ) -> None:
        key = make_api_key(alice, alice, name="All")[1]
        assert seen(key) == {"north", "south"}
        # Alice administers only North.
        assert given(key, connections) == {"north"}

    def test_a_team_limits_it(self, alice: User, south: Team, connections: dict[str, Connection]) -> None:
        key = make_api_key(alice, alice, name="South", team=south)[1]
        assert seen(key) == {"south"}
        assert ask(key, "get", f"{LIST}{connections['north'].pk}/").status_code == 404
        assert ask(key, "post", f"{LIST}{connections['south'].pk}/refresh/").status_code == 202
        assert ask(key, "post", MANY, {"connection_ids": [str(connections["south"].pk)]}).status_code == 403

    def test_a_role_limits_it(self, alice: User, connections: dict[str, Connection]) -> None:
        key = make_api_key(alice, alice, name="Reader", role="viewer")[1]
        assert seen(key) == {"north", "south"}
        assert ask(key, "post", f"{LIST}{connections['north'].pk}/refresh/").status_code == 403

    def test_it_loses_what_its_owner_loses(
        self, alice: User, north: Team, connections: dict[str, Connection]
    ) -> None:
        key = make_api_key(alice, alice, name="North", team=north, role="administrator")[1]
        assert given(key, connections) == {"north"}
        Membership.objects.filter(user=alice, team=north).update(role=Role.VIEWER)
        assert ask(key, "post", MANY, {"connection_ids": [str(connections["north"].pk)]}).status_code == 403
        assert seen(key) == {"north"}
        Membership.objects.filter(user=alice, team=north).delete()
        assert ask(key, "get", LIST).status_code in {200, 403}
        assert ask(key, "get", f"{LIST}{connections['north'].pk}/").status_code in {403, 404}

    @pytest.mark.parametrize("team", [None, "north"])
    def test_a_superusers_key_is_limited_too(
        self, connections: dict[str, Connection], team: str | None, north: Team
    ) -> None:
        root = User.objects.create_superuser("root")
        limits = {"role": "viewer"} if team is None else {"team": north}
        key = make_api_key(root, root, name="Limited", **limits)[1]
        assert seen(key) == ({"north", "south", "other"} if team is None else {"north"})
        refreshed = ask(key, "post", f"{LIST}{connections['north'].pk}/refresh/").status_code
        assert refreshed == (403 if team is None else 202)
        assert ask(key, "get", f"{LIST}{connections['south'].pk}/").status_code == (
            200 if team is None else 404
        )


class TestTokens:
    """The role `tokens` hands out access tokens and does nothing else."""

    def test_it_gives_the_tokens_of_its_team(
        self, alice: User, north: Team, connections: dict[str, Connection]
    ) -> None:
        key = make_api_key(alice, alice, name="Service", team=north, role="tokens")[1]
        assert given(key, connections) == {"north"}
        alone = ask(key, "post", f"{LIST}{connections['north'].pk}/access-token/")
        assert alone.json()["access_token"] == "Atza|old"
        assert ask(key, "post", f"{LIST}{connections['other'].pk}/access-token/").status_code == 404
        given_of = AuditEntry.objects.filter(action="access_token.hand_out", outcome="done")
        assert set(given_of.values_list("object_id", flat=True)) == {str(connections["north"].pk)}

    def test_it_does_nothing_else(self, alice: User, north: Team, connections: dict[str, Connection]) -> None:
        key = make_api_key(alice, alice, name="Service", team=north, role="tokens")[1]
        connection = connections["north"].pk
        for method, address in [
            ("get", LIST),
            ("get", f"{LIST}{connection}/"),
            ("patch", f"{LIST}{connection}/"),
            ("post", f"{LIST}{connection}/refresh/"),
            ("post", f"{LIST}{connection}/sync/"),
            ("post", f"{LIST}{connection}/disconnect/"),
            ("get", "/api/v1/accounts/"),
            ("get", "/api/v1/accounts/changes/"),
            ("get", "/api/v1/accounts/sync-runs/"),
            ("post", "/api/v1/accounts/batch/"),
        ]:
            answer = ask(key, method, address)
            rows = answer.json().get("results", []) if answer.status_code == 200 else []
            assert answer.status_code in {200, 403, 404}, address
            assert rows == [], address
            assert (answer.status_code != 200) or method == "get", address

    @pytest.mark.parametrize("role", ["viewer", "operator"])
    def test_other_roles_give_no_token(
        self, alice: User, north: Team, connections: dict[str, Connection], role: str
    ) -> None:
        key = make_api_key(alice, alice, name="Other", team=north, role=role)[1]
        assert ask(key, "post", f"{LIST}{connections['north'].pk}/access-token/").status_code == 403


class TestRefusals:
    @pytest.mark.parametrize("role", ["administrator", "tokens"])
    def test_a_role_above_the_own_is_refused(self, alice: User, south: Team, role: str) -> None:
        with pytest.raises(ValidationError, match="above their own"):
            make_api_key(alice, alice, name="Too much", team=south, role=role)
        with pytest.raises(ValidationError, match="above their own"):
            make_api_key(alice, alice, name="Too much", role=role)

    def test_a_role_in_any_team_is_enough_for_a_key_without_a_team(self, alice: User, north: Team) -> None:
        assert make_api_key(alice, alice, name="All", role="administrator")[0].role == "administrator"

    @pytest.mark.parametrize("user", ["alice", "command"])
    def test_a_team_of_others_is_refused(self, alice: User, user: str) -> None:
        other = Team.objects.create(name="Other")
        with pytest.raises(ValidationError, match="is not in the team"):
            make_api_key(alice if user == "alice" else SYSTEM, alice, name="Other", team=other)

    def test_an_unknown_role_is_refused(self, alice: User) -> None:
        with pytest.raises(ValidationError, match="It must be one of: viewer"):
            make_api_key(alice, alice, name="Other", role="owner")

    def test_every_role_of_a_key_is_known_to_the_database(self, alice: User) -> None:
        make_api_key(alice, alice, name="Mine")
        for role in PERMISSIONS:
            ApiKey.objects.update(role=role)
        with pytest.raises(IntegrityError, match="api_key_role_is_known"):
            ApiKey.objects.update(role="owner")


class TestTeamKeys:
    @pytest.fixture
    def key(self, alice: User, north: Team) -> str:
        return make_team_key(alice, north, name="Service", role="tokens")[1]

    def test_it_survives_the_leaving_of_who_made_it(
        self, alice: User, key: str, connections: dict[str, Connection]
    ) -> None:
        Membership.objects.filter(user=alice).delete()
        User.objects.filter(pk=alice.pk).update(is_active=False, is_staff=False)
        assert given(key, connections) == {"north"}

    def test_it_survives_the_erasure_of_who_made_it(
        self, alice: User, key: str, connections: dict[str, Connection]
    ) -> None:
        heir = User.objects.create_user("heir", is_staff=True)
        for team in Team.objects.all():
            join(heir, team.name, Role.ADMINISTRATOR)
        erase_person(SYSTEM, alice, heir=heir)
        assert given(key, connections) == {"north"}

    def test_it_may_nothing_in_other_teams_of_who_made_it(
        self, alice: User, north: Team, connections: dict[str, Connection]
    ) -> None:
        key = make_team_key(alice, north, name="Reader", role="viewer")[1]
        assert seen(key) == {"north"}

    def test_it_has_no_more_than_its_role_if_a_superuser_made_it(
        self, north: Team, connections: dict[str, Connection]
    ) -> None:
        root = User.objects.create_superuser("root")
        key = make_team_key(root, north, name="Reader", role="viewer")[1]
        assert seen(key) == {"north"}
        assert ask(key, "post", f"{LIST}{connections['north'].pk}/refresh/").status_code == 403

    def test_only_administrators_of_the_team_make_it(self, alice: User, south: Team) -> None:
        with pytest.raises(PermissionDenied, match=r"tokens\.manage_keys"):
            make_team_key(alice, south, name="Service", role="viewer")
        assert not ApiKey.objects.exists()

    def test_it_needs_a_role(self, alice: User, north: Team) -> None:
        with pytest.raises(ValidationError, match="needs a role"):
            make_team_key(alice, north, name="Service", role="")
        with pytest.raises(IntegrityError, match="api_key_of_a_team_has_a_role"):
            ApiKey.objects.create(
                name="x", digest="x", team=north, created_by=alice, expires_at="2026-12-01T00:00Z"
            )

    def test_other_administrators_of_the_team_see_and_revoke_it(
        self, key: str, north: Team, connections: dict[str, Connection]
    ) -> None:
        bob = User.objects.create_user("bob", is_staff=True)
        join(bob, "North", Role.ADMINISTRATOR)
        assert ApiKey.objects.visible_to(bob).count() == 1
        assert revoke_api_key(bob, ApiKey.objects.get())
        assert ask(key, "get", LIST).status_code == 401

    @pytest.mark.parametrize(("team", "role"), [("North", Role.OPERATOR), ("South", Role.ADMINISTRATOR)])
    def test_others_neither_see_nor_revoke_it(self, key: str, team: str, role: Role) -> None:
        bob = User.objects.create_user("bob", is_staff=True)
        join(bob, team, role)
        assert not ApiKey.objects.visible_to(bob).exists()
        with pytest.raises(PermissionDenied, match=r"tokens\.manage_keys"):
            revoke_api_key(bob, ApiKey.objects.get())

    def test_who_made_it_is_not_deleted_but_erased(self, alice: User, key: str) -> None:
        assert has_history(alice)
