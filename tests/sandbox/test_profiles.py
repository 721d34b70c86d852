"""/v2/profiles: what each login sees, filters, single profiles, and budgets."""

from typing import Any

import httpx
import pytest

from amazon_accounts.sandbox.ads_api.profiles import MAX_PROFILES
from amazon_accounts.sandbox.world import Maker, Profile, generated_world
from tests.sandbox.conftest import AmazonCaller


async def profiles(
    amazon: AmazonCaller, query: str = "?accessLevel=view", **where: str
) -> list[dict[str, Any]]:
    answer = await amazon.get(f"/v2/profiles{query}", **where)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_each_host_shows_its_own_region(amazon: AmazonCaller) -> None:
    shown = {region: await profiles(amazon, region=region) for region in ("na", "eu", "fe")}
    assert {each["countryCode"] for each in shown["na"]} == {"US", "CA"}
    assert {each["countryCode"] for each in shown["eu"]} == {"UK", "DE", "ES"}
    assert {each["countryCode"] for each in shown["fe"]} == {"JP"}
    truth = amazon.sandbox.truth("alice")["profiles"]
    for region, found in shown.items():
        levels = [each.pop("accessLevel") for each in truth[region.upper()]]
        assert found == truth[region.upper()]
        assert set(levels) <= {"view", "edit"}


async def test_a_login_without_profiles_gets_an_empty_array(amazon: AmazonCaller) -> None:
    assert await profiles(amazon, login="charlie") == []


async def test_sellers_vendors_and_agencies_have_their_fields(amazon: AmazonCaller) -> None:
    by_type: dict[str, dict[str, Any]] = {}
    for region in ("na", "eu", "fe"):
        by_type |= {each["accountInfo"]["type"]: each for each in await profiles(amazon, region=region)}
    assert type(by_type["seller"]["profileId"]) is int
    assert "dailyBudget" in by_type["seller"]
    assert "validPaymentMethod" not in by_type["seller"]["accountInfo"]
    assert "dailyBudget" not in by_type["vendor"]
    assert type(by_type["vendor"]["accountInfo"]["validPaymentMethod"]) is bool
    vendor = by_type["vendor"]
    assert (vendor["currencyCode"], vendor["timezone"]) == ("JPY", "Asia/Tokyo")
    assert vendor["accountInfo"]["marketplaceStringId"] == "A1VC38T7YXB528"
    assert by_type["agency"]["accountInfo"]["id"].startswith("ENTITY")


async def test_it_filters_by_access_level(amazon: AmazonCaller) -> None:
    assert len(await profiles(amazon, region="fe")) == 1
    assert await profiles(amazon, "?accessLevel=edit", region="fe") == []
    assert await profiles(amazon, "", region="fe") == []
    amazon.sandbox.choices.default_access_level = "view"
    assert len(await profiles(amazon, "", region="fe")) == 1
    assert len(await profiles(amazon, region="eu", login="bob")) == 3
    assert len(await profiles(amazon, "?accessLevel=edit", region="eu", login="bob")) == 1


async def test_it_filters_by_type(amazon: AmazonCaller) -> None:
    found = await profiles(amazon, "?accessLevel=view&profileTypeFilter=agency,vendor")
    assert {each["accountInfo"]["type"] for each in found} == {"agency"}


async def test_it_filters_by_payment_method(amazon: AmazonCaller) -> None:
    maker = Maker(amazon.sandbox.world)
    charlie = amazon.sandbox.world.logins["charlie"]
    for valid in (True, False, None):
        made = maker.profile("US", maker.entity_id(), "vendor", charlie)
        made.valid_payment_method = valid

    async def payments(value: str) -> list[bool | None]:
        query = f"?accessLevel=view&validPaymentMethodFilter={value}"
        found = await profiles(amazon, query, login="charlie")
        return [each["accountInfo"].get("validPaymentMethod") for each in found]

    assert await payments("true") == [True, None]
    assert await payments("false") == [False]


@pytest.mark.parametrize(
    "query",
    [
        "apiProgram=all",
        "accessLevel=admin",
        "accessLevel=",
        "profileTypeFilter=seller,author",
        "validPaymentMethodFilter=1",
    ],
)
async def test_a_bad_filter_is_refused(amazon: AmazonCaller, query: str) -> None:
    answer = await amazon.get(f"/v2/profiles?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "INVALID_ARGUMENT"
    assert answer.json()["details"] == f"Invalid value for {query.partition('=')[0]}"


async def test_a_profile_without_campaigns_is_left_out(amazon: AmazonCaller) -> None:
    world = amazon.sandbox.world
    profile_id = next(iter(world.logins["alice"].profiles))
    world.profiles[profile_id].has_campaigns = False
    assert profile_id not in [each["profileId"] for each in await profiles(amazon)]
    assert (await amazon.get(f"/v2/profiles/{profile_id}")).status_code == 200


async def test_it_shows_at_most_5000_profiles(amazon: AmazonCaller) -> None:
    world = generated_world(accounts_per_login=MAX_PROFILES + 1, regions=("NA",))
    amazon.sandbox.reset(world)
    assert len(await profiles(amazon, login="login-1")) == MAX_PROFILES
    assert len(amazon.sandbox.truth("login-1")["profiles"]["NA"]) == MAX_PROFILES


async def test_one_profile_is_read_by_its_id(amazon: AmazonCaller) -> None:
    (japan,) = await profiles(amazon, region="fe")
    answer = await amazon.get(f"/v2/profiles/{japan['profileId']}", region="fe")
    assert answer.json() == japan
    unknown = [japan["profileId"], 1, 10**400]
    for each in unknown:
        answer = await amazon.get(f"/v2/profiles/{each}", region="na")
        assert (answer.status_code, answer.json()["details"]) == (404, "HTTP 404 Not Found")
    assert (
        await amazon.get(f"/v2/profiles/{japan['profileId']}", region="fe", login="bob")
    ).status_code == 404


@pytest.mark.parametrize("text", ["abc", "1.5", "²", "-1", "9" * 5000])
async def test_a_profile_id_must_be_a_number(amazon: AmazonCaller, text: str) -> None:
    answer = await amazon.get(f"/v2/profiles/{text}")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT")
    amazon.sandbox.choices.bad_profile_id = 404
    assert (await amazon.get(f"/v2/profiles/{text}")).status_code == 404


async def test_large_profile_ids_are_exact(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(_world_with_profile(2**63 + 25))
    answer = await amazon.get("/v2/profiles", login="login-1")
    assert answer.json()[0]["profileId"] == 2**63 + 25
    amazon.sandbox.choices.profile_id = "string"
    assert (await profiles(amazon, login="login-1"))[0]["profileId"] == str(2**63 + 25)


def _world_with_profile(profile_id: int) -> Any:
    world = generated_world(accounts_per_login=0)
    world.add_profile(
        Profile(profile_id, "NA", "US", "USD", "America/Los_Angeles", "ATVPDKIKX0DER", "A1", "seller"),
        world.logins["login-1"],
    )
    return world


async def put(amazon: AmazonCaller, body: object, login: str = "alice", region: str = "eu") -> httpx.Response:
    headers = amazon.headers(login)
    return await amazon.http.put(f"/{region}/api/v2/profiles", headers=headers, json=body)


async def test_a_seller_gets_a_new_budget(amazon: AmazonCaller) -> None:
    before = (await profiles(amazon, region="eu"))[0]
    answer = await put(amazon, [{"profileId": before["profileId"], "dailyBudget": 250.0}])
    assert answer.status_code == 207
    assert answer.json() == [{"profileId": before["profileId"], "code": "SUCCESS"}]
    assert (await profiles(amazon, region="eu"))[0] == before | {"dailyBudget": 250.0}
    amazon.sandbox.choices.put_profiles = 200
    assert (await put(amazon, [before])).status_code == 200
    assert (await profiles(amazon, region="eu"))[0] == before


async def test_a_wrong_budget_is_refused(amazon: AmazonCaller) -> None:
    (japan,) = await profiles(amazon, region="fe")
    seller = (await profiles(amazon, region="eu"))[0]["profileId"]
    agency = next(each for each in await profiles(amazon) if each["accountInfo"]["type"] == "agency")

    async def code(item: object, **where: str) -> str:
        (answered,) = (await put(amazon, [item], **where)).json()
        assert answered.get("details") or answered["code"] == "SUCCESS"
        found: str = answered["code"]
        return found

    assert await code({"profileId": japan["profileId"], "dailyBudget": 5}, region="fe") == "INVALID_ARGUMENT"
    assert await code({"profileId": agency["profileId"], "dailyBudget": 5}, region="na") == "INVALID_ARGUMENT"
    for budget in (0.99, -1, "5", None, True):
        assert await code({"profileId": seller, "dailyBudget": budget}) == "INVALID_ARGUMENT"
    assert await code({"profileId": seller, "dailyBudget": 5, "timezone": "Mars"}) == "INVALID_ARGUMENT"
    assert await code({"profileId": seller, "dailyBudget": 5}, login="bob") == "INVALID_ARGUMENT"
    assert await code({"profileId": 1, "dailyBudget": 5}) == "NOT_FOUND"
    assert await code({"profileId": seller, "dailyBudget": 5}, region="na") == "NOT_FOUND"
    assert await code({"profileId": [seller], "dailyBudget": 5}) == "NOT_FOUND"
    assert await code("nonsense") == "INVALID_ARGUMENT"
    assert await code({"profileId": str(seller), "dailyBudget": 5}) == "SUCCESS"


async def test_budgets_are_sent_in_an_array(amazon: AmazonCaller) -> None:
    answer = await put(amazon, {"profileId": 1})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT")
    assert (await put(amazon, [])).json() == []
