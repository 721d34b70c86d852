from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxServer
from tests.tokens.conftest import new_connection
from tokens.connect.disconnect import disconnect_connection
from tokens.encryption import Secret
from tokens.models import Alert, AuthorizationAttempt, Connection
from tokens.permissions import SYSTEM
from tokens.signals import connection_changed

pytestmark = pytest.mark.django_db(transaction=True)

START = "/connect/amazon/"


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Sandbox:
    """Over HTTP, because the view creates its own client."""
    return sandbox_server.sandbox


@pytest.fixture
def changes() -> Iterator[list[str]]:
    received: list[str] = []

    def listener(change: str, **_: object) -> None:
        received.append(change)

    connection_changed.connect(listener)
    yield received
    connection_changed.disconnect(listener)


@pytest.fixture
def browser(alice: User, client: Client) -> Client:
    alice.user_permissions.add(Permission.objects.get(codename="connect_amazon"))
    client.force_login(alice)
    return client


def begin(browser: Client, **data: Any) -> str:
    response = browser.get(START, data)
    assert response.status_code == HTTPStatus.FOUND
    return str(response["Location"])


def come_back(browser: Client, address: str) -> str:
    """Follow Amazon's redirect; return the messages that the person sees."""
    parts = urlsplit(address)
    response = browser.get(f"{parts.path}?{parts.query}")
    assert response.status_code == HTTPStatus.FOUND
    assert response["Location"] == reverse("connections")
    assert "no-store" in response["Cache-Control"]
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def connect(browser: Client, sandbox: Sandbox, login: str = "bob", **data: Any) -> str:
    return come_back(browser, sandbox.consent(begin(browser, **data), login))


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


@pytest.mark.parametrize("region", ["na", "eu", "fe"])
def test_it_chooses_amazons_host_by_region(browser: Client, sandbox: Sandbox, region: str) -> None:
    assert f"/{region}/ap/oa" in begin(browser, region=region)


def test_it_starts_by_post(browser: Client, sandbox: Sandbox) -> None:
    response = browser.post(START)
    assert response.status_code == HTTPStatus.FOUND
    assert "/ap/oa" in response["Location"]


def test_it_requires_a_signed_in_person_with_the_permission(client: Client, alice: User) -> None:
    assert client.get(START)["Location"].startswith("/auth/login/")
    client.force_login(alice)
    assert client.get(START).status_code == HTTPStatus.FORBIDDEN


def test_it_connects_a_login(
    browser: Client, sandbox: Sandbox, alice: User, settings: LazySettings, changes: list[str]
) -> None:
    shown = connect(browser, sandbox, label="Garden shop", regions="NA,eu")
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
    assert not AuthorizationAttempt.objects.exists()


def test_the_stored_attempt_does_not_contain_the_state(browser: Client, sandbox: Sandbox) -> None:
    address = begin(browser)
    state = parse_qs(urlsplit(address).query)["state"][0]
    attempt = AuthorizationAttempt.objects.values().get()
    assert state not in str(attempt)


def test_a_state_works_once(browser: Client, sandbox: Sandbox) -> None:
    back = sandbox.consent(begin(browser), "bob")
    come_back(browser, back)
    calls = sandbox.journal.count()
    assert "was used before" in come_back(browser, back)
    assert sandbox.journal.count() == calls
    assert Connection.objects.count() == 1


@pytest.mark.parametrize(
    "query", ["", "?state=unknown&code=x", "?code=x", "?state=%00&code=%00", "?error=boo"]
)
def test_a_return_without_an_attempt_is_refused(browser: Client, sandbox: Sandbox, query: str) -> None:
    assert "not started in this browser" in come_back(browser, f"/connect/amazon/callback/{query}")
    assert sandbox.journal.count() == 0


def test_a_state_expires_after_ten_minutes(browser: Client, sandbox: Sandbox) -> None:
    back = sandbox.consent(begin(browser), "bob")
    AuthorizationAttempt.objects.update(created_at=timezone.now() - timedelta(minutes=10, seconds=1))
    assert "older than 10 minutes" in come_back(browser, back)
    assert not Connection.objects.exists()


def test_a_state_is_bound_to_session_and_user(browser: Client, sandbox: Sandbox, alice: User) -> None:
    back = sandbox.consent(begin(browser), "bob")
    other = Client()
    other.force_login(alice)
    assert "not started in this browser" in come_back(other, back)

    back = sandbox.consent(begin(browser), "bob")
    mallory = Client()
    mallory.force_login(User.objects.create_user("mallory"))
    assert "not started in this browser" in come_back(mallory, back)
    assert not Connection.objects.exists()


def test_a_return_of_a_signed_out_person_does_not_pass_the_code_on(browser: Client, sandbox: Sandbox) -> None:
    back = sandbox.consent(begin(browser), "bob")
    response = Client().get(back)
    assert response.status_code == HTTPStatus.FOUND
    assert "code" not in response["Location"]
    assert not Connection.objects.exists()


def test_cancelling_at_amazon_connects_nothing(browser: Client, sandbox: Sandbox) -> None:
    back = sandbox.consent(begin(browser), "bob", "cancel")
    assert come_back(browser, back) == "You cancelled at Amazon. Nothing was connected."
    assert not Connection.objects.exists()
    assert not AuthorizationAttempt.objects.exists()


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


def test_connecting_a_connected_login_updates_its_connection(
    browser: Client, sandbox: Sandbox, changes: list[str]
) -> None:
    connect(browser, sandbox, label="Garden shop")
    first = Connection.objects.get()
    shown = connect(browser, sandbox)
    assert "is connected again" in shown
    again = Connection.objects.get()
    assert again.pk == first.pk
    assert again.label == "Garden shop"
    assert again.grant_version == 2
    assert changes == ["connected", "healed"]


def test_reconnecting_heals_the_same_connection(
    browser: Client, sandbox: Sandbox, changes: list[str]
) -> None:
    connect(browser, sandbox, label="Garden shop")
    connection = Connection.objects.get()
    Connection.objects.update(
        state="reauthorization_required", next_refresh_at=None, last_error="Refused.", grant_refusals=2
    )
    shown = connect(browser, sandbox, connection=connection.pk)
    assert "is connected again" in shown
    healed = Connection.objects.get()
    assert healed.pk == connection.pk
    assert healed.state == Connection.State.ACTIVE
    assert healed.last_error == ""
    assert healed.grant_refusals == 0
    assert healed.grant_version == 2
    assert healed.next_refresh_at is not None
    assert changes == ["connected", "healed"]
    assert Alert.objects.get().kind == Alert.Kind.CONNECTION_HEALED


def test_a_connection_whose_stored_token_cannot_be_decrypted_is_reconnected(
    browser: Client, sandbox: Sandbox
) -> None:
    connect(browser, sandbox, label="Garden shop")
    connection = Connection.objects.get()
    Connection.objects.update(refresh_token=Secret("of a key that is gone"))
    shown = connect(browser, sandbox, connection=connection.pk)
    assert "is connected again" in shown
    connection.refresh_from_db()
    assert connection.grant_version == 2
    assert connection.refresh_token is not None
    assert connection.refresh_token.reveal().startswith("Atzr|")


def test_reconnecting_with_another_login_changes_nothing(browser: Client, sandbox: Sandbox) -> None:
    connect(browser, sandbox, "bob", label="Garden shop")
    before = Connection.objects.values().get()
    shown = connect(browser, sandbox, "charlie", connection=before["id"])
    assert "You signed in to Amazon as charlie@example.test, " in shown
    assert f"but this connection belongs to {before['amazon_user_email']}. Nothing was changed." in shown
    assert f'<a href="/connect/amazon/?connection={before["id"]}">Try again</a>' in shown
    assert '<a href="/connect/amazon/">Add as a new connection</a>' in shown
    after = Connection.objects.values().get()
    assert {name: str(value) for name, value in after.items()} == {
        name: str(value) for name, value in before.items()
    }
    assert after["refresh_token"] is not None
    assert before["refresh_token"] is not None
    assert after["refresh_token"].ciphertext == before["refresh_token"].ciphertext


def test_a_disconnected_connection_can_be_reconnected(browser: Client, sandbox: Sandbox, alice: User) -> None:
    connect(browser, sandbox)
    connection = Connection.objects.get()
    disconnect_connection(SYSTEM, connection)
    connect(browser, sandbox, connection=connection.pk)
    connection.refresh_from_db()
    assert connection.state == Connection.State.ACTIVE
    assert connection.disconnected_at is None


def test_reconnecting_a_login_that_has_another_connection_is_refused(
    browser: Client, sandbox: Sandbox, alice: User
) -> None:
    connect(browser, sandbox)
    old = Connection.objects.get()
    disconnect_connection(SYSTEM, old)
    connect(browser, sandbox, label="The new one")
    shown = connect(browser, sandbox, connection=old.pk)
    assert "which is connected already" in shown
    old.refresh_from_db()
    assert old.state == Connection.State.DISCONNECTED


def test_the_connection_of_another_person_cannot_be_reconnected(
    browser: Client, sandbox: Sandbox, settings: LazySettings
) -> None:
    foreign = new_connection(User.objects.create_user("charlie"), settings, "Atzr|x")
    assert browser.get(START, {"connection": str(foreign.pk)}).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    "data",
    [{"regions": "NA,XX"}, {"region": "zz"}, {"connection": "7"}, {"label": "x" * 201}, {"label": "\0"}],
)
def test_bad_input_is_explained(browser: Client, sandbox: Sandbox, data: dict[str, str]) -> None:
    response = browser.get(START, data)
    assert response["Location"] == reverse("connections")
    assert list(get_messages(response.wsgi_request))
    assert not AuthorizationAttempt.objects.exists()
