"""The authorize endpoint: its refusals, the consent page, and the redirect to the application."""

import html
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest

from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import DEFAULT_CLIENT_ID
from tests.sandbox.conftest import AmazonCaller

RETURN_URL = "https://console.example.test/connect?tenant=1"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
GOOD = {
    "client_id": DEFAULT_CLIENT_ID,
    "scope": "profile advertising::campaign_management",
    "response_type": "code",
    "redirect_uri": RETURN_URL,
    "state": "opaque+/=&state",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture(autouse=True)
def return_url(sandbox: Sandbox) -> None:
    sandbox.world.clients[DEFAULT_CLIENT_ID].return_urls.append(RETURN_URL)


def changed(**changes: str | None) -> dict[str, str]:
    return {name: value for name, value in (GOOD | changes).items() if value is not None}


def parameters(answer: httpx.Response) -> dict[str, str]:
    """The parameters of a redirect to the application."""
    assert answer.status_code == 302
    location = answer.headers["location"]
    assert location.startswith(RETURN_URL + "&")
    return dict(parse_qsl(location.removeprefix(RETURN_URL + "&")))


async def ask(amazon: AmazonCaller, **changes: str | None) -> httpx.Response:
    return await amazon.http.get("/na/ap/oa", params=changed(**changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": None}, "unknown-client"),
        ({"client_id": "amzn1.application-oa2-client.0"}, "unknown-client"),
        ({"redirect_uri": None}, "lwa-invalid-parameter-bad-redirect-uri-vendor"),
        ({"redirect_uri": RETURN_URL + "0"}, "lwa-invalid-parameter-bad-redirect-uri-vendor"),
        ({"redirect_uri": "https://evil.example/connect/amazon/callback/"}, "bad-redirect-uri-vendor"),
        ({"redirect_uri": "http://[::1/connect/amazon/callback/"}, "bad-redirect-uri-vendor"),
        ({"response_type": "token"}, "lwa-invalid-parameter-unauthorized-implicit-grant-request"),
        ({"scope": "advertising::account_management"}, "lwa-invalid-parameter-bad-scope"),
        ({"scope": None}, "lwa-invalid-parameter-bad-scope"),
    ],
)
async def test_it_shows_a_page_and_never_redirects(
    amazon: AmazonCaller, changes: dict[str, str | None], code: str
) -> None:
    answer = await ask(amazon, **changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert code in answer.text


async def test_it_refuses_a_scope_that_the_client_may_not_ask_for(amazon: AmazonCaller) -> None:
    amazon.sandbox.world.clients[DEFAULT_CLIENT_ID].scopes = ["profile"]
    assert "bad-scope" in (await ask(amazon)).text


async def test_a_switch_redirects_a_bad_scope(amazon: AmazonCaller) -> None:
    amazon.sandbox.choices.bad_scope = "redirect"
    back = parameters(await ask(amazon, scope="nothing"))
    assert back["error"] == "invalid_scope"
    assert back["error_description"] == "An unknown scope was requested"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge_method": "S512"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "!" * 43, "code_challenge_method": None}, "invalid_request"),
    ],
)
async def test_it_redirects_with_an_error(
    amazon: AmazonCaller, changes: dict[str, str | None], error: str
) -> None:
    back = parameters(await ask(amazon, **changes))
    assert back["error"] == error
    assert back["state"] == GOOD["state"]


async def test_it_redirects_a_blocked_client(amazon: AmazonCaller) -> None:
    amazon.sandbox.world.clients[DEFAULT_CLIENT_ID].blocked = True
    assert parameters(await ask(amazon))["error"] == "unauthorized_client"


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable", "access_denied"])
async def test_a_fault_redirects_with_any_error(amazon: AmazonCaller, error: str) -> None:
    amazon.sandbox.faults.add("redirect_error", error=error)
    assert parameters(await ask(amazon))["error"] == error


async def test_only_get_opens_the_page_and_only_post_decides(amazon: AmazonCaller) -> None:
    assert (await amazon.http.post("/na/ap/oa", data=GOOD)).status_code == 405
    assert (await amazon.http.get("/na/ap/oa/consent", params=GOOD)).status_code == 405


@pytest.mark.parametrize("prefix", ["", "/na", "/eu", "/fe"])
async def test_the_page_posts_to_its_own_path(amazon: AmazonCaller, prefix: str) -> None:
    answer = await amazon.http.get(f"{prefix}/ap/oa", params=GOOD)
    assert answer.status_code == 200
    assert f'action="{prefix}/ap/oa/consent"' in answer.text


async def test_the_page_names_application_scopes_and_logins(amazon: AmazonCaller) -> None:
    text = (await ask(amazon)).text
    for part in (
        "sandbox Amazon",
        "Amazon Accounts (local)",
        "your name",
        "Amazon Ads accounts",
        "Alice Example",
    ):
        assert part in text
    assert "alice@example.test" in text
    assert "5 ads accounts" in text


async def test_the_page_escapes_what_it_repeats(amazon: AmazonCaller) -> None:
    evil = "\"><script>alert(1)</script>'{{7*7}}"
    login = amazon.sandbox.world.logins["alice"]
    login.name = login.email = login.description = evil
    amazon.sandbox.world.clients[DEFAULT_CLIENT_ID].name = evil
    for changes in ({"state": evil}, {"scope": evil}, {"redirect_uri": evil}, {"client_id": evil}):
        text = (await ask(amazon, **changes)).text
        assert "<script>" not in text
        assert evil not in text
    assert html.escape(evil) in (await ask(amazon, state=evil)).text


async def decide(amazon: AmazonCaller, **form: str | None) -> httpx.Response:
    fields = changed(**({"login": "alice", "decision": "allow"} | form))
    return await amazon.http.post("/na/ap/oa/consent", data=fields)


async def test_allow_gives_a_code_scope_and_state(amazon: AmazonCaller) -> None:
    back = parameters(await decide(amazon))
    assert set(back) == {"code", "scope", "state"}
    assert len(back["code"]) == 20
    assert back["scope"] == GOOD["scope"]
    assert back["state"] == GOOD["state"]


async def test_state_comes_only_if_it_was_sent(amazon: AmazonCaller) -> None:
    assert "state" not in parameters(await decide(amazon, state=None))
    assert parameters(await decide(amazon, decision="cancel", state=None)).keys() == {
        "error",
        "error_description",
    }


async def test_cancel_is_access_denied(amazon: AmazonCaller) -> None:
    back = parameters(await decide(amazon, decision="cancel"))
    assert back == {
        "error": "access_denied",
        "error_description": "Access not permitted.",
        "state": GOOD["state"],
    }


async def test_a_decision_without_a_login_asks_again(amazon: AmazonCaller) -> None:
    answer = await decide(amazon, login="nobody")
    assert answer.status_code == 200
    assert "Choose a login first." in answer.text


async def test_the_posted_form_is_checked_like_the_request(amazon: AmazonCaller) -> None:
    assert (await decide(amazon, redirect_uri="https://evil.example/")).status_code == 400
    answer = await amazon.http.post("/na/ap/oa/consent", json=GOOD)
    assert answer.status_code == 400


async def test_a_scope_can_be_withheld(amazon: AmazonCaller) -> None:
    amazon.sandbox.choices.withheld_scopes = "profile"
    assert parameters(await decide(amazon))["scope"] == "advertising::campaign_management"
    amazon.sandbox.choices.callback_scope = "absent"
    assert "scope" not in parameters(await decide(amazon))


async def test_a_switch_consents_without_a_page(amazon: AmazonCaller) -> None:
    amazon.sandbox.choices.auto_consent = "bob"
    assert "code" in parameters(await ask(amazon))
    amazon.sandbox.choices.auto_consent = "nobody"
    assert (await ask(amazon)).status_code == 400


@pytest.mark.parametrize("host", ["localhost:8123", "127.0.0.1", "[::1]:9"])
async def test_any_loopback_callback_is_allowed_until_switched_off(amazon: AmazonCaller, host: str) -> None:
    url = f"http://{host}/connect/amazon/callback/"
    assert (await ask(amazon, redirect_uri=url)).status_code == 200
    amazon.sandbox.choices.loopback_return_urls = False
    assert (await ask(amazon, redirect_uri=url)).status_code == 400


def test_consent_without_a_browser_uses_the_same_checks(sandbox: Sandbox) -> None:
    url = "http://sandbox.test/na/ap/oa?" + urlencode(GOOD)
    assert "code" in parse_qs(urlsplit(sandbox.consent(url, "alice")).query)
    assert "error=access_denied" in sandbox.consent(url, "alice", "cancel")
    with pytest.raises(ValueError, match="400"):
        sandbox.consent(url.replace("connect", "elsewhere"), "alice")
