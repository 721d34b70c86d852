"""Faults: what each kind does, and which calls a rule hits."""

import asyncio
import gzip
import json
import time
from typing import Any

import httpx
import pytest

from amazon_accounts.sandbox.calls import Call
from amazon_accounts.sandbox.choices import UnknownChoiceError
from amazon_accounts.sandbox.faults.changes import CHANGES
from amazon_accounts.sandbox.faults.rules import KINDS, BadRuleError
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import Notification, generated_world
from tests.sandbox.conftest import NOTIFICATIONS, STATUSES, AmazonCaller

NO_ANSWER = {"drop", "drop_after", "drop_body", "hang"}
LIST, PROFILES, MANAGERS, DSP = "/adsAccounts/list", "/v2/profiles", "/managerAccounts", "/dsp/advertisers"
BILLING = {operation[0]: operation for operation in (STATUSES, NOTIFICATIONS)}
PATHS = (LIST, PROFILES, MANAGERS, DSP, *BILLING)


async def ask(amazon: AmazonCaller, path: str = PROFILES, **where: str) -> httpx.Response:
    if path == LIST:
        return await amazon.list_accounts(**where)
    if path in BILLING:
        profile = amazon.sandbox.world.profiles[next(iter(amazon.sandbox.world.profiles))]
        return await amazon.billing(BILLING[path], profile, **where)
    scope = next(iter(amazon.sandbox.world.advertisers_of), "") if path == DSP else ""
    separator = "&" if "?" in path else "?"
    query = f"{separator}accessLevel=view" if path == PROFILES else ""
    return await amazon.get(path + query, scope=scope, **where)


async def statuses(amazon: AmazonCaller, calls: int, path: str = PROFILES, **where: str) -> list[int]:
    return [(await ask(amazon, path, **where)).status_code for _ in range(calls)]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("throttle", 429),
        ("throttle_html", 429),
        ("error_500", 500),
        ("error_500_html", 500),
        ("bad_gateway", 502),
        ("error_503", 503),
        ("unavailable_html", 503),
        ("gateway_timeout", 504),
        ("request_timeout", 408),
        ("busy", 503),
        ("empty", 200),
        ("html", 200),
        ("wrong_type", 200),
        ("plain_text", 400),
        ("unauthorized", 401),
        ("unauthorized_gateway", 401),
        ("unauthorized_html", 401),
        ("authentication_failed", 401),
        ("no_access_to_scope", 401),
        ("no_advertiser_for_scope", 401),
        ("forbidden", 403),
        ("stale_page_token", 400),
    ],
)
async def test_every_path_can_fail_in_every_way(
    amazon: AmazonCaller, path: str, kind: str, status: int
) -> None:
    amazon.sandbox.faults.add(kind, path=path, count=1)
    answer = await ask(amazon, path)
    assert answer.status_code == status
    assert len(answer.headers["x-amzn-requestid"]) == 36
    assert (await ask(amazon, path)).status_code == 200
    entry = amazon.sandbox.journal.entries(path=path)[0]
    assert (entry.status, entry.request_id) == (status, answer.headers["x-amzn-requestid"])
    assert entry.faults[0].startswith(kind)


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (LIST, {"errors"}),
        (PROFILES, {"code", "details", "requestId"}),
        (MANAGERS, {"code", "message"}),
        ("/billing/statuses", {"message"}),
        ("/billing/notifications", {"code", "message"}),
    ],
)
async def test_errors_have_the_format_of_their_endpoint(
    amazon: AmazonCaller, path: str, shape: set[str]
) -> None:
    amazon.sandbox.faults.add("error_500")
    assert set((await ask(amazon, path)).json()) == shape
    assert set((await ask(amazon, DSP)).json()) == {"message", "requestId"}
    account_id = amazon.sandbox.world.logins["alice"].ads_accounts[0]
    answer = await amazon.get(f"/adsAccounts/{account_id}")
    assert answer.json() == {"message": "Unexpected error during processing of request."}
    answer = await amazon.refresh(amazon.sandbox.refresh_token("alice"))
    assert answer.json()["error"] == "ServerError"


async def test_busy_can_have_any_status(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("busy", status=400)
    answer = await ask(amazon)
    assert (answer.status_code, answer.json()["code"]) == (400, "SERVER_IS_BUSY")


async def test_a_fault_gives_any_answer(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("answer", status=418, json={"a": 1}, headers={"X-Tea": "pot"}, count=1)
    answer = await ask(amazon)
    assert (answer.status_code, answer.json(), answer.headers["x-tea"]) == (418, {"a": 1}, "pot")
    amazon.sandbox.faults.add("answer", body="Just text", content_type="text/plain")
    answer = await ask(amazon)
    assert (answer.text, answer.headers["content-type"]) == ("Just text", "text/plain")


async def test_a_fault_truncates_json(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("truncated")
    answer = await ask(amazon)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def test_a_fault_breaks_gzip(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("gzip_broken")
    with pytest.raises(httpx.DecodingError):
        await ask(amazon)


async def test_faults_answer_with_huge_bodies(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("huge", megabytes=3, count=1)
    assert len((await ask(amazon)).content) == 3_000_002
    amazon.sandbox.faults.add("gzip_bomb", megabytes=3)
    answer = await ask(amazon)
    assert int(answer.headers["content-length"]) < 100_000
    assert len(answer.content) == 3_000_002
    assert gzip.compress(b"")[:2] == b"\x1f\x8b"


async def test_faults_delay_an_answer_or_send_it_slowly(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("slow", seconds=0.1, name="slow")
    amazon.sandbox.faults.add("slow", seconds=0.1, name="slower")
    began = time.perf_counter()
    assert (await ask(amazon)).status_code == 200
    assert time.perf_counter() - began >= 0.2
    amazon.sandbox.faults.clear()
    amazon.sandbox.faults.add("dribble", seconds=0.2)
    began = time.perf_counter()
    assert (await ask(amazon)).status_code == 200
    assert time.perf_counter() - began >= 0.2


async def test_drop_after_does_the_work_and_gives_no_answer(amazon: AmazonCaller) -> None:
    amazon.sandbox.choices.refresh_rotation = "rotate_and_end"
    value = amazon.sandbox.refresh_token("alice")
    amazon.sandbox.faults.add("drop_after", area="token", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await amazon.refresh(value)
    assert (await amazon.refresh(value)).json()["error"] == "invalid_grant"
    assert [entry.status for entry in amazon.sandbox.journal] == [0, 400]


async def test_faults_add_unknown_values_and_fields(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("unknown_values")
    amazon.sandbox.faults.add("extra_fields")
    (first, *_) = (await ask(amazon, LIST)).json()["adsAccounts"]
    assert first["status"] == "SUSPENDED"
    assert "XX" in first["countryCodes"]
    assert first["newField"]
    (profile, *_) = (await ask(amazon)).json()
    assert (profile["countryCode"], profile["accountInfo"]["type"]) == ("XX", "new_type")
    assert (await ask(amazon, MANAGERS)).json()["managerAccounts"][0]["linkedAccounts"][0][
        "accountType"
    ] == "NEW_TYPE"
    assert (await ask(amazon, DSP)).json()["response"][0]["currency"] == "XXX"
    amazon.sandbox.faults.clear()
    assert (await ask(amazon)).json()[0]["accountInfo"]["type"] == "seller"


async def test_faults_remove_fields_and_change_types(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("missing_fields", count=1)
    assert set((await ask(amazon, LIST)).json()["adsAccounts"][0]) == {"adsAccountId"}
    amazon.sandbox.faults.add("missing_ids", count=1)
    first, second = (await ask(amazon, LIST)).json()["adsAccounts"][:2]
    assert "adsAccountId" not in first
    assert "adsAccountId" in second
    amazon.sandbox.faults.add("odd_errors", count=1)
    shapes = [each["errors"] for each in (await ask(amazon, LIST)).json()["adsAccounts"]]
    assert shapes[:2] == ["failed", ["failed"]]
    amazon.sandbox.faults.add("ids_as_strings", count=2)
    assert type((await ask(amazon)).json()[0]["profileId"]) is str
    links = (await ask(amazon, MANAGERS)).json()["managerAccounts"][0]["linkedAccounts"]
    assert type(links[0]["profileId"]) is int


@pytest.mark.parametrize("path", BILLING)
@pytest.mark.parametrize("item", [1, "advertiser"])
async def test_a_fault_refuses_one_pair_alone(amazon: AmazonCaller, path: str, item: Any) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=3, regions=("NA",)))
    profiles = list(amazon.sandbox.world.profiles.values())
    chosen = profiles[1].account_id if item == "advertiser" else item
    amazon.sandbox.faults.add("item_error", path=path, item=chosen, nth=1)
    amazon.sandbox.faults.add("item_error", path=path, item=chosen, nth=2, code="NOT_AUTHORIZED")
    refused = []
    for _ in range(3):
        answer = (await amazon.billing(BILLING[path], *profiles, login="login-1")).json()
        refused.append([(each["index"], each["errorCode"]) for each in answer["error"]])
        assert len(answer["success"]) + len(answer["error"]) == 3
    assert refused == [[(1, "INTERNAL_ERROR")], [(1, "NOT_AUTHORIZED")], []]


@pytest.mark.parametrize("path", BILLING)
async def test_faults_spoil_the_indexes_of_pairs(amazon: AmazonCaller, path: str) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=3, regions=("NA",)))
    profiles = list(amazon.sandbox.world.profiles.values())

    async def indexes(kind: str, **options: Any) -> list[Any]:
        amazon.sandbox.faults.add(kind, count=1, **options)
        answer = (await amazon.billing(BILLING[path], *profiles, login="login-1")).json()
        return [each.get("index", "missing") for each in answer["success"]]

    assert await indexes("item_index", item=1) == [2, "missing", 0]
    assert await indexes("item_index", index=2) == [2, 1, 2]
    assert await indexes("item_index", index=99) == [2, 1, 99]
    assert await indexes("item_index", index="1") == [2, 1, "1"]
    assert await indexes("missing_ids") == ["missing", 1, 0]
    assert await indexes("duplicate_record") == [2, 1, 0, 2]


@pytest.mark.parametrize("path", BILLING)
async def test_missing_fields_leave_an_index_without_an_answer(amazon: AmazonCaller, path: str) -> None:
    amazon.sandbox.faults.add("missing_fields")
    assert (await ask(amazon, path)).json()["success"] == [{"index": 0}]


@pytest.mark.parametrize("path", BILLING)
async def test_a_fault_answers_for_a_pair_that_nobody_asked_for(amazon: AmazonCaller, path: str) -> None:
    amazon.sandbox.faults.add("item_of_other_pair", count=1)
    named = [(await ask(amazon, path)).json()["success"][0]["advertiserMarketplace"] for _ in range(2)]
    assert named[0]["advertiserId"] == "ENTITYNOBODYASKED"
    assert named[1]["advertiserId"] != "ENTITYNOBODYASKED"


async def test_a_fault_gives_billing_unknown_values(amazon: AmazonCaller) -> None:
    world = amazon.sandbox.world
    profile = world.profiles[next(iter(world.profiles))]
    world.set_billing(profile, "VALID_BILLING_STATUS", Notification("ACCOUNT_ERROR"))
    amazon.sandbox.faults.add("unknown_values", path="/billing/*")
    (item,) = (await amazon.billing(STATUSES, profile)).json()["success"]
    assert item["billingStatus"]["billingStatusCode"] == "NEW_BILLING_STATUS"
    (item,) = (await amazon.billing(NOTIFICATIONS, profile)).json()["success"]
    (notice,) = item["billingNotifications"]
    assert (notice["severity"], notice["impact"]) == ("NEW_SEVERITY", "NEW_IMPACT")
    (refused,) = (await amazon.billing(STATUSES, profile, region="eu")).json()["error"]
    assert refused["errorCode"] == "NEW_ERROR"
    amazon.sandbox.faults.clear()
    assert world.billing[profile.pair].notifications == [Notification("ACCOUNT_ERROR")]


async def walk(amazon: AmazonCaller, pages: int = 10) -> list[tuple[list[str], str | None]]:
    """Ids and nextToken of each page, up to a number of pages."""
    found: list[tuple[list[str], str | None]] = []
    token: str | None = None
    while len(found) < pages and (token or not found):
        body = {"nextToken": token} if token else {}
        answer = (await amazon.list_accounts("login-1", maxResults=2, **body)).json()
        token = answer.get("nextToken")
        found.append(([each["adsAccountId"] for each in answer["adsAccounts"]], token))
    return found


async def test_a_fault_repeats_a_record_on_the_next_page(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=5))
    amazon.sandbox.faults.add("duplicate_record", path=LIST, count=1)
    pages = [ids for ids, _ in await walk(amazon)]
    assert pages[0][-1] == pages[1][0]
    assert sorted({each for page in pages for each in page}) == sorted(amazon.sandbox.world.ads_accounts)


async def test_a_fault_repeats_a_record_of_a_list_without_pages(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("duplicate_record")
    found = (await ask(amazon)).json()
    assert found[0] == found[-1]


async def test_an_empty_page_with_a_token_loses_no_record(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=5))
    amazon.sandbox.faults.add("empty_page", path=LIST, nth=2)
    pages = [ids for ids, _ in await walk(amazon)]
    assert [len(page) for page in pages] == [2, 0, 2, 1]


async def test_a_fault_repeats_the_next_token(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=5))
    amazon.sandbox.faults.add("repeating_token", path=LIST)
    tokens = [token for _, token in await walk(amazon, pages=4)]
    assert len(tokens) == 4
    assert len(set(tokens)) == 1


async def test_a_fault_makes_a_list_endless(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=3))
    amazon.sandbox.faults.add("endless_walk", path=LIST)
    tokens = [token for _, token in await walk(amazon, pages=8)]
    assert len(set(tokens)) == 8


async def test_a_fault_ends_the_access_token_of_a_call(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("end_token", nth=2)
    headers = amazon.headers()
    asked = [(await amazon.http.get("/na/api/v2/profiles", headers=headers)).status_code for _ in range(3)]
    assert asked == [200, 401, 401]
    assert (await ask(amazon)).status_code == 200


async def test_faults_remove_tokens_from_an_answer(amazon: AmazonCaller) -> None:
    value = amazon.sandbox.refresh_token("alice")
    amazon.sandbox.faults.add("no_access_token", area="token", nth=1)
    amazon.sandbox.faults.add("no_refresh_token", area="token", nth=2)
    assert "access_token" not in (await amazon.refresh(value)).json()
    assert "refresh_token" not in (await amazon.refresh(value)).json()


async def test_a_fault_gives_any_lwa_error(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("lwa_error", status=401, error="invalid_client", description="No", area="token")
    answer = await amazon.refresh(amazon.sandbox.refresh_token("alice"))
    assert (answer.status_code, answer.json()) == (
        401,
        {"error": "invalid_client", "error_description": "No"},
    )


async def test_a_fault_changes_a_switch_for_some_calls(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("switch", login="alice", area="token", refresh_rotation="rotate")
    alice, bob = amazon.sandbox.refresh_token("alice"), amazon.sandbox.refresh_token("bob")
    assert (await amazon.refresh(alice)).json()["refresh_token"] != alice
    assert (await amazon.refresh(bob)).json()["refresh_token"] == bob
    assert amazon.sandbox.choices.refresh_rotation == "same"


async def test_a_function_of_the_test_runs_when_the_call_arrives(amazon: AmazonCaller) -> None:
    seen: list[str] = []

    def note(call: Call) -> None:
        seen.append(call.path)

    async def rename(call: Call) -> None:
        assert call.login is not None
        account_id = call.login.ads_accounts[0]
        amazon.sandbox.world.ads_accounts[account_id].account_name = "Renamed in time"

    amazon.sandbox.faults.add("run", function=note)
    amazon.sandbox.faults.add("run", function=rename, path=LIST)
    assert (await ask(amazon, LIST)).json()["adsAccounts"][0]["accountName"] == "Renamed in time"
    assert seen == [LIST]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, [500, 500, 500, 500, 500, 500]),
        ({"nth": 3}, [200, 200, 500, 200, 200, 200]),
        ({"nth": [1, 4]}, [500, 200, 200, 500, 200, 200]),
        ({"every": 2}, [200, 500, 200, 500, 200, 500]),
        ({"after": 4}, [200, 200, 200, 200, 500, 500]),
        ({"count": 2}, [500, 500, 200, 200, 200, 200]),
        ({"after": 1, "every": 2, "count": 1}, [200, 200, 500, 200, 200, 200]),
        ({"probability": 0.0}, [200] * 6),
    ],
)
async def test_a_rule_hits_the_calls_that_it_counts(
    amazon: AmazonCaller, when: dict[str, Any], expected: list[int]
) -> None:
    amazon.sandbox.faults.add("error_500", **when)
    assert await statuses(amazon, 6) == expected


async def test_the_same_seed_hits_the_same_calls(amazon: AmazonCaller) -> None:
    runs = []
    for _ in range(2):
        amazon.sandbox.faults.clear()
        amazon.sandbox.faults.add("error_500", probability=0.5)
        runs.append(await statuses(amazon, 20))
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


async def test_a_rule_ends_at_its_time(amazon: AmazonCaller) -> None:
    amazon.sandbox.clock.freeze()
    amazon.sandbox.faults.add("error_503", for_seconds=6 * 3600)
    assert await statuses(amazon, 1) == [503]
    amazon.sandbox.clock.advance(6 * 3600)
    assert await statuses(amazon, 1) == [200]


@pytest.mark.parametrize(
    ("whom", "struck"),
    [
        ({"region": "EU"}, {"eu alice", "eu bob"}),
        ({"login": "bob"}, {"na bob", "eu bob"}),
        ({"login": "bob", "region": "NA"}, {"na bob"}),
        ({"path": "/v2/*"}, {"na alice", "eu alice", "na bob", "eu bob"}),
        ({"path": "/dsp/*"}, set()),
        ({"method": "PUT"}, set()),
        ({"client_id": "other"}, set()),
        ({"area": "token"}, set()),
    ],
)
async def test_a_rule_hits_only_the_calls_that_it_names(
    amazon: AmazonCaller, whom: dict[str, Any], struck: set[str]
) -> None:
    amazon.sandbox.faults.add("error_500", **whom)
    hit = {
        f"{region} {login}"
        for region in ("na", "eu")
        for login in ("alice", "bob")
        if (await ask(amazon, region=region, login=login)).status_code == 500
    }
    assert hit == struck


async def test_a_rule_can_name_a_grant_type_and_a_login(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("error_503", area="token", grant_type="authorization_code")
    assert (await amazon.refresh(amazon.sandbox.refresh_token("alice"))).status_code == 200
    amazon.sandbox.faults.add("error_503", area="token", login="alice")
    assert (await amazon.refresh(amazon.sandbox.refresh_token("alice"))).status_code == 503
    assert (await amazon.refresh(amazon.sandbox.refresh_token("bob"))).status_code == 200


async def test_the_first_of_two_rules_answers_and_both_count(amazon: AmazonCaller) -> None:
    first = amazon.sandbox.faults.add("error_500", count=1)
    second = amazon.sandbox.faults.add("error_503")
    assert await statuses(amazon, 2) == [500, 503]
    assert (first.struck, second.struck) == (1, 2)


def test_a_rule_with_unknown_parts_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(BadRuleError, match="error_500"):
        sandbox.faults.add("nonsense")
    with pytest.raises(UnknownChoiceError):
        sandbox.faults.add("switch", nonsense=1)
    with pytest.raises(UnknownChoiceError):
        sandbox.faults.add("throttle", retry_after="soon")
    for slip in ({"region": "eu"}, {"area": "lwa"}, {"prob": 0.5}):
        with pytest.raises(ValueError, match="there are"):
            sandbox.faults.add("error_500", **slip)
    assert not sandbox.faults.rules


@pytest.mark.parametrize("kind", sorted(KINDS - NO_ANSWER - {"run", "switch"}))
async def test_no_fault_breaks_the_sandbox_itself(amazon: AmazonCaller, kind: str) -> None:
    amazon.sandbox.faults.add(kind, options={"megabytes": 1, "seconds": 0.01})
    asked = [
        *(ask(amazon, path) for path in PATHS),
        amazon.refresh(amazon.sandbox.refresh_token("alice")),
        amazon.http.get("/user/profile", headers=amazon.headers()),
        amazon.http.get("/ap/oa"),
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            assert isinstance(answer, httpx.DecodingError)
            assert kind == "gzip_broken"
        else:
            assert answer.headers["x-amzn-requestid"]


def test_every_change_is_a_kind() -> None:
    assert set(CHANGES) <= KINDS
