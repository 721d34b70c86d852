"""The page of a person's own sessions, and the sessions of all in the admin."""

import re

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.api_keys import new_key
from tests.dashboard.conftest import LogIn, squeeze, staff
from tokens.connect import oauth
from tokens.models import ApiKey, AuthorizationAttempt, Session
from tokens.people.sessions import digest_key

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"


def sign_in(name: str, *, user_agent: str = FIREFOX, address: str = "192.0.2.7") -> Client:
    """Sign in through the login page."""
    browser = Client(headers={"User-Agent": user_agent}, REMOTE_ADDR=address)
    user = User.objects.get(username=name)
    if not user.has_usable_password():
        user.set_password("a-password")
        user.save()
    assert browser.post("/auth/login/", {"login": name, "password": "a-password"}).status_code == 302
    return browser


def session_of(browser: Client) -> Session:
    return Session.objects.get(key_digest=digest_key(browser.cookies[settings.SESSION_COOKIE_NAME].value))


class TestPage:
    def test_it_lists_where_a_person_is_signed_in(self, alice: User, bob: User) -> None:
        here = sign_in("alice")
        sign_in("alice", user_agent="<script>alert(1)</script>\x1b[2J", address="2001:db8::1")
        sign_in("bob", address="198.51.100.9")
        html = squeeze(here.get("/auth/sessions/").content.decode())
        assert "Firefox on Linux" in html
        assert "192.0.2.7" in html
        assert "2001:db8::1" in html
        assert "198.51.100.9" not in html
        assert html.count("This browser") == 1
        assert "&lt;script&gt;" in html
        assert "<script>alert" not in html
        assert "\x1b" not in html

    def test_it_shows_no_key_and_no_digest(self, alice: User) -> None:
        here = sign_in("alice")
        html = here.get("/auth/sessions/").content.decode()
        assert session_of(here).key_digest not in html
        assert here.cookies[settings.SESSION_COOKIE_NAME].value not in html

    def test_one_session_is_ended(self, alice: User) -> None:
        here, there = sign_in("alice"), sign_in("alice")
        here.post("/auth/sessions/end/", {"session": session_of(there).pk})
        assert there.get("/auth/sessions/").status_code == 302
        assert here.get("/auth/sessions/").status_code == 200

    def test_ending_this_session_leads_to_the_login(self, alice: User) -> None:
        here = sign_in("alice")
        answer = here.post("/auth/sessions/end/", {"session": session_of(here).pk})
        assert "login" in answer["Location"]
        assert not Session.objects.filter(user=alice).exists()

    def test_all_sessions_are_ended(self, alice: User, bob: User) -> None:
        here, there, other = sign_in("alice"), sign_in("alice"), sign_in("bob")
        answer = here.post("/auth/sessions/end-everywhere/")
        assert "login" in answer["Location"]
        assert not Session.objects.filter(user=alice).exists()
        assert there.get("/auth/sessions/").status_code == 302
        assert other.get("/auth/sessions/").status_code == 200

    @pytest.mark.parametrize("who", ["bob", "root"])
    def test_the_session_of_another_person_is_not_found(
        self, alice: User, bob: User, superuser: User, log_in: LogIn, who: str
    ) -> None:
        browser = log_in(User.objects.get(username=who))
        theirs = session_of(log_in(alice))
        assert browser.post("/auth/sessions/end/", {"session": theirs.pk}).status_code == 404
        assert Session.objects.filter(pk=theirs.pk).exists()

    @pytest.mark.parametrize("session", ["", "x", "é", "0193c8a0-0000-7000-8000-000000000001"])
    def test_a_malformed_or_unknown_session_is_not_found(
        self, alice: User, log_in: LogIn, session: str
    ) -> None:
        assert log_in(alice).post("/auth/sessions/end/", {"session": session}).status_code == 404

    @pytest.mark.parametrize("button", ["end", "end-everywhere", "end-keys"])
    def test_a_button_without_its_csrf_token_does_nothing(self, alice: User, button: str) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(alice)
        answer = browser.post(f"/auth/sessions/{button}/", {"session": session_of(browser).pk})
        assert answer.status_code == 403
        assert Session.objects.filter(user=alice).exists()

    def test_it_needs_few_queries(
        self, alice: User, log_in: LogIn, django_assert_max_num_queries: object
    ) -> None:
        browser = log_in(alice)
        assert callable(django_assert_max_num_queries)
        # The session, the person, the permissions, the badge of the menu, the sessions, the number of keys.
        with django_assert_max_num_queries(6):
            browser.get("/auth/sessions/")


# Every page of what is a person's own.
OWN_PAGES = [
    "/auth/sessions/",
    "/auth/security/",
    "/auth/password/change/",
    "/auth/2fa/",
    "/auth/2fa/totp/activate/",
    "/auth/logout/",
]


@pytest.fixture(params=["stranger", "viewer who is no longer staff", "staff without a group"])
def somebody(request: pytest.FixtureRequest) -> User:
    """A person who may open no page of the console."""
    user = staff("sam", *(["Viewer"] if "viewer" in request.param else []))
    user.is_staff = "without a group" in request.param
    user.save()
    return user


class TestWithoutRights:
    def test_a_person_sees_and_ends_the_own_sessions(self, somebody: User, alice: User) -> None:
        here, there, other = sign_in("sam"), sign_in("sam"), sign_in("alice", address="198.51.100.9")
        html = here.get("/auth/sessions/").content.decode()
        assert html.count('name="session"') == 2
        assert "198.51.100.9" not in html
        here.post("/auth/sessions/end/", {"session": session_of(there).pk})
        assert there.get("/auth/sessions/").status_code == 302
        here.post("/auth/sessions/end-everywhere/")
        assert here.get("/auth/sessions/").status_code == 302
        assert other.get("/auth/sessions/").status_code == 200

    def test_a_person_ends_the_own_keys(self, somebody: User, log_in: LogIn) -> None:
        new_key(somebody)
        browser = log_in(somebody)
        assert "1 API key acts" in browser.get("/auth/sessions/").content.decode()
        browser.post("/auth/sessions/end-keys/")
        assert not ApiKey.objects.exists()

    @pytest.mark.parametrize("address", OWN_PAGES)
    def test_the_frame_of_an_own_page_has_a_heading_and_leads_only_where_the_person_may_go(
        self, somebody: User, address: str
    ) -> None:
        browser = sign_in("sam")
        html = browser.get(address).content.decode()
        assert "<h1" in html
        assert "have permission" not in html
        # The search finds what others have.
        assert ("opencommand" in html) == somebody.is_staff
        links = set(re.findall(r'href="(/[^"]*)"', html)) - set(re.findall(r'"(/static/[^"]*)"', html))
        assert {"/auth/security/", "/auth/sessions/"} <= links
        for link in links:
            assert browser.get(link, follow=True).status_code == 200, link

    @pytest.mark.parametrize("address", OWN_PAGES)
    def test_the_log_out_button_of_the_frame_works(self, somebody: User, address: str) -> None:
        browser = sign_in("sam")
        (button,) = re.findall(
            r'id="logout-form" method="post" action="([^"]+)"', browser.get(address).content.decode()
        )
        browser.post(button)
        assert not Session.objects.filter(user=somebody).exists()

    def test_the_menu_counts_no_connections(
        self, somebody: User, log_in: LogIn, django_assert_max_num_queries: object
    ) -> None:
        browser = log_in(somebody)
        assert callable(django_assert_max_num_queries)
        # The session, the person, the permissions, the sessions, the number of keys.
        with django_assert_max_num_queries(5) as queries:
            browser.get("/auth/sessions/")
        assert not any("tokens_connection" in query["sql"] for query in queries)

    def test_an_unknown_address_offers_no_overview(self, somebody: User, log_in: LogIn) -> None:
        answer = log_in(somebody).get("/nowhere/")
        html = answer.content.decode()
        assert answer.status_code == 404
        assert "overview" not in html
        assert 'href="/"' not in html

    def test_whoever_may_open_nothing_is_led_to_the_own_pages(self, log_in: LogIn) -> None:
        browser = log_in(User.objects.create_user("stranger"))
        answer = browser.get("/", follow=True)
        assert answer.status_code == 403
        assert 'href="/auth/security/"' in answer.content.decode()


class TestAdmin:
    def test_a_superuser_ends_a_session_of_another_person(
        self, alice: User, superuser: User, log_in: LogIn
    ) -> None:
        root, browser = log_in(superuser), log_in(alice)
        session = session_of(browser)
        page = root.get("/admin/tokens/session/").content.decode()
        details = root.get(f"/admin/tokens/session/{session.pk}/change/").content.decode()
        assert "alice" in page
        assert session.key_digest not in page + details
        root.post("/admin/tokens/session/", {"action": "end", "_selected_action": session.pk})
        assert browser.get("/auth/sessions/").status_code == 302
        assert root.get("/auth/sessions/").status_code == 200

    def test_it_cannot_be_searched_for_a_digest(self, alice: User, superuser: User, log_in: LogIn) -> None:
        root = log_in(superuser)
        answer = root.get("/admin/tokens/session/?key_digest__startswith=a")
        assert answer.status_code == 400


def test_a_consent_belongs_to_the_session_that_began_it(alice: User, log_in: LogIn) -> None:
    browser = log_in(alice)
    oauth.begin(alice, str(browser.session.session_key))
    assert AuthorizationAttempt.objects.get().session_digest == session_of(browser).key_digest
