"""An invitation where single sign-on is the only way in."""

from django.contrib.auth.models import User
from django.db.models.functions import Now
from pytest_django import Settings

from tests.dashboard.sign_in.conftest import PASSWORD
from tests.dashboard.sign_in.oidc.conftest import SignOn, person_at
from tests.public_url import browser_at_public_url
from tokens.models import Invitation, Membership, Team
from tokens.people.invitations import digest_link, invite
from tokens.permissions import SYSTEM

PAGE = "/auth/invitation/"


def test_the_provider_signs_the_new_person_in_who_then_accepts(sign_on: SignOn, settings: Settings) -> None:
    settings.OIDC_ONLY = True
    team = Team.objects.create(name="North")
    invite(SYSTEM, team, "nina@example.com", "operator")
    Invitation.objects.update(digest=digest_link("secret"), mailed_at=Now())
    browser = browser_at_public_url()
    text = browser.get(f"{PAGE}?key=secret", follow=True).content.decode()
    assert "An administrator" in text
    assert "Choose a user name" not in text
    assert "Log in with single sign-on" in text
    form = {"username": "nina", "password1": PASSWORD, "password2": PASSWORD}
    assert browser.post("/auth/invitation/login/", form)["Location"] == PAGE
    assert not User.objects.exists()
    assert sign_on("n-1", browser, next=PAGE)["Location"] == PAGE
    nina = person_at(browser)
    assert nina is not None
    assert not nina.is_staff
    assert browser.post(PAGE, follow=True).status_code == 200
    member = User.objects.get()
    assert member.is_staff
    assert not member.has_usable_password()
    assert Membership.objects.get(user=member).team == team
