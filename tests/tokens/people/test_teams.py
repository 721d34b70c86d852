"""Which team a new row belongs to, and the team that every database has."""

import pytest
from django.contrib.auth.models import User

from tests.teams import join, team_of
from tokens.models import MAIN, Membership, Team
from tokens.people.roles import Role
from tokens.people.teams import TeamNotChosenError, choose_team, create_main_team

pytestmark = pytest.mark.django_db


class TestMain:
    def test_every_database_has_it(self) -> None:
        assert Team.objects.get().name == MAIN
        create_main_team("default")
        assert Team.objects.get().name == MAIN
        Team.objects.all().delete()
        create_main_team("default")
        assert Team.objects.get().name == MAIN

    def test_the_first_superuser_administers_it(self) -> None:
        User.objects.create_user("somebody")
        first = User.objects.create_superuser("first")
        User.objects.create_superuser("second")
        membership = Membership.objects.get()
        assert (membership.team.name, membership.user, membership.role) == (MAIN, first, "administrator")

    def test_who_becomes_a_superuser_later_is_the_first_too(self) -> None:
        user = User.objects.create_user("somebody")
        user.is_superuser = True
        user.save(update_fields=["last_login"])
        assert not Membership.objects.exists()
        user.save(update_fields=["is_superuser"])
        assert Membership.objects.get().user == user


class TestChoice:
    def test_a_person_in_one_team_means_this_team(self, alice: User) -> None:
        assert choose_team(alice) == team_of(alice)

    def test_a_person_in_several_names_one(self, alice: User) -> None:
        north = join(alice, "North", Role.VIEWER)
        with pytest.raises(
            TeamNotChosenError, match=r"alice is in several teams\. Name one of: “North”, “Team of alice”\."
        ):
            choose_team(alice)
        assert choose_team(alice, "NORTH") == north

    def test_a_team_of_others_is_no_choice(self, alice: User) -> None:
        with pytest.raises(
            TeamNotChosenError, match=r"in no team with this name\. The teams are: “Team of alice”\."
        ):
            choose_team(alice, MAIN)

    def test_a_person_in_no_team_has_none(self) -> None:
        nobody = User.objects.create_user("nobody")
        with pytest.raises(TeamNotChosenError, match=r"nobody is in no team\. A superuser"):
            choose_team(nobody)
        with pytest.raises(TeamNotChosenError, match=r"There is none\."):
            choose_team(nobody, MAIN)

    def test_a_superuser_in_no_team_has_main_and_may_name_any(self, alice: User) -> None:
        User.objects.create_superuser("first")
        root = User.objects.create_superuser("root")
        assert choose_team(root).name == MAIN
        assert choose_team(root, "team of alice") == team_of(alice)
