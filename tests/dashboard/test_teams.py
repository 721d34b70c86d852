"""The page of teams: who the members are, and what an administrator changes."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client

from tests.dashboard.conftest import LogIn, squeeze
from tests.teams import join, set_role, team_of
from tokens.models import AuditEntry, Invitation, Membership, Team
from tokens.people.audit import Action
from tokens.people.invitations import MIN_PAUSE, invite
from tokens.people.roles import Role


@pytest.fixture
def team(alice: User, bob: User) -> Team:
    team = team_of(set_role(alice, Role.ADMINISTRATOR))
    join(bob, team.name, Role.OPERATOR)
    return team


def page_of(client: Client, team: Team) -> str:
    return squeeze(client.get("/teams/", {"team": str(team.pk)}).content.decode())


def test_an_administrator_sees_last_sign_in_and_second_factor(alice: User, team: Team, log_in: LogIn) -> None:
    Authenticator.objects.create(user=alice, type="totp", data={})
    page = page_of(log_in(alice), team)
    assert '<td class="c-wide">Yes</td>' in page
    assert '<td class="c-wide">No</td>' in page
    assert "Add a member" in page
    assert "Make a team" not in page


def test_others_see_names_and_roles_only(bob: User, team: Team, log_in: LogIn) -> None:
    page = page_of(log_in(bob), team)
    assert "<td>Administrator</td>" in page
    assert ">Leave</a>" in page
    for hidden in ("Second factor", "Last sign-in", "Add a member", ">Remove<", "<select"):
        assert hidden not in page


def test_members_are_added_changed_and_removed(alice: User, team: Team, log_in: LogIn) -> None:
    client, carol = log_in(alice), User.objects.create_user("carol")
    address = f"/teams/{team.pk}/members/"
    for role in ("viewer", "administrator"):
        answer = client.post(address, {"user": "carol", "role": role}, follow=True)
        assert "carol is now" in answer.content.decode()
        assert Membership.objects.get(user=carol).role == role
    removal = f"{address}{carol.pk}/remove/"
    assert "Remove carol from" in client.get(removal).content.decode()
    client.post(removal)
    assert not Membership.objects.filter(user=carol).exists()


@pytest.mark.parametrize(
    ("user", "role", "why"),
    [("nobody", "viewer", "no user with this name"), ("alice", "viewer", "the last administrator")],
)
def test_a_refusal_is_shown(alice: User, team: Team, log_in: LogIn, user: str, role: str, why: str) -> None:
    answer = log_in(alice).post(f"/teams/{team.pk}/members/", {"user": user, "role": role})
    assert answer.status_code == 422
    assert why in answer.content.decode()


def test_the_last_administrator_does_not_leave(alice: User, team: Team, log_in: LogIn) -> None:
    answer = log_in(alice).post(f"/teams/{team.pk}/members/{alice.pk}/remove/", follow=True)
    assert "the last administrator" in answer.content.decode()
    assert Membership.objects.filter(user=alice).exists()


def test_a_member_leaves(bob: User, team: Team, log_in: LogIn) -> None:
    client = log_in(bob)
    assert (
        "You no longer see them" in client.get(f"/teams/{team.pk}/members/{bob.pk}/remove/").content.decode()
    )
    client.post(f"/teams/{team.pk}/members/{bob.pk}/remove/")
    assert not Membership.objects.filter(user=bob, team=team).exists()


def test_a_superuser_makes_a_team(superuser: User, log_in: LogIn) -> None:
    client = log_in(superuser)
    assert "is made" in client.post("/teams/make/", {"name": "North"}, follow=True).content.decode()
    answer = client.post("/teams/make/", {"name": "NORTH"})
    assert answer.status_code == 422
    assert "There is a team" in answer.content.decode()


def test_another_team_is_not_found(alice: User, team: Team, log_in: LogIn) -> None:
    other = Team.objects.create(name="Other")
    for address in (f"/teams/?team={other.pk}", f"/teams/{other.pk}/members/", "/teams/?team=x"):
        assert log_in(alice).get(address).status_code == 404


def test_an_administrator_invites_sends_again_and_revokes(alice: User, team: Team, log_in: LogIn) -> None:
    client = log_in(alice)
    address = f"/teams/{team.pk}/invitations/"
    answer = client.post(address, {"email": "nina@example.com", "role": "operator"}, follow=True)
    assert "nina@example.com is invited" in answer.content.decode()
    page = page_of(client, team)
    assert "<bdi>nina@example.com</bdi>" in page
    assert "not mailed yet" in page
    assert '<td>Operator</td><td class="c-wide c-wrap"><bdi>alice</bdi></td>' in page
    invitation = Invitation.objects.get()
    answer = client.post(f"{address}{invitation.pk}/send-again/", follow=True)
    assert "was just asked for. Send it again in 5 minutes." in answer.content.decode()
    Invitation.objects.update(ends_at=F("ends_at") - MIN_PAUSE)
    before = invitation.ends_at - MIN_PAUSE
    answer = client.post(f"{address}{invitation.pk}/send-again/", follow=True)
    assert "on its way" in answer.content.decode()
    invitation.refresh_from_db()
    assert invitation.ends_at > before
    answer = client.post(f"{address}{invitation.pk}/revoke/", follow=True)
    assert "is revoked" in answer.content.decode()
    assert not Invitation.objects.exists()


def test_a_wrong_invitation_is_shown(alice: User, team: Team, log_in: LogIn) -> None:
    client, address = log_in(alice), f"/teams/{team.pk}/invitations/"
    form = {"email": "nina@example.com", "role": "operator"}
    client.post(address, form)
    for wrong, why in (
        (form, "already"),
        (form | {"email": "nina"}, "valid email"),
        (form | {"role": "x"}, "x"),
    ):
        answer = client.post(address, wrong)
        assert answer.status_code == 422
        assert why in answer.content.decode()
    assert Invitation.objects.count() == 1


def test_the_list_says_which_invitation_opens_nothing(
    alice: User, bob: User, team: Team, log_in: LogIn
) -> None:
    invite(alice, team, "nina@example.com", "operator")
    Membership.objects.filter(user=bob).update(role="administrator")
    Membership.objects.filter(user=alice).delete()
    page = page_of(log_in(bob), team)
    assert "alice may not invite to this role any more" in page
    Invitation.objects.update(ends_at=Now())
    assert ">ended</div>" in page_of(log_in(bob), team)


def test_others_see_no_address_that_is_invited(alice: User, bob: User, team: Team, log_in: LogIn) -> None:
    invitation = invite(alice, team, "nina@example.com", "operator")
    client = log_in(bob)
    assert "nina@example.com" not in page_of(client, team)
    for verb in ("send-again", "revoke"):
        assert client.post(f"/teams/{team.pk}/invitations/{invitation.pk}/{verb}/").status_code == 403
    # Of another team, whose administrator is the person.
    other = join(bob, "Other", Role.ADMINISTRATOR)
    for own in (other, team):
        address = f"/teams/{own.pk}/invitations/{invitation.pk}/revoke/"
        assert client.post(address).status_code in {403, 404}
    assert Invitation.objects.exists()


class TestRenaming:
    def test_a_superuser_renames_a_team(self, superuser: User, team: Team, log_in: LogIn) -> None:
        client, address = log_in(superuser), f"/teams/{team.pk}/rename/"
        assert address in page_of(client, team)
        assert 'value="Team of alice"' in client.get(address).content.decode()
        answer = client.post(address, {"name": "North"}, follow=True)
        assert "The team Team of alice is called North now." in answer.content.decode()
        entry = AuditEntry.objects.get(action=Action.TEAM_RENAME)
        assert (entry.before, entry.after) == ({"name": "Team of alice"}, {"name": "North"})

    def test_a_name_that_another_team_has_is_refused(
        self, superuser: User, team: Team, log_in: LogIn
    ) -> None:
        Team.objects.create(name="North")
        answer = log_in(superuser).post(f"/teams/{team.pk}/rename/", {"name": "north"})
        assert answer.status_code == 422
        page = squeeze(answer.content.decode())
        assert "There is a team “north” already." in page
        # The heading has the name that the team still has.
        assert "Rename Team of alice" in page

    def test_an_administrator_of_the_team_may_not(self, alice: User, team: Team, log_in: LogIn) -> None:
        client = log_in(alice)
        assert "rename" not in page_of(client, team)
        assert client.post(f"/teams/{team.pk}/rename/", {"name": "North"}).status_code == 403
        assert Team.objects.get(pk=team.pk).name == "Team of alice"

    def test_the_team_main_is_offered_no_other_name(self, superuser: User, log_in: LogIn) -> None:
        assert "rename" not in page_of(log_in(superuser), Team.objects.get(name="Main"))


def test_a_phone_shows_last_sign_in_and_second_factor_in_a_second_line(
    alice: User, team: Team, log_in: LogIn
) -> None:
    page = page_of(log_in(alice), team)
    assert re.search(
        r'<div class="c-narrow c-small c-subtle">last sign-in<time.*?</time>, without a second', page
    )
