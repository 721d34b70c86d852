from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.utils import timezone

from amazon_accounts.amazon_ads.lwa import Grant
from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.sandbox.state import Sandbox
from tests.public_url import browser_at_public_url
from tests.teams import set_role, team_of
from tests.tokens.conftest import new_connection
from tests.tokens.connect.oauth.browsing import START, begin, come_back, connect, log_in, refuse
from tokens.connect import oauth
from tokens.connect.grants import Consent
from tokens.connect.identity import Identity
from tokens.models import AuthorizationAttempt, Connection
from tokens.people.erase import erase_person
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_sends_the_browser_to_amazon(browser: Client, settings: LazySettings, sandbox: Sandbox) -> None:
    address = urlsplit(begin(browser))
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert address.path.endswith("/na/ap/oa")
    assert query["client_id"] == settings.AMAZON_CLIENT_ID
    assert query["scope"] == settings.AMAZON_SCOPES
    assert query["response_type"] == "code"
    assert query["redirect_uri"] == f"{settings.PUBLIC_URL}/connect/amazon/callback/"
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert len(query["state"]) >= 32


@pytest.mark.parametrize("region", ["NA", "EU", "FE"])
def test_it_chooses_amazons_host_by_region(browser: Client, sandbox: Sandbox, region: str) -> None:
    assert f"/{region.lower()}/ap/oa" in begin(browser, region=region)


def test_only_a_post_with_a_csrf_token_starts(browser: Client, sandbox: Sandbox, alice: User) -> None:
    for method in (browser.get, browser.head):
        response = method(START, {"regions": "EU", "label": "Drive-by"})
        assert response.status_code == HTTPStatus.OK
        assert b"/ap/oa" not in response.content
        assert b"Drive-by" not in response.content
    assert log_in(alice, enforce_csrf_checks=True).post(START).status_code == HTTPStatus.FORBIDDEN
    assert not AuthorizationAttempt.objects.exists()


def test_the_form_asks_for_label_and_regions_of_a_new_connection_only(
    browser: Client, sandbox: Sandbox, alice: User, settings: LazySettings
) -> None:
    page = browser.get(START).content.decode()
    assert 'name="label"' in page
    assert page.count('name="regions"') == 3
    connection = new_connection(alice, settings, "Atzr|x")
    page = browser.get(START, {"connection": str(connection.pk)}).content.decode()
    assert "Reconnect Garden shop" in page
    assert 'name="label"' not in page
    assert 'name="regions"' not in page


def test_it_requires_a_signed_in_person_with_the_permission(alice: User) -> None:
    client = browser_at_public_url()
    assert "/login/" in client.get(START)["Location"]
    assert "/login/" in client.post(START)["Location"]
    client.force_login(alice)
    assert client.get(START).status_code == HTTPStatus.FORBIDDEN
    assert client.post(START).status_code == HTTPStatus.FORBIDDEN


class TestOtherHostName:
    def test_it_goes_to_the_public_address_before_it_starts(
        self, alice: User, browser: Client, settings: LazySettings
    ) -> None:
        elsewhere = Client(headers={"host": "127.0.0.1:8000"})
        elsewhere.force_login(alice)
        public = f"{settings.PUBLIC_URL}{START}?at-public-url=1"
        for response in (elsewhere.get(START), elsewhere.post(START, {"regions": "EU"})):
            assert (response.status_code, response["Location"]) == (HTTPStatus.SEE_OTHER, public)
        response = elsewhere.post(START, {"connection": "7c3e"})
        assert response["Location"] == f"{public}&connection=7c3e"
        assert not AuthorizationAttempt.objects.exists()
        assert browser.get(f"{START}?at-public-url=1").status_code == HTTPStatus.OK

    def test_a_proxy_that_hides_the_host_name_causes_no_circle(
        self, alice: User, settings: LazySettings, sandbox: Sandbox
    ) -> None:
        behind_proxy = Client()
        behind_proxy.force_login(alice)
        set_role(alice, Role.OPERATOR)
        page = behind_proxy.get(f"{START}?at-public-url=1")
        assert f'action="{START}?at-public-url=1"' in page.content.decode()
        headers = {"origin": settings.PUBLIC_URL}
        response = behind_proxy.post(START, {"regions": "EU"}, headers=headers)
        assert b"/ap/oa" in response.content

    def test_the_browsers_origin_counts_more_than_the_mark(self, browser: Client) -> None:
        response = browser.post(
            f"{START}?at-public-url=1", {"regions": "EU"}, headers={"origin": "http://127.0.0.1:8000"}
        )
        assert response.status_code == HTTPStatus.SEE_OTHER


@pytest.mark.usefixtures("wrong_clock")
def test_the_consent_has_the_time_of_the_database(browser: Client, sandbox: Sandbox) -> None:
    connect(browser, sandbox)
    consented_at = Connection.objects.get().consented_at
    assert consented_at is not None
    assert abs(consented_at - database_now()) < timedelta(seconds=20)


def test_it_connects_a_login(
    browser: Client, sandbox: Sandbox, alice: User, settings: LazySettings, changes: list[str]
) -> None:
    shown = connect(browser, sandbox, label="Garden shop", regions=["NA", "EU"])
    assert shown.startswith("Connected. Looking for accounts in 2 regions now")
    connection = Connection.objects.get()
    assert connection.owner == alice
    assert connection.label == "Garden shop"
    assert connection.regions == ["NA", "EU"]
    assert connection.client_id == settings.AMAZON_CLIENT_ID
    assert connection.amazon_user_id is not None
    assert connection.amazon_user_email
    assert connection.grant_version == 1
    assert connection.consented_at is not None
    assert connection.refresh_token is not None
    assert connection.refresh_token.reveal().startswith("Atzr|")
    assert connection.expires_at is not None
    assert connection.next_refresh_at is not None
    assert timedelta(minutes=49) < connection.next_refresh_at - timezone.now() < timedelta(minutes=51)
    assert changes == ["connected"]
    attempt = AuthorizationAttempt.objects.get()
    assert attempt.used_at is not None
    assert attempt.connected == connection


def test_the_stored_attempt_does_not_contain_the_state(browser: Client, sandbox: Sandbox) -> None:
    address = begin(browser)
    state = parse_qs(urlsplit(address).query)["state"][0]
    attempt = AuthorizationAttempt.objects.values().get()
    assert state not in str(attempt)


def stored() -> list[Any]:
    return [
        *Connection.objects.values_list("pk", "label", "regions", "state", "grant_version"),
        *AuthorizationAttempt.objects.values_list("pk", "used_at", "connected", "refusal"),
    ]


class TestSecondAnswer:
    def test_it_tells_that_the_login_is_connected(self, browser: Client, sandbox: Sandbox) -> None:
        back = sandbox.consent(begin(browser), "bob")
        come_back(browser, back)
        before, calls = stored(), sandbox.journal.count()
        shown = come_back(browser, back)
        connection = Connection.objects.get()
        assert f'<a href="/connections/{connection.pk}/">bob@example.test</a> is connected already' in shown
        assert sandbox.journal.count() == calls
        assert stored() == before

    def test_it_tells_the_same_person_in_another_browser(
        self, browser: Client, sandbox: Sandbox, alice: User
    ) -> None:
        back = sandbox.consent(begin(browser), "bob")
        come_back(browser, back)
        assert "is connected already" in come_back(log_in(alice), back)

    def test_it_repeats_a_refusal(self, browser: Client, sandbox: Sandbox) -> None:
        back = sandbox.consent(begin(browser), "bob", "cancel")
        come_back(browser, back)
        assert come_back(browser, back).count("You cancelled at Amazon. Nothing was connected.") == 2

    def test_it_waits_for_the_first(self, browser: Client, sandbox: Sandbox) -> None:
        back = urlsplit(sandbox.consent(begin(browser), "bob"))
        AuthorizationAttempt.objects.update(used_at=timezone.now())
        response = browser.get(f"{back.path}?{back.query}")
        assert response.status_code == HTTPStatus.ACCEPTED
        assert '<meta http-equiv="refresh" content="2">' in response.content.decode()

    def test_it_tells_that_the_first_never_ended(
        self, browser: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        back = sandbox.consent(begin(browser), "bob")
        AuthorizationAttempt.objects.update(used_at=timezone.now() - timedelta(seconds=31))
        assert "was interrupted" in refuse(browser, back, HTTPStatus.GONE, caplog)

    def test_it_names_no_connection_that_the_person_may_not_see(
        self, browser: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        back = sandbox.consent(begin(browser), "bob")
        come_back(browser, back)
        Connection.objects.update(team=team_of(User.objects.create_user("charlie")))
        assert "bob@example.test" not in refuse(browser, back, HTTPStatus.BAD_REQUEST, caplog)


@pytest.mark.parametrize("query", ["", "?state=unknown&code=x", "?code=x", "?error=boo"])
def test_a_return_without_an_attempt_is_refused(
    browser: Client, sandbox: Sandbox, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    shown = refuse(browser, f"/connect/amazon/callback/{query}", HTTPStatus.BAD_REQUEST, caplog)
    assert "belongs to no sign-in that you started" in shown
    assert sandbox.journal.count() == 0


def test_a_state_expires_after_ten_minutes(
    browser: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    back = sandbox.consent(begin(browser), "bob")
    AuthorizationAttempt.objects.update(created_at=timezone.now() - timedelta(minutes=10, seconds=1))
    before = stored()
    assert "older than 10 minutes" in refuse(browser, back, HTTPStatus.GONE, caplog)
    assert stored() == before


def test_a_state_is_bound_to_session_and_user(
    browser: Client, sandbox: Sandbox, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    back = sandbox.consent(begin(browser), "bob")
    before = stored()
    assert "in another browser" in refuse(log_in(alice), back, HTTPStatus.FORBIDDEN, caplog)
    mallory = User.objects.create_user("mallory", is_staff=True)
    set_role(mallory, Role.OPERATOR)
    assert "no sign-in that you started" in refuse(log_in(mallory), back, HTTPStatus.BAD_REQUEST, caplog)
    assert stored() == before
    # The answers in the wrong browsers did not use the attempt up.
    assert come_back(browser, back).startswith("Connected.")


def test_a_return_after_the_logout_is_refused_and_does_not_pass_the_code_on(
    browser: Client, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    back = sandbox.consent(begin(browser), "bob")
    before = stored()
    browser.logout()
    shown = refuse(browser, back, HTTPStatus.FORBIDDEN, caplog)
    assert "You are not logged in here" in shown
    assert parse_qs(urlsplit(back).query)["code"][0] not in shown
    assert stored() == before


@pytest.mark.parametrize("header", ["Sec-Purpose", "Purpose"])
def test_a_prefetch_uses_nothing_up(
    browser: Client, sandbox: Sandbox, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    back = sandbox.consent(begin(browser), "bob")
    before = stored()
    browser.defaults[f"HTTP_{header.upper().replace('-', '_')}"] = "prefetch;prerender"
    refuse(browser, back, HTTPStatus.TOO_EARLY, caplog)
    assert stored() == before
    browser.defaults.pop(f"HTTP_{header.upper().replace('-', '_')}")
    assert come_back(browser, back).startswith("Connected.")


def test_other_methods_use_nothing_up(browser: Client, sandbox: Sandbox) -> None:
    back = urlsplit(sandbox.consent(begin(browser), "bob"))
    before = stored()
    for method in (browser.head, browser.options, browser.post):
        response = method(f"{back.path}?{back.query}")
        assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert stored() == before


def test_a_return_after_the_permission_was_taken_is_refused(
    browser: Client, sandbox: Sandbox, alice: User
) -> None:
    back = urlsplit(sandbox.consent(begin(browser), "bob"))
    before, calls = stored(), sandbox.journal.count()
    set_role(alice, Role.VIEWER)
    response = browser.get(f"{back.path}?{back.query}")
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert stored() == before
    assert sandbox.journal.count() == calls


class TestRightsThatEndWhileAmazonAnswers:
    """The exchange with Amazon is the moment in which the right is taken."""

    @pytest.fixture
    def consent(self, alice: User, settings: LazySettings) -> Consent:
        grant = Grant("Atza|new", "Atzr|new", 3600, "r-1")
        return Consent(team=team_of(alice), owner=alice, grant=grant, identity=Identity("amzn1.account.BOB"))

    def test_the_permission(self, browser: Client, alice: User, consent: Consent) -> None:
        begin(browser)
        set_role(alice, Role.VIEWER)
        with pytest.raises(PermissionDenied):
            oauth._store(alice, AuthorizationAttempt.objects.get(), consent)
        assert not Connection.objects.exists()

    def test_the_sight_of_the_connection(
        self, browser: Client, alice: User, settings: LazySettings, consent: Consent
    ) -> None:
        connection = new_connection(alice, settings, "Atzr|x")
        begin(browser, connection=connection.pk)
        Connection.objects.update(team=team_of(User.objects.create_user("charlie")))
        with pytest.raises(oauth.HiddenConnectionError):
            oauth._store(alice, AuthorizationAttempt.objects.get(), consent)
        connection.refresh_from_db()
        assert connection.grant_version == 1


def test_a_person_who_is_being_erased_connects_nothing(
    browser: Client, alice: User, settings: LazySettings
) -> None:
    begin(browser)
    attempt = AuthorizationAttempt.objects.get()
    grant = Grant("Atza|new", "Atzr|new", 3600, "r-1")
    consent = Consent(team=team_of(alice), owner=alice, grant=grant, identity=Identity("amzn1.account.BOB"))

    def store() -> None:
        try:
            oauth._store(alice, attempt, consent)
        finally:
            database.close()

    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            erase_person(SYSTEM, alice)
            stored = pool.submit(store)
            with pytest.raises(TimeoutError):
                # It waits for the end of the erasure.
                stored.result(timeout=1)
        with pytest.raises(PermissionDenied):
            stored.result(timeout=30)
    assert not Connection.objects.exists()


def test_cancelling_at_amazon_connects_nothing(browser: Client, sandbox: Sandbox) -> None:
    back = sandbox.consent(begin(browser), "bob", "cancel")
    assert come_back(browser, back) == "You cancelled at Amazon. Nothing was connected."
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("invalid_request", "could not read our request"),
        ("unauthorized_client", "does not let our application"),
        ("unsupported_response_type", "could not read our request"),
        ("invalid_scope", "has not approved our application"),
        ("server_error", "fault of its own"),
        ("temporarily_unavailable", "not available just now"),
        ("something_new", "for a reason we do not know"),
    ],
)
def test_every_refusal_is_explained(browser: Client, sandbox: Sandbox, error: str, words: str) -> None:
    state = parse_qs(urlsplit(begin(browser)).query)["state"][0]
    shown = come_back(browser, f"/connect/amazon/callback/?error={error}&state={state}")
    assert words in shown
    assert "Nothing was connected" in shown or "nothing was connected" in shown


@pytest.mark.parametrize(
    ("fault", "options", "words"),
    [
        ("lwa_error", {"status": 400, "error": "invalid_grant"}, "used before or is older than 5 minutes"),
        ("lwa_error", {"status": 401, "error": "invalid_client"}, "Our own application was refused"),
        ("error_503", {}, "Try again"),
        ("drop", {}, "Try again"),
    ],
)
def test_every_failure_of_the_exchange_is_explained(
    browser: Client, sandbox: Sandbox, fault: str, options: dict[str, Any], words: str
) -> None:
    back = sandbox.consent(begin(browser), "bob")
    sandbox.faults.add(fault, path="/auth/o2/token", options=options)
    shown = come_back(browser, back)
    assert words in shown
    assert "Nothing was connected" in shown
    assert not Connection.objects.exists()


def test_it_names_the_limit_when_amazon_does_not_answer_in_time(
    browser: Client, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.OAUTH_CALLBACK_SECONDS = 0.3
    back = sandbox.consent(begin(browser), "bob")
    sandbox.faults.add("slow", path="/auth/o2/token", options={"seconds": 5})
    assert "did not answer within 0.3 seconds" in come_back(browser, back)


def test_it_works_without_the_profile_scope(
    browser: Client, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_SCOPES = "advertising::campaign_management"
    assert connect(browser, sandbox).startswith("Connected.")
    connection = Connection.objects.get()
    assert connection.amazon_user_id is None
    assert connection.label.startswith("Amazon login of ")
    assert sandbox.journal.count(path="/user/profile") == 0


def test_it_works_when_the_person_withholds_the_profile(browser: Client, sandbox: Sandbox) -> None:
    sandbox.choices.change({"withheld_scopes": "profile"})
    assert connect(browser, sandbox).startswith("Connected.")
    assert Connection.objects.get().amazon_user_id is None


def test_it_refuses_a_consent_without_access_to_the_ad_accounts(browser: Client, sandbox: Sandbox) -> None:
    sandbox.choices.change({"withheld_scopes": "advertising::campaign_management"})
    assert "Access to the ad accounts was not allowed" in connect(browser, sandbox)
    assert not Connection.objects.exists()
