"""Nobody gets a right that only somebody else may give, and every team keeps an administrator: at every door."""

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.models.functions import Now
from django.test import Client

from tests.accounts.conftest import person
from tests.api_keys import new_key
from tests.processes import eventually
from tests.public_url import browser_at_public_url
from tests.sign_ins import sign_in
from tests.teams import join, team_of
from tokens.models import Invitation, Membership, Team
from tokens.people.invitations import digest_link, invite
from tokens.people.keys import make_api_key, make_team_key
from tokens.people.roles import Role
from tokens.people.teams import remove_member
from tokens.permissions import SYSTEM

PASSWORD = "correct horse battery"


@pytest.fixture
def boss(db: None) -> User:
    """The only administrator of a team."""
    return person("boss", "Administrator")


@pytest.fixture
def team(boss: User) -> Team:
    return team_of(boss)


@pytest.fixture
def carol(team: Team) -> User:
    carol = person("carol", "")
    join(carol, str(team), Role.OPERATOR)
    return carol


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", password=PASSWORD)


def browse(user: User) -> Client:
    client = browser_at_public_url()
    sign_in(client, user)
    return client


def by_key(key: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {key}"})


class TestRoles:
    """What a person may not do in a session, a key of theirs may not either. test_table.py has the other doors."""

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
    def test_a_key_below_administrator_changes_no_role(
        self, boss: User, team: Team, carol: User, role: Role
    ) -> None:
        own, _ = make_team_key(boss, team, name="service", role=role)[1], None
        limited = make_api_key(boss, boss, name="report", role=role)[1]
        for key in (own, limited):
            address = f"/api/v1/teams/{team.pk}/members/"
            for answer in (
                by_key(key).put(f"{address}carol/", {"role": "administrator"}, "application/json"),
                by_key(key).delete(f"{address}carol/"),
            ):
                assert answer.status_code == 403
        assert Membership.objects.get(user=carol).role == "operator"

    def test_a_role_above_administrator_is_known_nowhere(self, boss: User, team: Team, carol: User) -> None:
        client = browse(boss)
        for role in ("superuser", "tokens", "owner"):
            form = {"user": "carol", "role": role}
            assert client.post(f"/teams/{team.pk}/members/", form).status_code == 422
            form = {"email": "new@example.com", "role": role}
            assert client.post(f"/teams/{team.pk}/invitations/", form).status_code == 422
            address = f"/api/v1/teams/{team.pk}/members/carol/"
            assert by_key(new_key(boss)).put(address, {"role": role}, "application/json").status_code == 400
            with pytest.raises(CommandError, match="invalid choice"):
                call_command("team", str(team), "--add", "carol", "--role", role)
        assert Membership.objects.get(user=carol).role == "operator"


class TestSuperusers:
    """Only a superuser makes one or edits one."""

    def test_neither_role_nor_permissions_of_djangos_open_the_users_in_the_admin(
        self, boss: User, root: User
    ) -> None:
        group = Group.objects.create(name="all")
        group.permissions.set(Permission.objects.all())
        boss.groups.add(group)
        boss.user_permissions.set(Permission.objects.all())
        client = browse(User.objects.get(pk=boss.pk))
        before = User.objects.filter(pk=root.pk).values().get()
        page = f"/admin/auth/user/{root.pk}"
        form = {"username": "root", "is_superuser": "", "email": "boss@example.com", "password1": PASSWORD}
        for address in (
            "/admin/auth/user/",
            "/admin/auth/user/add/",
            f"{page}/change/",
            f"{page}/password/",
            f"{page}/delete/",
            f"{page}/erase/",
            f"{page}/end-keys/",
            f"/admin/auth/user/{boss.pk}/change/",
            f"/admin/auth/user/{boss.pk}/password/",
        ):
            assert client.get(address).status_code == 403, address
            assert client.post(address, {**form, "is_superuser": "on"}).status_code == 403, address
        assert User.objects.filter(pk=root.pk).values().get() == before
        assert User.objects.filter(is_superuser=True).count() == 1

    def test_an_invitation_makes_none_whatever_the_form_has(self, boss: User, team: Team) -> None:
        invite(boss, team, "nina@example.com", "viewer")
        Invitation.objects.update(digest=digest_link("secret"), mailed_at=Now())
        client = browser_at_public_url()
        client.get("/auth/invitation/?key=secret")
        form = {"username": "nina", "password1": PASSWORD, "password2": PASSWORD}
        rights = {"is_superuser": "on", "is_staff": "on", "role": "administrator", "email": "x@example.com"}
        assert client.post("/auth/invitation/login/", form | rights).status_code == 302
        nina = User.objects.get(username="nina")
        assert (nina.is_superuser, nina.email) == (False, "nina@example.com")
        assert Membership.objects.get(user=nina).role == "viewer"

    def test_the_api_makes_none(self, boss: User, team: Team, carol: User) -> None:
        address, body = f"/api/v1/teams/{team.pk}/members/carol/", {"role": "viewer", "is_superuser": True}
        assert by_key(new_key(boss)).put(address, body, "application/json").status_code == 400
        carol.refresh_from_db()
        assert not carol.is_superuser

    def test_a_superuser_makes_and_edits_one_in_the_admin(self, root: User, carol: User) -> None:
        form = {
            "username": "carol",
            "is_active": "on",
            "is_staff": "on",
            "is_superuser": "on",
            "date_joined_0": "2026-11-01",
            "date_joined_1": "12:00",
        }
        assert browse(root).post(f"/admin/auth/user/{carol.pk}/change/", form).status_code == 302
        carol.refresh_from_db()
        assert carol.is_superuser


def removed_on_the_page(user: User, team: Team, boss: User) -> Any:
    return browse(user).post(f"/teams/{team.pk}/members/{boss.pk}/remove/", follow=True)


def lowered_on_the_page(user: User, team: Team, boss: User) -> Any:
    return browse(user).post(f"/teams/{team.pk}/members/", {"user": "boss", "role": "operator"})


def removed_by_the_api(user: User, team: Team, boss: User) -> Any:
    return by_key(new_key(user)).delete(f"/api/v1/teams/{team.pk}/members/boss/")


def lowered_by_the_api(user: User, team: Team, boss: User) -> Any:
    address = f"/api/v1/teams/{team.pk}/members/boss/"
    return by_key(new_key(user)).put(address, {"role": "viewer"}, "application/json")


DOORS = [removed_on_the_page, lowered_on_the_page, removed_by_the_api, lowered_by_the_api]


class TestLastAdministrator:
    @pytest.mark.parametrize("door", DOORS)
    @pytest.mark.parametrize("who", ["boss", "root"])
    def test_stays(
        self, boss: User, team: Team, root: User, door: Callable[[User, Team, User], Any], who: str
    ) -> None:
        answer = door(User.objects.get(username=who), team, boss)
        assert "the last administrator" in answer.content.decode()
        assert Membership.objects.get(user=boss).role == "administrator"

    @pytest.mark.parametrize("arguments", [["--remove", "boss"], ["--add", "boss", "--role", "viewer"]])
    def test_stays_for_a_command(self, boss: User, team: Team, arguments: list[str]) -> None:
        with pytest.raises(CommandError, match="the last administrator"):
            call_command("team", str(team), *arguments, stdout=io.StringIO(), stderr=io.StringIO())
        assert Membership.objects.get(user=boss).role == "administrator"

    def test_the_admin_neither_changes_memberships_nor_deletes_a_member(
        self, boss: User, team: Team, root: User
    ) -> None:
        client = browse(root)
        membership = Membership.objects.get(user=boss)
        for address in (
            f"/admin/tokens/membership/{membership.pk}/delete/",
            f"/admin/tokens/membership/{membership.pk}/change/",
            f"/admin/tokens/team/{team.pk}/delete/",
            f"/admin/auth/user/{boss.pk}/delete/",
        ):
            client.post(address, {"post": "yes", "role": "viewer"})
        marked = {"action": "delete_selected", "_selected_action": [str(boss.pk)], "post": "yes"}
        client.post("/admin/auth/user/", marked)
        membership.refresh_from_db()
        assert membership.role == "administrator"

    @pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
    def test_somebody_who_cannot_sign_in_does_not_count(
        self, boss: User, team: Team, carol: User, change: dict[str, bool]
    ) -> None:
        join(carol, str(team), Role.ADMINISTRATOR)
        User.objects.filter(pk=carol.pk).update(**change)
        with pytest.raises(ValidationError, match="the last administrator"):
            remove_member(boss, team, boss)

    @pytest.mark.django_db(transaction=True)
    def test_of_two_who_leave_at_once_one_stays(self, boss: User, team: Team, carol: User) -> None:
        join(carol, str(team), Role.ADMINISTRATOR)
        refused: list[ValidationError] = []

        def leave() -> None:
            try:
                remove_member(boss, team, boss)
            except ValidationError as error:
                refused.append(error)
            finally:
                connections.close_all()

        second = threading.Thread(target=leave)
        with transaction.atomic():
            remove_member(carol, team, carol)
            second.start()
            # What the first one does is not committed. The second one waits for it.
            eventually(lambda: something_waits() or not second.is_alive())
        second.join()
        assert len(refused) == 1
        assert Membership.objects.get(team=team, role="administrator").user == boss


def something_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        row = cursor.fetchone()
    return bool(row and row[0])


class TestTeamWithoutAdministrator:
    """Whoever leaves the company is kept out at once, also the last administrator of a team."""

    def deactivate(self, root: User, boss: User) -> str:
        form = {"username": "boss", "is_staff": "on", "date_joined_0": "2026-11-01", "date_joined_1": "12:00"}
        answer = browse(root).post(f"/admin/auth/user/{boss.pk}/change/", form, follow=True)
        boss.refresh_from_db()
        assert not boss.is_active
        return answer.content.decode()

    def test_the_admin_says_which_team_is_left(self, boss: User, team: Team, root: User, carol: User) -> None:
        assert f"Nobody administers “{team}” now." in self.deactivate(root, boss)

    def test_the_admin_says_nothing_if_somebody_else_is_there(
        self, boss: User, team: Team, root: User, carol: User
    ) -> None:
        join(carol, str(team), Role.ADMINISTRATOR)
        assert "Nobody administers" not in self.deactivate(root, boss)

    def test_the_page_says_so_and_a_superuser_names_another(
        self, boss: User, team: Team, root: User, carol: User
    ) -> None:
        page = f"/teams/?team={team.pk}"
        assert "Nobody administers" not in browse(carol).get(page).content.decode()
        self.deactivate(root, boss)
        text = browse(carol).get(page).content.decode()
        assert "Nobody administers this team now." in text
        assert "Ask a superuser to name somebody." in text
        client = browse(root)
        assert "Make an active member of staff its administrator." in client.get(page).content.decode()
        client.post(f"/teams/{team.pk}/members/", {"user": "carol", "role": "administrator"})
        assert "Nobody administers" not in client.get(page).content.decode()
        remove_member(SYSTEM, team, boss)
