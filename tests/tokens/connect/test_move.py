"""The doors of a move: the API, the page and the command."""

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from tests.api_keys import new_key
from tests.teams import join
from tokens.models import Connection, Team
from tokens.people.roles import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def carol() -> User:
    user = User.objects.create_user("carol", is_staff=True)
    join(user, "North", Role.ADMINISTRATOR)
    join(user, "South", Role.OPERATOR)
    join(user, "East", Role.VIEWER)
    Team.objects.create(name="Hidden")
    return user


@pytest.fixture
def connection(carol: User, settings: Any) -> Connection:
    return make(carol, "shop", "North")


def make(owner: User, label: str, team: str, **fields: Any) -> Connection:
    return Connection.objects.create(
        owner=owner,
        team=Team.objects.get(name=team),
        label=label,
        client_id="a-client",
        refresh_token="Atzr|of-nobody",
        **fields,
    )


def team_name(connection: Connection) -> str:
    return Connection.objects.get(pk=connection.pk).team.name


class TestAPI:
    def ask(self, carol: User, connection: Connection, body: Any) -> Any:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {new_key(carol)}")
        return client.post(f"/api/v1/connections/{connection.pk}/move/", body, format="json")

    def test_it_answers_with_the_connection_in_its_new_team(
        self, carol: User, connection: Connection
    ) -> None:
        south = Team.objects.get(name="South")
        answer = self.ask(carol, connection, {"team": str(south.pk)})
        assert answer.status_code == 200
        assert answer.json()["team"] == {"id": str(south.pk), "name": "South"}

    def test_a_team_in_which_the_person_may_only_look_is_refused(
        self, carol: User, connection: Connection
    ) -> None:
        answer = self.ask(carol, connection, {"team": str(Team.objects.get(name="East").pk)})
        assert answer.status_code == 403
        assert "tokens.connect_amazon" in answer.json()["detail"]
        assert team_name(connection) == "North"

    def test_a_team_that_the_person_does_not_see_is_answered_like_one_that_is_not_there(
        self, carol: User, connection: Connection
    ) -> None:
        hidden = str(Team.objects.get(name="Hidden").pk)
        answers = [
            self.ask(carol, connection, {"team": each})
            for each in (hidden, "0193c8a0-0000-7000-8000-000000000001", "South", 7, None, ["x"])
        ]
        assert {answer.status_code for answer in answers} == {400}
        assert {answer.json()["detail"] for answer in answers} == {
            "team: It must be the id of one of your teams."
        }

    @pytest.mark.parametrize("body", [{}, [], {"team": "x", "force": True}])
    def test_a_body_without_exactly_a_team_is_refused(
        self, carol: User, connection: Connection, body: Any
    ) -> None:
        assert self.ask(carol, connection, body).status_code == 400

    def test_a_login_that_the_team_has_is_a_conflict(self, carol: User, connection: Connection) -> None:
        Connection.objects.filter(pk=connection.pk).update(amazon_user_id="a-login")
        make(carol, "again", "South", amazon_user_id="a-login")
        answer = self.ask(carol, connection, {"team": str(Team.objects.get(name="South").pk)})
        assert answer.status_code == 409
        assert answer.json()["type"].endswith("/errors/move-refused/")
        assert team_name(connection) == "North"


class TestPage:
    @pytest.fixture
    def browser(self, carol: User) -> Client:
        client = Client()
        client.force_login(carol)
        return client

    def test_it_offers_the_other_teams_in_which_the_person_connects_logins(
        self, browser: Client, connection: Connection
    ) -> None:
        page = browser.get(f"/connections/{connection.pk}/move/")
        assert [str(team) for team in page.context["form"].fields["team"].queryset] == ["South"]

    def test_it_moves_and_leads_to_the_connection(self, browser: Client, connection: Connection) -> None:
        south = Team.objects.get(name="South")
        answer = browser.post(f"/connections/{connection.pk}/move/", {"team": str(south.pk)}, follow=True)
        assert answer.redirect_chain == [(f"/connections/{connection.pk}/", 303)]
        assert "shop is in the team “South” now" in answer.content.decode()
        assert team_name(connection) == "South"

    def test_a_team_that_is_not_offered_is_refused(self, browser: Client, connection: Connection) -> None:
        for name in ("East", "Hidden", "North"):
            team = Team.objects.get(name=name)
            answer = browser.post(f"/connections/{connection.pk}/move/", {"team": str(team.pk)})
            assert answer.status_code == 422
        assert team_name(connection) == "North"

    def test_the_reason_of_a_refusal_stands_at_the_team(
        self, browser: Client, carol: User, connection: Connection
    ) -> None:
        Connection.objects.filter(pk=connection.pk).update(amazon_user_id="a-login")
        make(carol, "again", "South", amazon_user_id="a-login")
        south = Team.objects.get(name="South")
        answer = browser.post(f"/connections/{connection.pk}/move/", {"team": str(south.pk)})
        assert answer.status_code == 422
        assert "This Amazon login is connected in the team “South” already" in answer.content.decode()

    def test_who_is_in_no_other_team_is_told(self, connection: Connection) -> None:
        dora = User.objects.create_user("dora", is_staff=True)
        join(dora, "North", Role.ADMINISTRATOR)
        browser = Client()
        browser.force_login(dora)
        page = browser.get(f"/connections/{connection.pk}/move/").content.decode()
        assert "There is no other team in which you may connect logins." in page
        assert "<select" not in page


class TestCommand:
    def run(self, **options: Any) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        call_command("move_connections", **options, stdout=out, stderr=err)
        return out.getvalue().strip(), err.getvalue()

    def test_it_moves_all_connections_of_a_team(self, carol: User, connection: Connection) -> None:
        other = make(carol, "second", "North")
        out, err = self.run(to="south", origin="north")
        assert out == "2 moved, 0 refused"
        assert "second" in err
        assert {team_name(connection), team_name(other)} == {"South"}
        # Nobody acted, so the person responsible stays.
        assert Connection.objects.get(pk=connection.pk).owner == carol

    def test_it_moves_the_connections_that_are_named(self, carol: User, connection: Connection) -> None:
        other = make(carol, "second", "North")
        out, _ = self.run(to="South", connection=[other.pk], json=True)
        assert json.loads(out) == {"moved": 1, "refused": 0}
        assert (team_name(connection), team_name(other)) == ("North", "South")

    def test_it_goes_on_after_a_refusal_and_fails(self, carol: User, connection: Connection) -> None:
        refused = make(carol, "a refused one", "North", amazon_user_id="a-login")
        make(carol, "again", "South", amazon_user_id="a-login")
        with pytest.raises(CommandError, match="1 of 2 connections were not moved"):
            self.run(to="South", origin="North")
        assert (team_name(connection), team_name(refused)) == ("South", "North")

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"to": "West", "origin": "North"}, "There is no team 'West'"),
            ({"to": "South", "origin": "West"}, "There is no team 'West'"),
            ({"to": "South", "origin": "South"}, "name the same team"),
            (
                {"to": "South", "connection": ["0193c8a0-0000-7000-8000-000000000001"]},
                "There is no connection 0193c8a0-0000-7000-8000-000000000001. Nothing was moved",
            ),
        ],
    )
    def test_what_is_not_there_moves_nothing(
        self, connection: Connection, options: dict[str, Any], problem: str
    ) -> None:
        if "connection" in options:
            options = {**options, "connection": [connection.pk, *options["connection"]]}
        with pytest.raises(CommandError, match=problem):
            self.run(**options)
        assert team_name(connection) == "North"
