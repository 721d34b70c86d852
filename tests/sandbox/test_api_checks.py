"""The checks that every API path makes before it answers, in Amazon's order."""

import httpx
import pytest

from amazon_accounts.sandbox.ads_api.media import ACCOUNT_TYPE, LIST_TYPE, MANAGER_TYPE, accepts
from amazon_accounts.sandbox.world import DEFAULT_CLIENT_ID, Client
from tests.sandbox.conftest import AmazonCaller

UNAUTHORIZED = ("UNAUTHORIZED", "HTTP 401 Unauthorized")
FAILED = ("401", "Authentication failed")


def classic(answer: httpx.Response) -> tuple[str, str]:
    """Code and details of an error whose request id equals the one in the headers."""
    body = answer.json()
    assert body["requestId"] == answer.headers["x-amz-rid"]
    return body["code"], body["details"]


async def test_every_answer_has_amazons_headers(amazon: AmazonCaller) -> None:
    answer = await amazon.get("/v2/profiles")
    assert answer.headers["server"] == "Server"
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.headers["x-amzn-requestid"]) == 36
    assert len(answer.headers["x-amz-rid"]) == 20
    assert answer.headers["x-amz-rid"].isalnum()


@pytest.mark.parametrize(
    "path", ["/v2/profile", "/adsAccounts/a/b", "/managerAccounts/", "/", "/dsp", "/v3/profiles"]
)
async def test_an_unknown_path_is_refused(amazon: AmazonCaller, path: str) -> None:
    answer = await amazon.http.get(f"/eu/api{path}")
    code, details = classic(answer)
    assert (answer.status_code, code) == (404, "NOT_FOUND")
    assert details == f"Could not find resource for full path: http://sandbox.test/eu/api{path}"
    amazon.sandbox.choices.unknown_path = 403
    answer = await amazon.http.get(f"/eu/api{path}")
    assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/adsAccounts/list", "POST"),
        ("GET", "/adsAccounts", "POST"),
        ("DELETE", "/v2/profiles", "GET, PUT"),
        ("POST", "/managerAccounts", "GET"),
        ("PATCH", "/dsp/advertisers", "GET"),
        ("GET", "/billing/statuses", "POST"),
        ("PUT", "/billing/notifications", "POST"),
    ],
)
async def test_a_wrong_method_is_refused(amazon: AmazonCaller, method: str, path: str, allowed: str) -> None:
    answer = await amazon.http.request(method, f"/na/api{path}")
    assert (answer.status_code, answer.json()) == (403, {"message": "Missing Authentication Token"})
    amazon.sandbox.choices.wrong_method = 405
    answer = await amazon.http.request(method, f"/na/api{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert classic(answer) == ("405", "HTTP 405 Method Not Allowed")


@pytest.mark.parametrize(
    "path", ["/api/v2/profiles", "/xx/api/v2/profiles", "/na/api", "/na", "/", "/ap/oa/other"]
)
async def test_paths_outside_amazons_are_not_found(amazon: AmazonCaller, path: str) -> None:
    answer = await amazon.http.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Authorization": ""}, UNAUTHORIZED),
        ({"Authorization": "Basic abc"}, UNAUTHORIZED),
        ({"Authorization": "bearer Atza|x"}, UNAUTHORIZED),
        ({"Amazon-Advertising-API-ClientId": ""}, ("UNAUTHORIZED", "Invalid authorization inputs")),
        ({"Authorization": "Bearer Atza|unknown"}, UNAUTHORIZED),
        ({"Authorization": "Bearer unknown"}, UNAUTHORIZED),
        ({"Amazon-Advertising-API-ClientId": "other"}, FAILED),
    ],
)
async def test_wrong_credentials_are_refused(
    amazon: AmazonCaller, changes: dict[str, str], expected: tuple[str, str]
) -> None:
    headers = {name: value for name, value in (amazon.headers() | changes).items() if value}
    answer = await amazon.http.get("/na/api/v2/profiles", headers=headers)
    assert answer.status_code == 401
    assert classic(answer) == expected


async def test_header_names_are_read_in_any_case(amazon: AmazonCaller) -> None:
    headers = {name.swapcase(): value for name, value in amazon.headers().items()}
    assert (await amazon.http.get("/na/api/v2/profiles", headers=headers)).status_code == 200


async def test_an_access_token_lives_3600_seconds(amazon: AmazonCaller) -> None:
    headers = amazon.headers()
    amazon.sandbox.clock.advance(3595)
    assert (await amazon.http.get("/na/api/v2/profiles", headers=headers)).status_code == 200
    amazon.sandbox.clock.advance(6)
    assert classic(await amazon.http.get("/na/api/v2/profiles", headers=headers)) == UNAUTHORIZED
    assert [entry.credential for entry in amazon.sandbox.journal] == ["valid", "expired"]


async def test_a_switch_sets_the_life_of_access_tokens(amazon: AmazonCaller) -> None:
    amazon.sandbox.choices.access_token_seconds = 60
    headers = amazon.headers()
    amazon.sandbox.clock.advance(61)
    assert (await amazon.http.get("/na/api/v2/profiles", headers=headers)).status_code == 401


async def test_a_refresh_token_is_no_access_token(amazon: AmazonCaller) -> None:
    headers = amazon.headers() | {"Authorization": f"Bearer {amazon.sandbox.refresh_token('alice')}"}
    assert classic(await amazon.http.get("/na/api/v2/profiles", headers=headers)) == UNAUTHORIZED


async def test_an_unapproved_client_is_refused(amazon: AmazonCaller) -> None:
    amazon.sandbox.world.clients[DEFAULT_CLIENT_ID].approved = False
    assert classic(await amazon.get("/v2/profiles")) == FAILED


async def test_a_token_of_another_client_is_refused(amazon: AmazonCaller) -> None:
    amazon.sandbox.world.add_client(Client("other", "Other", "secret"))
    token = amazon.sandbox.access_token("alice", client_id="other")
    headers = amazon.headers() | {"Authorization": f"Bearer {token}"}
    assert classic(await amazon.http.get("/na/api/v2/profiles", headers=headers)) == FAILED


async def test_a_token_without_an_advertising_scope_is_refused(amazon: AmazonCaller) -> None:
    token = amazon.sandbox.access_token("alice", scopes=("profile",))
    headers = amazon.headers() | {"Authorization": f"Bearer {token}"}
    assert classic(await amazon.http.get("/na/api/v2/profiles", headers=headers)) == FAILED


async def test_a_token_of_a_removed_login_is_refused(amazon: AmazonCaller) -> None:
    headers = amazon.headers("bob")
    amazon.sandbox.world.remove_login("bob")
    assert classic(await amazon.http.get("/na/api/v2/profiles", headers=headers)) == UNAUTHORIZED


async def test_an_access_token_outlives_its_grant_unless_switched(amazon: AmazonCaller) -> None:
    headers = amazon.headers()
    amazon.sandbox.revoke("alice")
    assert (await amazon.http.get("/na/api/v2/profiles", headers=headers)).status_code == 200
    amazon.sandbox.choices.after_revocation = "refused"
    assert classic(await amazon.http.get("/na/api/v2/profiles", headers=headers)) == UNAUTHORIZED


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain", ACCOUNT_TYPE])
async def test_the_list_takes_its_own_media_type_only(amazon: AmazonCaller, content_type: str) -> None:
    headers = amazon.headers() | ({"Content-Type": content_type} if content_type else {})
    answer = await amazon.http.post("/na/api/adsAccounts/list", headers=headers, content=b"{}")
    assert answer.status_code == 415
    assert classic(answer) == ("415", "Cannot consume content type")


@pytest.mark.parametrize("content_type", [LIST_TYPE + ";charset=UTF-8", LIST_TYPE.upper()])
async def test_parameters_and_case_of_the_media_type_do_not_matter(
    amazon: AmazonCaller, content_type: str
) -> None:
    headers = amazon.headers() | {"Content-Type": content_type}
    answer = await amazon.http.post("/na/api/adsAccounts/list", headers=headers, content=b"{}")
    assert answer.status_code == 200


async def test_a_switch_accepts_plain_json(amazon: AmazonCaller) -> None:
    amazon.sandbox.choices.plain_json_body = "accepted"
    answer = await amazon.http.post("/na/api/adsAccounts/list", headers=amazon.headers(), json={})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "produced"),
    [
        ("/v2/profiles", "application/json"),
        ("/managerAccounts", MANAGER_TYPE),
        ("/adsAccounts/{id}", ACCOUNT_TYPE),
    ],
)
async def test_the_accept_header_must_allow_the_media_type(
    amazon: AmazonCaller, path: str, produced: str
) -> None:
    path = path.format(id=amazon.sandbox.world.logins["alice"].ads_accounts[0])
    answer = await amazon.http.get(f"/na/api{path}", headers=amazon.headers(Accept=produced))
    assert (answer.status_code, answer.headers["content-type"]) == (200, produced)
    answer = await amazon.http.get(f"/na/api{path}", headers=amazon.headers(Accept="text/html"))
    assert answer.status_code == 406


@pytest.mark.parametrize(
    ("header", "passes"),
    [
        ("", True),
        ("*/*", True),
        ("application/*;q=0.1", True),
        ("text/html, application/vnd.a.v1+json; q=0.5", True),
        ("APPLICATION/VND.A.V1+JSON", True),
        ("application/json", False),
        ("application/vnd.a.v1+json;q=0", False),
        ("application/vnd.a.v1+json;q=0.000, text/*", False),
    ],
)
def test_accept_headers_are_read_as_in_http(header: str, passes: bool) -> None:
    assert accepts(header, "application/vnd.a.v1+json") is passes
