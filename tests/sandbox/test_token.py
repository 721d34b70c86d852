"""Login with Amazon between servers: the checks of the token endpoint in Amazon's order."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from amazon_accounts.sandbox.app import create_app
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Client, small_world
from tests.sandbox.conftest import AmazonCaller

RETURN_URL = "http://localhost:8000/connect/amazon/callback/"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
BAD_GRANT = "The request has an invalid grant parameter : "
MISSING = "The request is missing a required parameter : "


def code(sandbox: Sandbox, login: str = "alice", **changes: str) -> str:
    fields = {
        "client_id": DEFAULT_CLIENT_ID,
        "scope": "profile advertising::campaign_management",
        "response_type": "code",
        "redirect_uri": RETURN_URL,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changes
    asked = urlencode({name: value for name, value in fields.items() if value})
    back = sandbox.consent(f"http://sandbox.test/ap/oa?{asked}", login)
    return parse_qs(urlsplit(back).query)["code"][0]


async def exchange(amazon: AmazonCaller, value: str, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": value,
        "redirect_uri": RETURN_URL,
        "code_verifier": VERIFIER,
    } | changes
    return await amazon.token(**form)


def error(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["error"], body["error_description"]


async def test_a_code_is_exchanged_for_tokens(amazon: AmazonCaller) -> None:
    answer = await exchange(amazon, code(amazon.sandbox))
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert "no-store" in answer.headers["cache-control"]
    assert len(answer.headers["x-amzn-requestid"]) == 36
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert body["token_type"] == "bearer"
    assert body["expires_in"] == 3600
    assert body["access_token"].startswith("Atza|")
    assert body["refresh_token"].startswith("Atzr|")
    assert 365 <= len(body["access_token"]) <= 2048
    assert 405 <= len(body["refresh_token"]) <= 2048


@pytest.mark.parametrize("prefix", ["", "/na", "/eu", "/fe"])
async def test_any_token_host_takes_any_code(amazon: AmazonCaller, prefix: str) -> None:
    assert (await exchange(amazon, code(amazon.sandbox), region=prefix)).status_code == 200


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": ""}, (400, "invalid_request", MISSING + "grant_type")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", "")),
        ({"client_id": ""}, (400, "invalid_request", MISSING + "client_id")),
        ({"client_secret": ""}, (400, "invalid_request", MISSING + "client_secret")),
        ({"client_id": "other"}, (401, "invalid_client", "Client authentication failed")),
        ({"client_secret": "wrong é"}, (401, "invalid_client", "Client authentication failed")),
        ({"code": ""}, (400, "invalid_request", MISSING + "code")),
        ({"redirect_uri": ""}, (400, "invalid_request", MISSING + "redirect_uri")),
        ({"code": "unknown"}, (400, "invalid_grant", BAD_GRANT + "code")),
        ({"redirect_uri": RETURN_URL + "?a=1"}, (400, "invalid_grant", BAD_GRANT + "redirect_uri")),
        ({"code_verifier": ""}, (400, "invalid_grant", BAD_GRANT + "code_verifier")),
        ({"code_verifier": "x" * 43}, (400, "invalid_grant", BAD_GRANT + "code_verifier")),
        ({"grant_type": "refresh_token"}, (400, "invalid_request", MISSING + "refresh_token")),
        (
            {"grant_type": "refresh_token", "refresh_token": "Atzr|no"},
            (400, "invalid_grant", BAD_GRANT + "refresh_token"),
        ),
    ],
)
async def test_it_refuses_in_amazons_order(
    amazon: AmazonCaller, form: dict[str, str], expected: tuple[int, str, str]
) -> None:
    status, name, text = error(await exchange(amazon, code(amazon.sandbox), **form))
    assert (status, name) == expected[:2]
    assert expected[2] in text


async def test_a_token_request_must_be_a_post(amazon: AmazonCaller) -> None:
    answer = await amazon.http.get("/na/auth/o2/token")
    assert (answer.status_code, answer.content, answer.headers["allow"]) == (405, b"", "POST")


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"grant_type": "refresh_token"}},
        {"content": b"grant_type=refresh_token"},
        {"content": b"a=%ff", "headers": {"content-type": "application/x-www-form-urlencoded"}},
    ],
)
async def test_a_token_request_must_be_a_form(amazon: AmazonCaller, request_: dict[str, Any]) -> None:
    answer = await amazon.http.post("/na/auth/o2/token", **request_)
    assert error(answer) == (400, "invalid_request", "Malformed request")


async def test_http_basic_replaces_the_client_fields(amazon: AmazonCaller) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": amazon.sandbox.refresh_token("alice")}
    url = "/na/auth/o2/token"
    assert (
        await amazon.http.post(url, data=form, auth=(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET))
    ).status_code == 200
    assert (await amazon.http.post(url, data=form, auth=(DEFAULT_CLIENT_ID, "wrong"))).status_code == 401
    broken = {"Authorization": "Basic !!!"}
    assert error(await amazon.http.post(url, data=form, headers=broken))[2] == MISSING + "client_id"


async def test_a_blocked_client_is_refused(amazon: AmazonCaller) -> None:
    amazon.sandbox.world.clients[DEFAULT_CLIENT_ID].blocked = True
    answer = await amazon.refresh(amazon.sandbox.refresh_token("alice"))
    assert error(answer) == (400, "unauthorized_client", "Not authorized for requested operation")


async def test_a_code_works_once(amazon: AmazonCaller) -> None:
    value = code(amazon.sandbox)
    assert (await exchange(amazon, value, code_verifier="wrong" * 10)).status_code == 400
    assert (await exchange(amazon, value)).status_code == 200
    assert error(await exchange(amazon, value)) == (400, "invalid_grant", BAD_GRANT + "code")


async def test_a_code_expires_after_five_minutes(amazon: AmazonCaller) -> None:
    first, second = code(amazon.sandbox), code(amazon.sandbox)
    amazon.sandbox.clock.advance(299)
    assert (await exchange(amazon, first)).status_code == 200
    amazon.sandbox.clock.advance(2)
    assert error(await exchange(amazon, second)) == (400, "invalid_grant", BAD_GRANT + "code")


async def test_codes_and_refresh_tokens_belong_to_one_client(amazon: AmazonCaller) -> None:
    amazon.sandbox.world.add_client(Client("other", "Other", "other-secret"))
    other = {"client_id": "other", "client_secret": "other-secret"}
    assert error(await exchange(amazon, code(amazon.sandbox), **other))[2] == BAD_GRANT + "code"
    answer = await amazon.refresh(amazon.sandbox.refresh_token("alice"), **other)
    assert error(answer)[2] == BAD_GRANT + "refresh_token"


async def test_without_a_challenge_there_must_be_no_verifier(amazon: AmazonCaller) -> None:
    plain = {"code_challenge": "", "code_challenge_method": ""}
    value = code(amazon.sandbox, **plain)
    assert error(await exchange(amazon, value))[2] == BAD_GRANT + "code_verifier"
    assert (await exchange(amazon, value, code_verifier="")).status_code == 200


async def test_a_plain_challenge_is_its_own_proof(amazon: AmazonCaller) -> None:
    value = code(amazon.sandbox, code_challenge=VERIFIER, code_challenge_method="plain")
    assert (await exchange(amazon, value)).status_code == 200


async def test_a_refresh_keeps_the_refresh_token_and_older_access_tokens(amazon: AmazonCaller) -> None:
    first = (await exchange(amazon, code(amazon.sandbox))).json()
    second = (await amazon.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] == first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    for each in (first, second):
        headers = {"Authorization": f"Bearer {each['access_token']}"}
        assert (await amazon.http.get("/user/profile", headers=headers)).status_code == 200


async def test_a_refresh_token_expires_365_days_after_the_consent_in_spite_of_refreshes(
    amazon: AmazonCaller,
) -> None:
    value = amazon.sandbox.refresh_token("alice")
    amazon.sandbox.clock.advance(364 * 86_400)
    assert (await amazon.refresh(value)).status_code == 200
    amazon.sandbox.clock.advance(86_401)
    assert error(await amazon.refresh(value)) == (400, "invalid_grant", BAD_GRANT + "refresh_token")
    amazon.sandbox.choices.refresh_token_days = 0
    assert (await amazon.refresh(value)).status_code == 200


async def test_a_consent_can_have_a_date_in_the_past(amazon: AmazonCaller) -> None:
    long_ago = amazon.sandbox.clock.now() - 366 * 86_400
    assert (
        await amazon.refresh(amazon.sandbox.refresh_token("alice", consented_at=long_ago))
    ).status_code == 400


async def test_a_revoked_grant_has_its_own_error_and_a_new_consent_works(amazon: AmazonCaller) -> None:
    value = amazon.sandbox.refresh_token("alice")
    amazon.sandbox.revoke("alice")
    text = "refresh_token. User may have revoked or didn't grant the permission."
    assert error(await amazon.refresh(value)) == (400, "invalid_grant", BAD_GRANT + text)
    assert (await amazon.refresh(amazon.sandbox.refresh_token("alice"))).status_code == 200
    assert (await amazon.refresh(amazon.sandbox.refresh_token("bob"))).status_code == 200


async def test_revoking_works_at_a_stopped_clock(amazon: AmazonCaller) -> None:
    amazon.sandbox.clock.freeze()
    before = amazon.sandbox.refresh_token("alice")
    amazon.sandbox.revoke("alice")
    after = amazon.sandbox.refresh_token("alice")
    assert (await amazon.refresh(before)).status_code == 400
    assert (await amazon.refresh(after)).status_code == 200


async def test_a_tampered_token_is_unknown(amazon: AmazonCaller) -> None:
    value = amazon.sandbox.refresh_token("alice")
    middle = value[:50] + ("A" if value[50] != "A" else "B") + value[51:]
    for bad in (
        middle,
        value[:-1],
        value.removeprefix("Atzr|"),
        value.replace("Atzr", "Atza"),
        "Atzr|" + "x" * 500,
    ):
        assert error(await amazon.refresh(bad))[2] == BAD_GRANT + "refresh_token"


async def test_a_restarted_sandbox_knows_its_tokens(amazon: AmazonCaller) -> None:
    value = create_app(small_world()).state.sandbox.refresh_token("alice")
    assert (await amazon.refresh(value)).status_code == 200
    amazon.sandbox.world.seed += 1
    assert (await amazon.refresh(value)).status_code == 400


async def test_the_tokens_of_one_login_can_be_ended(amazon: AmazonCaller) -> None:
    alice, bob = amazon.sandbox.refresh_token("alice"), amazon.sandbox.refresh_token("bob")
    amazon.sandbox.grants.end_tokens("refresh", "alice")
    assert (await amazon.refresh(alice)).status_code == 400
    assert (await amazon.refresh(bob)).status_code == 200
    amazon.sandbox.grants.end_tokens("refresh")
    assert (await amazon.refresh(bob)).status_code == 400


async def test_a_rotation_can_keep_the_old_token(amazon: AmazonCaller) -> None:
    amazon.sandbox.choices.refresh_rotation = "rotate"
    old = amazon.sandbox.refresh_token("alice")
    new = (await amazon.refresh(old)).json()["refresh_token"]
    assert new != old
    assert (await amazon.refresh(old)).status_code == 200
    assert (await amazon.refresh(new)).status_code == 200


async def test_a_rotation_can_end_the_old_token(amazon: AmazonCaller) -> None:
    amazon.sandbox.choices.refresh_rotation = "rotate_and_end"
    old = amazon.sandbox.refresh_token("alice")
    new = (await amazon.refresh(old)).json()["refresh_token"]
    assert error(await amazon.refresh(old))[1] == "invalid_grant"
    assert (await amazon.refresh(new)).status_code == 200


async def test_the_form_of_a_token_answer_follows_its_switches(amazon: AmazonCaller) -> None:
    value = amazon.sandbox.refresh_token("alice")
    amazon.sandbox.choices.change({"expires_in": "string", "refresh_answer": "without_refresh_token"})
    body = (await amazon.refresh(value)).json()
    assert body["expires_in"] == "3600"
    assert "refresh_token" not in body


async def test_errors_have_a_request_id_unless_switched_off(amazon: AmazonCaller) -> None:
    answer = await amazon.refresh("Atzr|no")
    assert answer.json()["request_id"] == answer.headers["x-amzn-requestid"]
    assert answer.json()["error_index"]
    amazon.sandbox.choices.lwa_error_details = False
    assert set((await amazon.refresh("Atzr|no")).json()) == {"error", "error_description"}


async def test_the_user_profile_accepts_the_token_in_three_places(amazon: AmazonCaller) -> None:
    token = amazon.sandbox.access_token("alice")
    known = {"user_id": "amzn1.account.ALICESANDBOX", "email": "alice@example.test", "name": "Alice Example"}
    for headers, query in (
        ({"Authorization": f"Bearer {token}"}, {}),
        ({"x-amz-access-token": token}, {}),
        ({}, {"access_token": token}),
    ):
        answer = await amazon.http.get("/na/user/profile", headers=headers, params=query)
        assert answer.json() == known
    assert token not in str([entry.as_dict() for entry in amazon.sandbox.journal])


@pytest.mark.parametrize(
    ("scopes", "status", "name"),
    [(("advertising::campaign_management",), 401, "insufficient_scope"), (("profile:user_id",), 200, "")],
)
async def test_the_user_profile_depends_on_the_scopes(
    amazon: AmazonCaller, scopes: tuple[str, ...], status: int, name: str
) -> None:
    headers = {"Authorization": f"Bearer {amazon.sandbox.access_token('alice', scopes=scopes)}"}
    answer = await amazon.http.get("/user/profile", headers=headers)
    assert (answer.status_code, answer.json().get("error", "")) == (status, name)


async def test_the_user_profile_refuses_a_bad_token(amazon: AmazonCaller) -> None:
    assert error(await amazon.http.get("/user/profile"))[:2] == (400, "invalid_request")
    bad = {"Authorization": "Bearer Atza|no"}
    assert error(await amazon.http.get("/user/profile", headers=bad))[:2] == (400, "invalid_token")
    good = {"Authorization": f"Bearer {amazon.sandbox.access_token('alice')}"}
    assert (await amazon.http.post("/user/profile", headers=good)).status_code == 405
    amazon.sandbox.clock.advance(3601)
    assert error(await amazon.http.get("/user/profile", headers=good))[:2] == (400, "invalid_token")


async def test_the_user_profile_can_have_its_old_format(amazon: AmazonCaller) -> None:
    amazon.sandbox.choices.user_profile = "old"
    headers = {"Authorization": f"Bearer {amazon.sandbox.access_token('alice')}"}
    answer = await amazon.http.get("/user/profile", headers=headers)
    assert answer.json()["Profile"]["PrimaryEmail"] == "alice@example.test"


async def test_token_information_describes_the_token(amazon: AmazonCaller) -> None:
    amazon.sandbox.clock.freeze()
    token = amazon.sandbox.access_token("alice")
    facts = (await amazon.http.get("/auth/o2/tokeninfo", params={"access_token": token})).json()
    assert facts["aud"] == DEFAULT_CLIENT_ID
    assert facts["exp"] == 3600
    assert error(await amazon.http.get("/auth/o2/tokeninfo"))[1] == "invalid_request"
    assert error(await amazon.http.get("/auth/o2/tokeninfo?access_token=x"))[1] == "invalid_token"
