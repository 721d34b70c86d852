"""Login with Amazon: the real client asks the sandbox."""

import base64
import hashlib
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import LazySettings

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    ForbiddenError,
    GrantRevokedError,
    InvalidGrantCodeError,
    PermanentError,
    ThrottledError,
    TransientError,
    UnreachableError,
    UnreadableAnswerError,
)
from amazon_accounts.amazon_ads.lwa import Grant, build_authorize_url
from amazon_accounts.amazon_ads.pacing import application
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.amazon_ads.conftest import OWN_TABLES
from tests.database_outage import DatabaseOutage

pytestmark = OWN_TABLES

REDIRECT_URI = "http://localhost:8000/connect/amazon/callback/"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def consented_code(sandbox: Sandbox, name: str = "alice") -> str:
    url = build_authorize_url(state="abc", redirect_uri=REDIRECT_URI, code_challenge=CHALLENGE)
    return parse_qs(urlsplit(sandbox.consent(url, name)).query)["code"][0]


async def exchange(amazon: AmazonClient, code: str, **changes: str) -> Grant:
    details = {"redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER, **changes}
    return await amazon.lwa.exchange_code(code, **details)


def test_the_address_of_the_consent_page_is_complete(settings: LazySettings, sandbox: Sandbox) -> None:
    url = build_authorize_url(region="EU", state="s&t", redirect_uri=REDIRECT_URI, code_challenge=CHALLENGE)
    assert url.startswith("http://sandbox.test/eu/ap/oa?")
    assert parse_qs(urlsplit(url).query) == {
        "client_id": [settings.AMAZON_CLIENT_ID],
        "scope": ["profile advertising::campaign_management"],
        "response_type": ["code"],
        "redirect_uri": [REDIRECT_URI],
        "state": ["s&t"],
        "code_challenge": [CHALLENGE],
        "code_challenge_method": ["S256"],
    }


async def test_it_exchanges_a_code_for_tokens_and_reads_the_user(
    amazon: AmazonClient, sandbox: Sandbox
) -> None:
    grant = await exchange(amazon, consented_code(sandbox))
    assert grant.access_token.startswith("Atza|")
    assert grant.refresh_token is not None
    assert grant.refresh_token.startswith("Atzr|")
    assert grant.expires_in == 3600
    assert grant.request_id
    user = await amazon.lwa.user_profile(grant.access_token)
    assert (user.user_id, user.name, user.email) == (
        sandbox.world.logins["alice"].user_id,
        "Alice Example",
        "alice@example.test",
    )


async def test_a_grant_shows_no_token(amazon: AmazonClient, sandbox: Sandbox) -> None:
    grant = await exchange(amazon, consented_code(sandbox))
    assert "Atz" not in repr(grant)


@pytest.mark.parametrize(
    "changes", [{"redirect_uri": "http://localhost:8000/other/"}, {"code_verifier": "w" * 50}]
)
async def test_a_code_that_does_not_fit_is_refused(
    amazon: AmazonClient, sandbox: Sandbox, changes: dict[str, str]
) -> None:
    with pytest.raises(InvalidGrantCodeError):
        await exchange(amazon, consented_code(sandbox), **changes)


async def test_a_code_is_sent_once(amazon: AmazonClient, sandbox: Sandbox) -> None:
    code = consented_code(sandbox)
    await exchange(amazon, code)
    with pytest.raises(InvalidGrantCodeError):
        await exchange(amazon, code)
    sandbox.faults.add("error_503", path="/auth/o2/token")
    sandbox.journal.clear()
    with pytest.raises(TransientError):
        await exchange(amazon, consented_code(sandbox))
    assert sandbox.journal.count(path="/auth/o2/token") == 1


async def test_it_refreshes(amazon: AmazonClient, sandbox: Sandbox) -> None:
    token = sandbox.refresh_token("alice")
    grant = await amazon.lwa.refresh(token, subject="alice")
    assert grant.refresh_token == token
    assert (await amazon.lwa.user_profile(grant.access_token)).name == "Alice Example"


@pytest.mark.parametrize(
    ("switches", "has_new"),
    [({"refresh_rotation": "rotate"}, True), ({"refresh_answer": "without_refresh_token"}, False)],
)
async def test_it_returns_the_new_refresh_token_if_there_is_one(
    amazon: AmazonClient,
    sandbox: Sandbox,
    switches: dict[str, Any],
    has_new: bool,
) -> None:
    sandbox.choices.change(switches)
    token = sandbox.refresh_token("alice")
    grant = await amazon.lwa.refresh(token, subject="alice")
    assert grant.refresh_token != token
    assert (grant.refresh_token is not None) is has_new


async def test_it_reads_the_old_shape_of_the_user_profile(amazon: AmazonClient, sandbox: Sandbox) -> None:
    sandbox.choices.change({"user_profile": "old"})
    user = await amazon.lwa.user_profile(sandbox.access_token("alice"))
    assert user.user_id == sandbox.world.logins["alice"].user_id


async def test_without_the_scope_the_user_is_forbidden(amazon: AmazonClient, sandbox: Sandbox) -> None:
    token = sandbox.access_token("alice", scopes=("advertising::campaign_management",))
    with pytest.raises(ForbiddenError):
        await amazon.lwa.user_profile(token)


async def test_a_wrong_access_token_is_forbidden(amazon: AmazonClient) -> None:
    with pytest.raises(ForbiddenError):
        await amazon.lwa.user_profile("Atza|wrong")


async def test_a_revoked_grant_is_not_tried_again(amazon: AmazonClient, sandbox: Sandbox) -> None:
    token = sandbox.refresh_token("alice")
    sandbox.revoke("alice")
    with pytest.raises(GrantRevokedError) as raised:
        await amazon.lwa.refresh(token, subject="alice")
    assert raised.value.code == "invalid_grant"
    assert raised.value.request_id
    assert sandbox.journal.count() == 1


LWA_FAULTS: list[tuple[str, dict[str, Any], type[AmazonError], bool]] = [
    ("lwa_error", {"error": "invalid_grant"}, GrantRevokedError, False),
    ("lwa_error", {"error": "invalid_client", "status": 401}, ApplicationRefusedError, False),
    ("lwa_error", {"error": "invalid_client", "status": 400}, ApplicationRefusedError, False),
    ("lwa_error", {"error": "unauthorized_client"}, ApplicationRefusedError, False),
    ("lwa_error", {"error": "invalid_request"}, PermanentError, False),
    ("lwa_error", {"error": "unsupported_grant_type"}, PermanentError, False),
    ("lwa_error", {"error": "ServerError", "status": 500}, TransientError, True),
    ("lwa_error", {"error": "servererror", "status": 400}, TransientError, True),
    ("answer", {"status": 400, "body": "<html>"}, TransientError, True),
    ("answer", {"status": 403, "body": "<html>Forbidden</html>"}, TransientError, True),
    ("answer", {"status": 401, "body": ""}, TransientError, True),
    ("throttle", {"retry_after": "absent"}, ThrottledError, True),
    ("throttle_html", {"retry_after": "absent"}, ThrottledError, True),
    ("error_503", {}, TransientError, True),
    ("unavailable_html", {}, TransientError, True),
    ("drop", {}, UnreachableError, True),
    ("empty", {}, UnreadableAnswerError, True),
    ("html", {}, UnreadableAnswerError, True),
    ("truncated", {}, UnreadableAnswerError, True),
    ("wrong_type", {}, UnreadableAnswerError, True),
    ("no_access_token", {}, UnreadableAnswerError, True),
]


@pytest.mark.parametrize(("kind", "options", "error_class", "is_repeated"), LWA_FAULTS)
async def test_it_names_the_errors_of_a_refresh(
    amazon: AmazonClient,
    sandbox: Sandbox,
    kind: str,
    options: dict[str, Any],
    error_class: type[AmazonError],
    is_repeated: bool,
) -> None:
    token = sandbox.refresh_token("alice")
    sandbox.faults.add(kind, **options)
    with pytest.raises(AmazonError) as raised:
        await amazon.lwa.refresh(token, subject="alice")
    assert type(raised.value) is error_class
    assert sandbox.journal.count() == (5 if is_repeated else 1)
    assert token not in str(raised.value)
    if kind != "drop":
        assert raised.value.request_id


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3600, 3600),
        ("3600", 3600),
        (60, 60),
        (None, 3600),
        ("soon", 3600),
        (0, 3600),
        (-5, 3600),
        (10**9, 3600),
        ("NaN", 3600),
        ("Infinity", 3600),
        (10**400, 3600),
    ],
)
async def test_it_reads_the_life_of_a_token(
    amazon: AmazonClient, sandbox: Sandbox, expires_in: object, seconds: int
) -> None:
    body = {"access_token": "Atza|x", "token_type": "bearer", "expires_in": expires_in}
    sandbox.faults.add("answer", json=body)
    assert (await amazon.lwa.refresh("Atzr|x", subject="alice")).expires_in == seconds


@pytest.mark.parametrize(
    "token", ["", 5, None, "Atza|a b", "Atza|a\r\nX-Evil: 1", "Atza|é", "Atza|" + "x" * 5000]
)
async def test_a_token_that_fits_no_header_is_unreadable(
    amazon: AmazonClient, sandbox: Sandbox, token: object
) -> None:
    sandbox.faults.add("answer", json={"access_token": token, "expires_in": 3600})
    with pytest.raises(UnreadableAnswerError):
        await amazon.lwa.refresh("Atzr|x", subject="alice")


async def test_a_person_waits_no_longer_than_the_timeout(
    amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.LWA_TIMEOUT_SECONDS = 0.3
    sandbox.faults.add("hang", path="/auth/o2/token")
    with pytest.raises(UnreachableError, match=r"0\.3 seconds"):
        await exchange(amazon, consented_code(sandbox))


class TestApplication:
    async def test_a_refused_secret_is_known_until_it_is_accepted(
        self, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        token = sandbox.refresh_token("alice")
        good = settings.AMAZON_CLIENT_SECRET
        get_refusal = in_thread(application.get_refusal)
        settings.AMAZON_CLIENT_SECRET = "wrong"
        for _ in range(2):
            with pytest.raises(ApplicationRefusedError):
                await amazon.lwa.refresh(token, subject="alice")
        refusal = await get_refusal(settings.AMAZON_CLIENT_ID, "wrong")
        assert refusal is not None
        assert (refusal.code, refusal.refusals) == ("invalid_client", 2)
        assert refusal.request_id
        assert "wrong" not in refusal.secret_digest
        # Another secret, or another application, is not refused.
        assert await get_refusal(settings.AMAZON_CLIENT_ID, good) is None
        assert await get_refusal("another", "wrong") is None

    async def test_one_accepted_answer_ends_the_refusal(
        self, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        token = sandbox.refresh_token("alice")
        sandbox.faults.add("lwa_error", error="unauthorized_client", count=1)
        with pytest.raises(ApplicationRefusedError):
            await amazon.lwa.refresh(token, subject="alice")
        pair = settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET
        assert await in_thread(application.get_refusal)(*pair) is not None
        await amazon.lwa.refresh(token, subject="alice")
        assert await in_thread(application.get_refusal)(*pair) is None

    async def test_a_dead_grant_does_not_refuse_the_application(
        self, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        with pytest.raises(GrantRevokedError):
            await amazon.lwa.refresh("Atzr|wrong", subject="alice")
        pair = settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET
        assert await in_thread(application.get_refusal)(*pair) is None


async def test_a_grant_is_not_lost_when_the_database_goes_away(
    amazon: AmazonClient,
    sandbox: Sandbox,
    database_outage: DatabaseOutage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def cut_database_off(_call: object) -> None:
        thread = threading.Thread(target=database_outage.begin)
        thread.start()
        thread.join()

    sandbox.faults.add("run", function=cut_database_off)
    grant = await amazon.lwa.refresh(sandbox.refresh_token("alice"), subject="alice")
    assert grant.access_token
    assert "call_result_lost" in [getattr(record, "action", "") for record in caplog.records]


async def test_a_secret_that_amazon_echoes_is_masked(
    amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    text = f"client {settings.AMAZON_CLIENT_SECRET} with Atzr|abc"
    sandbox.faults.add("lwa_error", error="invalid_request", description=text)
    with pytest.raises(PermanentError) as raised:
        await amazon.lwa.refresh("Atzr|abc", subject="alice")
    assert "client *** with ***" in str(raised.value)
