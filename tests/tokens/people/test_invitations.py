"""Inviting, sending again, revoking and accepting, and who may not."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db.models import F
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import Settings

from tests.teams import join, set_role, team_of
from tokens.models import AuditEntry, Invitation, Membership, Team
from tokens.people.erase import erase_person
from tokens.people.invitations import (
    MAX_MAILS_PER_HOUR,
    MAX_OPEN,
    MIN_PAUSE,
    InvitationVoidError,
    accept_as_new_person,
    accept_invitation,
    digest_link,
    find_invitation,
    invite,
    mail_invitation,
    revoke_invitation,
    send_invitation_again,
)
from tokens.people.roles import Role
from tokens.people.teams import remove_member
from tokens.permissions import SYSTEM
from tokens.processes.pruning import prune_tokens_histories

# A task that mails gives its connection back, so nothing may hold a transaction around it.
pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "nina@example.com"


@pytest.fixture(autouse=True)
def mail_box(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.PUBLIC_URL = "https://ads.example.com"


@pytest.fixture
def administrator(alice: User) -> User:
    return set_role(alice, Role.ADMINISTRATOR)


@pytest.fixture
def team(administrator: User) -> Team:
    return team_of(administrator)


@pytest.fixture
def nina() -> User:
    """Somebody who has signed in by single sign-on, and has no rights yet."""
    return User.objects.create_user("nina")


def send(invitation: Invitation) -> str:
    """Mail the invitation as the worker does; return the digest of the link in the mail."""
    mail_invitation(str(invitation.pk))
    return digest_link(secret_in(str(mail.outbox[-1].body)))


def secret_in(text: str) -> str:
    found = re.search(r"https://ads\.example\.com/auth/invitation/\?key=(\S+)", text)
    assert found, text
    return found[1]


def written() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor_name"))


class TestInviting:
    def test_the_mail_names_first_name_team_and_role_and_nobody_stores_its_secret(
        self, administrator: User, team: Team
    ) -> None:
        User.objects.filter(pk=administrator.pk).update(first_name="Alice")
        invitation = invite(administrator, team, f" {ADDRESS} ", "operator")
        job = ProcrastinateJob.objects.get()
        assert (job.task_name, job.args) == (mail_invitation.name, {"invitation_id": str(invitation.pk)})
        digest = send(invitation)
        [message] = mail.outbox
        assert message.to == [ADDRESS]
        assert "Alice invites you to the team “Team of alice” at https://ads.example.com, as operator." in (
            message.body
        )
        assert administrator.username not in str(message.body).replace(str(team), "")
        stored = Invitation.objects.get()
        assert (stored.digest, stored.invited_by) == (digest, administrator)
        assert stored.mailed_at is not None
        assert stored.ends_at - stored.created_at == timedelta(days=7)
        assert secret_in(str(message.body)) not in str([Invitation.objects.values(), job.args])
        assert written() == [("invitation.make", "alice")]
        assert AuditEntry.objects.get().team_id == team.pk
        assert ADDRESS not in str(list(AuditEntry.objects.values()))

    def test_a_hostile_first_name_writes_no_line_of_its_own(self, administrator: User, team: Team) -> None:
        User.objects.filter(pk=administrator.pk).update(first_name="Alice\r\nBcc: x@example.com")
        send(invite(administrator, team, ADDRESS, "viewer"))
        assert str(mail.outbox[0].body).startswith("Alice\\x0d\\x0aBcc: x@example.com invites you")

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
    def test_only_administrators_of_the_team_invite(self, alice: User, role: Role) -> None:
        team, user = team_of(alice), set_role(alice, role)
        join(user, "Another team", Role.ADMINISTRATOR)
        with pytest.raises(PermissionDenied):
            invite(user, team, ADDRESS, "viewer")

    @pytest.mark.parametrize(
        "address", ["", "nina", "nina@", "a b@example.com", "n@e.com\nBcc: x@e.com", None, 7]
    )
    def test_what_is_no_address_is_refused(self, administrator: User, team: Team, address: object) -> None:
        with pytest.raises(ValidationError):
            invite(administrator, team, address, "viewer")

    @pytest.mark.parametrize("role", ["tokens", "owner", "", None])
    def test_an_unknown_role_is_refused(self, administrator: User, team: Team, role: object) -> None:
        with pytest.raises(ValidationError):
            invite(administrator, team, ADDRESS, role)

    def test_an_address_is_invited_once_to_a_team(self, administrator: User, team: Team) -> None:
        invite(administrator, team, ADDRESS, "viewer")
        with pytest.raises(ValidationError, match="already"):
            invite(administrator, team, ADDRESS.upper(), "operator")
        invite(SYSTEM, Team.objects.create(name="North"), ADDRESS, "viewer")
        Invitation.objects.update(ends_at=Now())
        assert invite(administrator, team, ADDRESS, "operator").role == "operator"

    def test_an_address_with_a_login_is_answered_like_any_other(
        self, administrator: User, team: Team
    ) -> None:
        User.objects.create_user("nina", ADDRESS)
        for address in (ADDRESS, "somebody@example.com"):
            send(invite(administrator, team, address, "viewer"))
        texts = [re.sub(r"key=\S+", "", str(message.body)) for message in mail.outbox]
        assert texts[0] == texts[1]

    def test_a_team_invites_only_so_many(self, administrator: User, team: Team) -> None:
        Invitation.objects.bulk_create(
            Invitation(team=team, email=f"{n}@example.com", role="viewer", ends_at=Now() + timedelta(days=1))
            for n in range(MAX_OPEN)
        )
        with pytest.raises(ValidationError, match="Revoke an invitation first"):
            invite(administrator, team, ADDRESS, "viewer")

    def test_a_command_invites(self, team: Team, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("team", str(team), "--invite", ADDRESS, "--role", "viewer")
        assert Invitation.objects.get().invited_by is None
        assert capsys.readouterr().out == f"{team.pk}\n"
        assert find_invitation(send(Invitation.objects.get())) is not None
        with pytest.raises(CommandError, match="already"):
            call_command("team", str(team), "--invite", ADDRESS, "--role", "viewer")


class TestLimits:
    def test_an_invitation_is_mailed_once_in_five_minutes(self, administrator: User, team: Team) -> None:
        invitation = invite(administrator, team, ADDRESS, "viewer")
        digest = send(invitation)
        with pytest.raises(ValidationError, match=r"just asked for. Send it again in 5 minutes\."):
            send_invitation_again(administrator, invitation)
        assert find_invitation(digest) == invitation
        make_old(invitation)
        send_invitation_again(administrator, invitation)
        with pytest.raises(ValidationError, match="just asked for"):
            send_invitation_again(SYSTEM, invitation)

    def test_a_person_sends_so_many_in_an_hour_whatever_becomes_of_them(
        self, administrator: User, team: Team
    ) -> None:
        for number in range(MAX_MAILS_PER_HOUR - 1):
            invitation = invite(administrator, team, f"{number}@example.com", "viewer")
            if number % 2:
                revoke_invitation(administrator, invitation)
        waiting = Invitation.objects.earliest("pk")
        make_old(waiting)
        send_invitation_again(administrator, waiting)
        refusal = r"at most 20 invitations in an hour. You can send the next one in 60 minutes\."
        with pytest.raises(ValidationError, match=refusal):
            invite(administrator, team, ADDRESS, "viewer")
        make_old(waiting)
        with pytest.raises(ValidationError, match=refusal):
            send_invitation_again(administrator, waiting)
        # Others and commands are counted by themselves.
        bob = User.objects.create_user("bob", is_staff=True)
        join(bob, str(team), Role.ADMINISTRATOR)
        invite(bob, team, ADDRESS, "viewer")
        invite(SYSTEM, team, "another@example.com", "viewer")


def make_old(invitation: Invitation) -> None:
    """Let the last mail of the invitation be older than the pause between two."""
    Invitation.objects.filter(pk=invitation.pk).update(ends_at=F("ends_at") - MIN_PAUSE)


class TestSendingAgain:
    def test_the_new_link_works_and_the_old_one_does_not(self, administrator: User, team: Team) -> None:
        invitation = invite(administrator, team, ADDRESS, "viewer")
        old = send(invitation)
        Invitation.objects.update(ends_at=Now())
        send_invitation_again(administrator, invitation)
        assert Invitation.objects.get().mailed_at is None
        new = send(invitation)
        assert find_invitation(old) is None
        assert find_invitation(new) == invitation
        assert written()[-1] == ("invitation.send_again", "alice")

    def test_it_is_in_the_name_of_who_sends_it_again(self, administrator: User, team: Team) -> None:
        invitation = invite(administrator, team, ADDRESS, "viewer")
        bob = User.objects.create_user("bob", is_staff=True)
        join(bob, str(team), Role.ADMINISTRATOR)
        make_old(invitation)
        send_invitation_again(bob, invitation)
        remove_member(SYSTEM, team, administrator)
        assert find_invitation(send(invitation)) == invitation

    def test_an_invitation_that_is_gone_is_not_sent(self, administrator: User, team: Team) -> None:
        invitation = invite(administrator, team, ADDRESS, "viewer")
        kept = Invitation.objects.get()
        assert revoke_invitation(administrator, invitation)
        assert not revoke_invitation(administrator, kept)
        with pytest.raises(Invitation.DoesNotExist):
            send_invitation_again(administrator, kept)
        mail_invitation(str(kept.pk))
        assert not mail.outbox
        assert [action for action, _ in written()] == ["invitation.make", "invitation.revoke"]


class TestAccepting:
    def test_a_person_who_is_here_becomes_staff_and_a_member(
        self, administrator: User, team: Team, nina: User
    ) -> None:
        invitation = invite(administrator, team, ADDRESS, "operator")
        number = str(invitation.pk)
        assert accept_invitation(nina, send(invitation)) == team
        nina.refresh_from_db()
        assert (nina.is_staff, nina.is_superuser) == (True, False)
        membership = Membership.objects.get(user=nina)
        assert (membership.team, membership.role, membership.source) == (team, "operator", "person")
        entry = AuditEntry.objects.latest("pk")
        assert (entry.action, entry.actor_name, entry.team_id) == ("invitation.accept", "nina", team.pk)
        assert entry.after == {"role": "operator", "invited_by": "alice", "invitation": number}

    def test_a_new_person_gets_the_invited_address(self, administrator: User, team: Team) -> None:
        digest = send(invite(administrator, team, ADDRESS, "viewer"))
        person = accept_as_new_person(digest, "nina", "correct horse battery")
        assert (person.username, person.email, person.is_staff) == ("nina", ADDRESS, True)
        assert person.check_password("correct horse battery")
        assert Membership.objects.get(user=person).role == "viewer"
        assert written()[-2:] == [("person.make", "nina"), ("invitation.accept", "nina")]

    @pytest.mark.parametrize("is_active", [True, False])
    def test_an_address_that_has_a_login_gets_no_second_one(
        self, administrator: User, team: Team, is_active: bool
    ) -> None:
        User.objects.create_user("nina", ADDRESS.upper(), is_active=is_active)
        digest = send(invite(administrator, team, ADDRESS, "viewer"))
        with pytest.raises(InvitationVoidError):
            accept_as_new_person(digest, "another", "correct horse battery")
        assert not User.objects.filter(username="another").exists()
        assert find_invitation(digest) is not None

    @pytest.mark.parametrize(("role", "kept"), [("viewer", "operator"), ("administrator", "administrator")])
    def test_nobody_loses_a_higher_role(
        self, administrator: User, team: Team, nina: User, role: str, kept: str
    ) -> None:
        join(nina, str(team), Role.OPERATOR)
        accept_invitation(nina, send(invite(administrator, team, ADDRESS, role)))
        assert Membership.objects.get(user=nina).role == kept

    def test_a_link_works_once(self, administrator: User, team: Team, nina: User) -> None:
        digest = send(invite(administrator, team, ADDRESS, "viewer"))
        accept_invitation(nina, digest)
        with pytest.raises(InvitationVoidError):
            accept_invitation(User.objects.create_user("another"), digest)
        with pytest.raises(InvitationVoidError):
            accept_as_new_person(digest, "new", "correct horse battery")
        assert not User.objects.filter(username="new").exists()

    @pytest.mark.parametrize(
        "end", ["time", "revoked", "inviter left", "inviter lowered", "inviter inactive", "inviter no staff"]
    )
    def test_what_is_void_is_refused(self, administrator: User, team: Team, nina: User, end: str) -> None:
        invitation = invite(administrator, team, ADDRESS, "viewer")
        digest = send(invitation)
        match end:
            case "time":
                Invitation.objects.update(ends_at=Now())
            case "revoked":
                revoke_invitation(administrator, invitation)
            case "inviter left":
                Membership.objects.filter(user=administrator).delete()
            case "inviter lowered":
                Membership.objects.filter(user=administrator).update(role="operator")
            case "inviter inactive":
                User.objects.filter(pk=administrator.pk).update(is_active=False)
            case "inviter no staff":
                User.objects.filter(pk=administrator.pk).update(is_staff=False)
        assert find_invitation(digest) is None
        with pytest.raises(InvitationVoidError):
            accept_invitation(nina, digest)
        with pytest.raises(InvitationVoidError):
            accept_as_new_person(digest, "new", "correct horse battery")
        nina.refresh_from_db()
        assert not nina.is_staff
        assert not Membership.objects.filter(user=nina).exists()
        mail_invitation(str(invitation.pk))
        assert len(mail.outbox) == 1

    def test_a_person_who_is_not_active_is_refused(self, administrator: User, team: Team, nina: User) -> None:
        digest = send(invite(administrator, team, ADDRESS, "viewer"))
        User.objects.filter(pk=nina.pk).update(is_active=False)
        with pytest.raises(InvitationVoidError):
            accept_invitation(nina, digest)
        assert find_invitation(digest) is not None
        assert not Membership.objects.filter(user=nina).exists()

    @pytest.mark.parametrize("digest", ["", "0" * 64])
    def test_nothing_is_found_by_nothing(self, administrator: User, team: Team, digest: str) -> None:
        # Its mail is not sent yet, so it has no digest.
        invite(administrator, team, ADDRESS, "viewer")
        assert find_invitation(digest) is None


class TestEnd:
    def test_it_is_forgotten_a_month_after_its_end(self, administrator: User, team: Team) -> None:
        invite(administrator, team, ADDRESS, "viewer")
        Invitation.objects.update(ends_at=Now() - timedelta(days=29))
        prune_tokens_histories()
        assert Invitation.objects.exists()
        Invitation.objects.update(ends_at=Now() - timedelta(days=31))
        prune_tokens_histories()
        assert not Invitation.objects.exists()

    def test_who_is_erased_is_neither_invited_nor_invites(self, administrator: User, team: Team) -> None:
        nina = User.objects.create_user("nina", ADDRESS)
        invite(SYSTEM, team, ADDRESS, "viewer")
        invite(administrator, team, "other@example.com", "viewer")
        erase_person(SYSTEM, nina)
        assert Invitation.objects.get().email == "other@example.com"
        erase_person(SYSTEM, administrator)
        assert not Invitation.objects.exists()
