"""/adsAccounts: the pages and formats of the list, and single accounts."""

import json
from typing import Any

import pytest

from amazon_accounts.sandbox.ads_api.media import ACCOUNT_TYPE, LIST_TYPE
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import AdsAccount, Alternate, generated_world
from tests.sandbox.conftest import AmazonCaller


def v2(code: int, error: str, text: str) -> dict[str, Any]:
    return {"errors": [{"errorId": code, "errorCode": error, "errorMessage": text}]}


async def walk(amazon: AmazonCaller, login: str = "login-1", **body: Any) -> list[dict[str, Any]]:
    pages = [(await amazon.list_accounts(login, **body)).json()]
    while pages[-1].get("nextToken"):
        pages.append((await amazon.list_accounts(login, nextToken=pages[-1]["nextToken"], **body)).json())
        assert len(pages) < 50
    return pages


async def test_a_small_list_is_one_page(amazon: AmazonCaller) -> None:
    answer = await amazon.list_accounts()
    assert answer.headers["content-type"] == LIST_TYPE
    body = answer.json()
    assert set(body) == {"adsAccounts"}
    assert {each["status"] for each in body["adsAccounts"]} == {
        "CREATED",
        "PARTIALLY_CREATED",
        "PENDING",
        "DISABLED",
    }
    assert body["adsAccounts"] == amazon.sandbox.truth("alice")["ads_accounts"]


async def test_an_account_has_the_fields_of_the_specification(amazon: AmazonCaller) -> None:
    by_name = {each["accountName"]: each for each in (await amazon.list_accounts()).json()["adsAccounts"]}
    living = by_name["Nordwind Living"]
    assert living["adsAccountId"].startswith("amzn1.ads-account.g.")
    assert living["countryCodes"] == ["CA", "MX"]
    assert living["errors"]["MX"][0]["errorCode"] == "INELIGIBLE"
    outdoor = by_name["Nordwind Outdoor"]
    assert "errors" not in outdoor
    profile_ids = [each["profileId"] for each in outdoor["alternateIds"] if "profileId" in each]
    assert all(type(each) is int for each in profile_ids)
    assert len(profile_ids) == 3


async def test_any_host_lists_all_regions(amazon: AmazonCaller) -> None:
    lists = [(await amazon.list_accounts(region=region)).json() for region in ("na", "eu", "fe")]
    assert lists[0] == lists[1] == lists[2]


async def test_a_login_without_accounts_gets_an_empty_list(amazon: AmazonCaller) -> None:
    assert (await amazon.list_accounts("charlie")).json() == {"adsAccounts": []}


@pytest.mark.parametrize(("accounts", "pages"), [(99, 1), (100, 1), (101, 2), (250, 3)])
async def test_a_page_has_a_hundred_accounts(amazon: AmazonCaller, accounts: int, pages: int) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=accounts))
    found = await walk(amazon)
    assert len(found) == pages
    assert "nextToken" not in found[-1]
    ids = [each["adsAccountId"] for page in found for each in page["adsAccounts"]]
    assert ids == amazon.sandbox.world.logins["login-1"].ads_accounts


async def test_a_page_has_max_results_accounts(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=7))
    assert [len(page["adsAccounts"]) for page in await walk(amazon, maxResults=3)] == [3, 3, 1]


@pytest.mark.parametrize(("paging", "missed"), [("place", 2), ("cursor", 0)])
async def test_accounts_that_leave_the_list_move_others_past_a_place(
    amazon: AmazonCaller, paging: str, missed: int
) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=10))
    amazon.sandbox.choices.change({"paging": paging, "max_page_size": 4})
    amazon.sandbox.faults.add("shift", path="/adsAccounts/list", nth=2, accounts=2)
    found = [each["adsAccountId"] for page in await walk(amazon) for each in page["adsAccounts"]]
    login = amazon.sandbox.world.logins["login-1"]
    assert len(login.ads_accounts) == 8
    assert len(set(login.ads_accounts) - set(found)) == missed


async def test_accounts_can_move_to_another_login(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(generated_world(logins=2, accounts_per_login=3))
    first, second = amazon.sandbox.world.logins.values()
    before = list(first.ads_accounts)
    amazon.sandbox.faults.add("shift", path="/adsAccounts/list", count=1, accounts=2, to=second.login_id)
    await walk(amazon)
    assert first.ads_accounts == before[2:]
    assert second.ads_accounts[-2:] == before[:2]


@pytest.mark.parametrize(("end", "value"), [("empty", ""), ("null", None)])
async def test_the_end_may_have_an_empty_token(amazon: AmazonCaller, end: str, value: str | None) -> None:
    amazon.sandbox.choices.change({"end_of_list": end})
    assert (await amazon.list_accounts()).json()["nextToken"] == value


@pytest.mark.parametrize("size", [0, 101, -1, 1.5, "10", None, True, [1]])
async def test_max_results_is_from_1_to_100(amazon: AmazonCaller, size: object) -> None:
    answer = await amazon.list_accounts(maxResults=size)
    assert answer.status_code == 400
    assert answer.json() == v2(400, "INVALID_INPUT", "maxResults must be between 1 and 100.")


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'"x"'])
async def test_a_body_that_is_not_an_object_is_refused(amazon: AmazonCaller, body: bytes) -> None:
    headers = amazon.headers() | {"Content-Type": LIST_TYPE}
    answer = await amazon.http.post("/na/api/adsAccounts/list", headers=headers, content=body)
    assert answer.status_code == 400
    assert answer.json() == v2(400, "INVALID_INPUT", "Request body is not valid.")


@pytest.mark.parametrize("body", [b"", b"  ", b'{"unknown": [1], "nextToken": null}'])
async def test_an_empty_body_lists_the_first_page(amazon: AmazonCaller, body: bytes) -> None:
    headers = amazon.headers() | {"Content-Type": LIST_TYPE}
    answer = await amazon.http.post("/na/api/adsAccounts/list", headers=headers, content=body)
    assert answer.status_code == 200


async def test_an_invalid_next_token_is_refused(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(generated_world(logins=2, accounts_per_login=3))
    token = (await amazon.list_accounts("login-1", maxResults=1)).json()["nextToken"]
    assert (await amazon.list_accounts("login-1", nextToken=token)).status_code == 200
    bad: list[object] = ["x", token[:-1], "A" + token, "eyJvIjoxfQ.", 5, ["x"], "\ud800", "."]
    for each in bad:
        answer = await amazon.list_accounts("login-1", nextToken=each)
        assert answer.json() == v2(400, "INVALID_INPUT", "nextToken is not valid."), each
    assert (await amazon.list_accounts("login-2", nextToken=token)).status_code == 400


async def test_a_next_token_can_expire(amazon: AmazonCaller) -> None:
    amazon.sandbox.choices.next_token_seconds = 60
    token = (await amazon.list_accounts(maxResults=1)).json()["nextToken"]
    amazon.sandbox.clock.advance(61)
    assert (await amazon.list_accounts(nextToken=token)).status_code == 400


async def test_a_barred_login_is_refused(amazon: AmazonCaller) -> None:
    login = amazon.sandbox.world.logins["alice"]
    login.barred = True
    text = "User does not have sufficient access to perform this action."
    answer = await amazon.list_accounts()
    assert (answer.status_code, answer.json()) == (403, v2(403, "ACCESS_DENIED", text))
    answer = await amazon.get(f"/adsAccounts/{login.ads_accounts[0]}")
    assert (answer.status_code, answer.json()) == (403, {"message": text})
    assert amazon.sandbox.truth("alice")["ads_accounts"] == []


async def test_registering_an_account_is_refused(amazon: AmazonCaller) -> None:
    answer = await amazon.http.post("/na/api/adsAccounts", headers=amazon.headers(), json={})
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["errorCode"] == "ACCESS_DENIED"


async def test_one_account_is_read_by_its_id(amazon: AmazonCaller) -> None:
    account_id = amazon.sandbox.world.logins["alice"].ads_accounts[0]
    answer = await amazon.get(f"/adsAccounts/{account_id}", region="fe")
    assert answer.headers["content-type"] == ACCOUNT_TYPE
    assert answer.json()["adsAccount"] == amazon.sandbox.truth("alice")["ads_accounts"][0]


async def test_an_unknown_or_foreign_account_is_not_found(amazon: AmazonCaller) -> None:
    bobs = amazon.sandbox.world.logins["bob"].ads_accounts[-1]
    for each in ("amzn1.ads-account.g.nobody", bobs):
        answer = await amazon.get(f"/adsAccounts/{each}")
        assert (answer.status_code, answer.json()) == (404, {"message": "Advertising Account not found."})
    answer = await amazon.get("/adsAccounts/a%20b")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Request failed because invalid parameters")


ACCOUNT = AdsAccount("amzn1.ads-account.g.x", "X", "CREATED", ["UK"], [Alternate("UK", 7, "ENTITY7")])


@pytest.mark.parametrize(
    ("switches", "alternate_ids"),
    [
        (
            {"alternate_ids": "separate"},
            [{"countryCode": "UK", "profileId": 7}, {"countryCode": "UK", "entityId": "ENTITY7"}],
        ),
        ({"alternate_ids": "merged"}, [{"countryCode": "UK", "profileId": 7, "entityId": "ENTITY7"}]),
        (
            {"alternate_ids": "merged", "united_kingdom": "GB", "profile_id": "string"},
            [{"countryCode": "GB", "profileId": "7", "entityId": "ENTITY7"}],
        ),
    ],
)
async def test_alternate_ids_follow_their_switches(
    amazon: AmazonCaller, switches: dict[str, str], alternate_ids: list[dict[str, object]]
) -> None:
    world = amazon.sandbox.world
    world.add_ads_account(ACCOUNT, world.logins["charlie"])
    amazon.sandbox.choices.change(switches)
    (record,) = (await amazon.list_accounts("charlie")).json()["adsAccounts"]
    assert record["alternateIds"] == alternate_ids
    assert record["countryCodes"] == [alternate_ids[0]["countryCode"]]


async def test_mixed_alternate_ids_show_both_forms(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=50))
    counts = {len(each["alternateIds"]) for each in (await walk(amazon))[0]["adsAccounts"]}
    assert counts == {1, 2}


async def test_a_profile_id_may_come_later_than_its_country(amazon: AmazonCaller) -> None:
    sandbox = amazon.sandbox
    sandbox.choices.change({"profile_id_delay_seconds": 30, "alternate_ids": "separate"})
    account = AdsAccount(
        "amzn1.ads-account.g.new",
        "New",
        "CREATED",
        ["DE"],
        [Alternate("DE", 8)],
        created_at=sandbox.clock.now(),
    )
    sandbox.world.add_ads_account(account, sandbox.world.logins["charlie"])
    (record,) = (await amazon.list_accounts("charlie")).json()["adsAccounts"]
    assert (record["countryCodes"], record["alternateIds"]) == (["DE"], [])
    sandbox.clock.advance(30)
    (record,) = (await amazon.list_accounts("charlie")).json()["adsAccounts"]
    assert record["alternateIds"] == [{"countryCode": "DE", "profileId": 8}]


async def test_the_list_can_be_an_array(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=120))
    amazon.sandbox.choices.list_shape = "array"
    body = (await amazon.list_accounts("login-1")).json()
    assert [each["adsAccount"]["adsAccountId"] for each in body] == amazon.sandbox.world.logins[
        "login-1"
    ].ads_accounts


async def test_a_field_without_a_value_is_left_out(amazon: AmazonCaller) -> None:
    world = amazon.sandbox.world
    world.add_ads_account(AdsAccount("amzn1.ads-account.g.bare", None, None), world.logins["charlie"])
    (record,) = (await amazon.list_accounts("charlie")).json()["adsAccounts"]
    assert record == {"adsAccountId": "amzn1.ads-account.g.bare", "countryCodes": [], "alternateIds": []}


async def test_an_account_disappears_with_its_permission(amazon: AmazonCaller) -> None:
    world = amazon.sandbox.world
    alice = world.logins["alice"]
    gone = alice.ads_accounts[0]
    profiles = len((await amazon.get("/v2/profiles?accessLevel=view")).json())
    world.let_see(alice, ads_account_id=gone, level=None)
    ids = [each["adsAccountId"] for each in (await amazon.list_accounts()).json()["adsAccounts"]]
    assert gone not in ids
    assert len((await amazon.get("/v2/profiles?accessLevel=view")).json()) == profiles - 1
    assert gone in [
        each["adsAccountId"] for each in (await amazon.list_accounts("bob")).json()["adsAccounts"]
    ]
    world.let_see(alice, ads_account_id=gone)
    assert gone in [each["adsAccountId"] for each in (await amazon.list_accounts()).json()["adsAccounts"]]


def test_a_page_of_a_large_world_is_quick(sandbox: Sandbox) -> None:
    world = generated_world(accounts_per_login=3000)
    ids = world.logins["login-1"].ads_accounts
    assert len(set(ids)) == len(world.ads_accounts) == len(world.profiles) == 3000
    assert json.dumps(generated_world(accounts_per_login=3).logins["login-1"].ads_accounts) == json.dumps(
        generated_world(accounts_per_login=3).logins["login-1"].ads_accounts
    )
