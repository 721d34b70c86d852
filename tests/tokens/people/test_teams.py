"""Making teams, their members, which team is meant, and the team that every database has."""

import io

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command

from tests.teams import join, set_role, team_of
from tokens.models import MAIN, Membership, Team
from tokens.people.roles import Role
from tokens.people.teams import (
    TeamNotChosenError,
    choose_team,
    create_main_team,
    create_team,
    refuse_above,
    remove_member,
    rename_team,
    set_member,
)
from tokens.permissions import SYSTEM, KeyLimits, attach_limits

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


class TestMaking:
    def test_only_superusers_make_and_rename_teams(self, alice: User) -> None:
        administrator = set_role(alice, Role.ADMINISTRATOR)
        for operation in (
            lambda user: create_team(user, "North"),
            lambda user: rename_team(user, team_of(alice), "North"),
        ):
            with pytest.raises(PermissionDenied):
                operation(administrator)
            key = User.objects.create_superuser(f"root-{operation.__code__.co_firstlineno}")
            attach_limits(key, KeyLimits(team_id=team_of(alice).pk))
            with pytest.raises(PermissionDenied):
                operation(key)
        assert not Team.objects.filter(name="North").exists()
        assert create_team(SYSTEM, " North ").name == "North"

    def test_a_name_is_unique_whatever_its_capitals(self) -> None:
        create_team(SYSTEM, "North")
        with pytest.raises(ValidationError, match="There is a team “NORTH” already"):
            create_team(SYSTEM, "NORTH")

    @pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", None])
    def test_a_bad_name_is_refused(self, name: object) -> None:
        with pytest.raises(ValidationError):
            create_team(SYSTEM, name)

    def test_main_keeps_its_name(self) -> None:
        with pytest.raises(ValidationError, match="keeps its name"):
            rename_team(SYSTEM, Team.objects.get(name=MAIN), "Other")


class TestMembers:
    @pytest.fixture
    def administrator(self, alice: User) -> User:
        return set_role(alice, Role.ADMINISTRATOR)

    @pytest.fixture
    def bob(self) -> User:
        return User.objects.create_user("bob", is_staff=True)

    def test_an_administrator_adds_changes_and_removes(self, administrator: User, bob: User) -> None:
        team = team_of(administrator)
        assert set_member(administrator, team, bob, "viewer")
        assert not set_member(administrator, team, bob, "administrator")
        assert Membership.objects.get(user=bob).role == "administrator"
        remove_member(administrator, team, bob)
        assert not Membership.objects.filter(user=bob).exists()
        with pytest.raises(Membership.DoesNotExist):
            remove_member(administrator, team, bob)

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
    def test_others_change_nothing(self, alice: User, bob: User, role: Role) -> None:
        team, user = team_of(alice), set_role(alice, role)
        join(bob, team.name, Role.VIEWER)
        for operation in (
            lambda: set_member(user, team, user, "administrator"),
            lambda: remove_member(user, team, bob),
        ):
            with pytest.raises(PermissionDenied):
                operation()

    # Only administrators manage members today. So this rule decides nothing else yet, and is tested by itself.
    def test_nobody_gives_a_role_above_their_own(self, alice: User) -> None:
        team, operator = team_of(alice), set_role(alice, Role.OPERATOR)
        refuse_above(operator, team, "viewer", "operator")
        for user in (operator, User.objects.create_user("stranger")):
            with pytest.raises(ValidationError, match="above their own"):
                refuse_above(user, team, "viewer", "administrator")
        for above in (SYSTEM, User.objects.create_superuser("root")):
            refuse_above(above, team, "administrator")

    def test_an_administrator_of_another_team_changes_nothing(self, administrator: User, bob: User) -> None:
        other = join(bob, "Other", Role.ADMINISTRATOR)
        with pytest.raises(PermissionDenied):
            set_member(administrator, other, administrator, "viewer")

    def test_everybody_may_leave(self, alice: User, bob: User) -> None:
        team = join(bob, team_of(alice).name, Role.VIEWER)
        remove_member(bob, team, bob)
        assert not Membership.objects.filter(user=bob).exists()

    def test_the_last_administrator_stays(self, administrator: User, bob: User) -> None:
        team = team_of(administrator)
        join(bob, team.name, Role.OPERATOR)
        root = User.objects.create_superuser("root")
        for operation in (
            lambda: remove_member(administrator, team, administrator),
            lambda: remove_member(root, team, administrator),
            lambda: set_member(administrator, team, administrator, "operator"),
        ):
            with pytest.raises(ValidationError, match="the last administrator"):
                operation()
        # Who is not active does not count.
        join(User.objects.create_user("gone", is_active=False), team.name, Role.ADMINISTRATOR)
        with pytest.raises(ValidationError, match="the last administrator"):
            remove_member(administrator, team, administrator)
        join(bob, team.name, Role.ADMINISTRATOR)
        remove_member(administrator, team, administrator)

    @pytest.mark.parametrize("role", ["owner", "tokens", None])
    def test_an_unknown_role_is_refused(self, administrator: User, bob: User, role: object) -> None:
        with pytest.raises(ValidationError):
            set_member(administrator, team_of(administrator), bob, role)

    def test_a_person_who_is_not_active_is_not_added(self, administrator: User) -> None:
        gone = User.objects.create_user("gone", is_active=False)
        with pytest.raises(ValidationError, match="not active"):
            set_member(administrator, team_of(administrator), gone, "viewer")

    def test_a_membership_that_a_person_changes_is_given_by_a_person(
        self, administrator: User, bob: User
    ) -> None:
        team = join(bob, team_of(administrator).name, Role.VIEWER)
        Membership.objects.filter(user=bob).update(source="single_sign_on")
        set_member(administrator, team, bob, "operator")
        assert Membership.objects.get(user=bob).source == "person"


class TestCommand:
    def run(self, *arguments: str) -> tuple[str, str]:
        output, error = io.StringIO(), io.StringIO()
        call_command("team", *arguments, stdout=output, stderr=error)
        return output.getvalue(), error.getvalue()

    def test_it_makes_a_team_and_prints_its_id_last(self) -> None:
        printed, said = self.run("North")
        assert printed == f"{Team.objects.get(name='North').pk}\n"
        assert "is made" in said
        assert self.run("NORTH") == (printed, "")

    def test_it_adds_and_removes_members(self, alice: User) -> None:
        self.run("North", "--add", "alice", "--role", "operator")
        assert Membership.objects.get(team__name="North").role == "operator"
        self.run("North", "--remove", "alice")
        assert not Membership.objects.filter(team__name="North").exists()

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (["--add", "alice"], "belongs to"),
            (["--role", "viewer"], "belongs to"),
            (["--invite", "alice@example.com"], "belongs to"),
            (["--invite", "alice", "--role", "viewer"], "e-mail address"),
            (["--add", "nobody", "--role", "viewer"], "no user"),
            (["--remove", "alice"], "is not in"),
        ],
    )
    def test_a_mistake_is_one_line(self, alice: User, arguments: list[str], why: str) -> None:
        with pytest.raises(CommandError, match=why):
            self.run("North", *arguments)
