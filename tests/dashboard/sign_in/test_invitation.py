"""The page of an invitation, as the person opens it who has the link from the mail."""

import logging

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from amazon_accounts.server.lanes import HASHING, Hashing
from tests.dashboard.conftest import squeeze
from tests.dashboard.sign_in.conftest import PASSWORD, TryPassword
from tests.dashboard.sign_in.oidc.conftest import person_at
from tests.public_url import browser_at_public_url
from tests.teams import join
from tokens.models import AuditEntry, Invitation, Membership, Team
from tokens.people.invitations import digest_link, invite
from tokens.people.roles import Role

SECRET = "the-secret-of-the-link"
LINK = f"/auth/invitation/?key={SECRET}"
PAGE = "/auth/invitation/"
MAKE = "/auth/invitation/login/"
FORM = {"username": "nina", "password1": PASSWORD, "password2": PASSWORD}

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    boss = User.objects.create_user("boss-of-north", first_name="Ada", is_staff=True)
    team = join(boss, "North", Role.ADMINISTRATOR)
    invite(boss, team, "nina@example.com", "operator")
    # As the worker does when it mails the link.
    Invitation.objects.update(digest=digest_link(SECRET), mailed_at=Now())
    return team


@pytest.fixture
def browser(team: Team) -> Client:
    """A browser in which the link was opened."""
    client = browser_at_public_url()
    opened = client.get(LINK)
    assert (opened.status_code, opened["Location"]) == (302, PAGE)
    return client


def text_of(client: Client) -> str:
    answer = client.get(PAGE)
    assert answer.status_code == 200
    return squeeze(answer.content.decode())


class TestOpening:
    def test_it_shows_who_invites_by_first_name_and_does_nothing(self, browser: Client, team: Team) -> None:
        text = text_of(browser)
        assert "<bdi>Ada</bdi>invites you to the team<bdi>North</bdi>, as operator." in text
        assert "boss-of-north" not in text
        assert "nina@example.com" not in text
        assert Invitation.objects.exists()
        assert not AuditEntry.objects.filter(action="invitation.accept").exists()

    def test_the_secret_is_in_no_later_address_header_page_or_session(self, browser: Client) -> None:
        opened, page = browser.get(LINK), browser.get(PAGE)
        assert opened["Referrer-Policy"] == "no-referrer"
        for answer in (opened, page):
            assert "no-store" in answer["Cache-Control"]
            assert SECRET not in answer.content.decode() + str(answer.headers)
        assert SECRET not in str(dict(browser.session))

    def test_no_log_has_the_secret(
        self, team: Team, caplog: pytest.LogCaptureFixture, settings: Settings
    ) -> None:
        caplog.set_level(logging.DEBUG, "django.request")
        Invitation.objects.update(ends_at=Now())
        assert Client().get(LINK).status_code == 410
        for _ in range(31):
            refused = Client().get(LINK)
        assert refused.status_code == 429
        assert caplog.text
        assert SECRET not in caplog.text

    @pytest.mark.parametrize("query", ["?key=wrong", "?key=", "?key=%00", "?key=" + "x" * 500, ""])
    def test_what_leads_nowhere_says_so(self, team: Team, query: str) -> None:
        client = Client()
        for answer in (client.get(PAGE + query), client.post(PAGE + query), client.post(MAKE + query, FORM)):
            assert answer.status_code in {400, 410}
        assert "This invitation opens nothing" in client.get(PAGE).content.decode()
        assert Invitation.objects.exists()

    def test_guesses_are_limited_by_address_and_the_right_link_costs_no_turn(self, team: Team) -> None:
        client = Client(REMOTE_ADDR="198.51.100.7")
        for _ in range(40):
            assert client.get(LINK).status_code == 302
        answers = [client.get(f"{PAGE}?key={number}").status_code for number in range(31)]
        assert answers == [410] * 30 + [429]
        assert int(client.get(LINK)["Retry-After"]) > 0
        assert Client(REMOTE_ADDR="198.51.100.8").get(LINK).status_code == 302


class TestNewLogin:
    def test_a_new_person_chooses_name_and_password_and_is_signed_in(
        self, browser: Client, team: Team
    ) -> None:
        assert "Choose a user name and a password" in text_of(browser)
        answer = browser.post(MAKE, FORM)
        assert (answer.status_code, answer["Location"]) == (302, "/")
        nina = person_at(browser)
        assert nina is not None
        assert (nina.username, nina.email, nina.is_staff) == ("nina", "nina@example.com", True)
        assert Membership.objects.get(user=nina).team == team
        assert browser.get("/").status_code == 200
        assert browser.get(PAGE).status_code == 410
        actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
        assert actions[-3:] == ["person.make", "invitation.accept", "session.sign_in"]

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"password1": "12345678", "password2": "12345678"}, "too common"),
            ({"password1": "short", "password2": "short"}, "too short"),
            ({"password2": "another horse battery"}, "match"),
            ({"password1": "nina@example.com", "password2": "nina@example.com"}, "too similar"),
            ({"username": "BOSS-of-north"}, "already exists"),
            ({"username": ""}, "required"),
            ({"username": "a b"}, "valid username"),
        ],
    )
    def test_a_form_that_is_wrong_makes_nobody(
        self, browser: Client, changes: dict[str, str], why: str
    ) -> None:
        answer = browser.post(MAKE, FORM | changes)
        assert answer.status_code == 422
        assert why in answer.content.decode()
        assert User.objects.count() == 1
        assert Invitation.objects.exists()

    def test_without_the_link_nobody_makes_a_login(self, team: Team) -> None:
        assert Client().post(MAKE, FORM).status_code == 410
        assert User.objects.count() == 1

    def test_the_password_is_hashed_in_the_lane_for_it(self, browser: Client, team: Team) -> None:
        hashing = Hashing()
        browser.post(MAKE, FORM, **{HASHING: hashing})  # type: ignore[arg-type]
        assert hashing.is_wanted
        assert User.objects.count() == 1
        stranger = Hashing()
        Client().post(MAKE, FORM, **{HASHING: stranger})  # type: ignore[arg-type]
        assert not stranger.is_wanted

    def test_an_address_with_a_login_is_asked_to_sign_in(
        self, browser: Client, team: Team, try_password: TryPassword
    ) -> None:
        nina = User.objects.create_user("nina", "Nina@example.com", PASSWORD)
        text = text_of(browser)
        assert "You have a login here. Log in" in text
        assert MAKE not in text
        assert browser.post(MAKE, FORM | {"username": "second"})["Location"] == PAGE
        assert User.objects.count() == 2
        try_password(name="nina", client=browser, form={"next": PAGE})
        assert browser.post(PAGE).status_code == 303
        assert Membership.objects.get(user=nina).role == "operator"


class TestLoginThatIsThere:
    def test_a_person_who_is_signed_in_accepts_by_a_press(
        self, team: Team, carla: User, try_password: TryPassword
    ) -> None:
        client = Client()
        try_password(client=client)
        client.get(LINK)
        assert "Accept as<bdi>carla</bdi>" in text_of(client)
        assert not Membership.objects.filter(user=carla).exists()
        answer = client.post(PAGE, follow=True)
        assert "You are a member of North now." in answer.content.decode()
        assert Membership.objects.get(user=carla).team == team
        assert client.post(PAGE).status_code == 410

    def test_a_stranger_accepts_nothing_by_a_press(self, browser: Client, team: Team) -> None:
        assert browser.post(PAGE).status_code == 200
        assert Invitation.objects.exists()

    def test_the_invitation_outlives_the_sign_in(
        self, browser: Client, carla: User, try_password: TryPassword
    ) -> None:
        try_password(client=browser, form={"next": PAGE})
        assert browser.post(PAGE).status_code == 303
        assert Membership.objects.filter(user=carla).exists()

    def test_another_page_cannot_press(self, team: Team, carla: User) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(carla)
        client.get(LINK)
        assert client.post(PAGE).status_code == 403
        assert Invitation.objects.exists()
