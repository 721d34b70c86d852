"""/dsp/advertisers: the Scope header, pages, filters, and single advertisers."""

from typing import Any

import pytest

from amazon_accounts.sandbox.world import Maker, Profile, generated_world
from tests.sandbox.conftest import AmazonCaller


def agency_of(amazon: AmazonCaller, login: str = "alice") -> Profile:
    world = amazon.sandbox.world
    return next(
        world.profiles[each] for each in world.logins[login].profiles if world.profiles[each].type == "agency"
    )


@pytest.mark.parametrize("path", ["/dsp/advertisers", "/dsp/advertisers/"])
async def test_it_lists_the_advertisers_of_an_agency(amazon: AmazonCaller, path: str) -> None:
    agency = agency_of(amazon)
    body = (await amazon.get(path, scope=agency.profile_id)).json()
    assert body["totalResults"] == 3
    assert body["response"] == amazon.sandbox.truth("alice")["dsp_advertisers"][str(agency.profile_id)]
    assert set(body["response"][0]) == {"advertiserId", "name", "currency", "url", "country", "timezone"}


async def test_it_is_read_page_by_page_with_an_offset(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(
        generated_world(accounts_per_login=0, agencies_per_login=1, advertisers_per_agency=205)
    )
    agency = agency_of(amazon, "login-1")
    found: list[Any] = []
    for start in (0, 100, 200, 300):
        answer = await amazon.get(
            f"/dsp/advertisers?startIndex={start}", scope=agency.profile_id, login="login-1"
        )
        assert answer.json()["totalResults"] == 205
        found += answer.json()["response"]
    ids = [each["advertiserId"] for each in found]
    assert ids == amazon.sandbox.world.advertisers_of[agency.profile_id]
    answer = await amazon.get("/dsp/advertisers?count=7", scope=agency.profile_id, login="login-1")
    assert len(answer.json()["response"]) == 7


async def test_it_filters_by_id(amazon: AmazonCaller) -> None:
    agency = agency_of(amazon)
    ids = amazon.sandbox.world.advertisers_of[agency.profile_id]
    answer = await amazon.get(
        f"/dsp/advertisers?advertiserIdFilter={ids[2]},0,{ids[0]}", scope=agency.profile_id
    )
    assert answer.json()["totalResults"] == 2
    assert [each["advertiserId"] for each in answer.json()["response"]] == [ids[0], ids[2]]


@pytest.mark.parametrize(
    ("query", "field", "rule"),
    [
        ("count=0", "count", "must be between 1 and 100"),
        ("count=101", "count", "must be between 1 and 100"),
        ("count=ten", "count", "must be between 1 and 100"),
        ("startIndex=-1", "startIndex", "must be between 0 and 29900"),
        ("startIndex=29901", "startIndex", "must be between 0 and 29900"),
        ("startIndex=", "startIndex", "must be between 0 and 29900"),
    ],
)
async def test_a_bad_parameter_is_refused(amazon: AmazonCaller, query: str, field: str, rule: str) -> None:
    agency = agency_of(amazon)
    answer = await amazon.get(f"/dsp/advertisers?{query}", scope=agency.profile_id)
    assert answer.status_code == 400
    assert answer.json() == {
        "requestId": answer.headers["x-amz-rid"],
        "message": "Bad Request",
        "errors": [{"errorType": "INVALID_PARAMETER", "field": field, "message": rule}],
    }
    amazon.sandbox.choices.bad_dsp_parameter = 422
    assert (await amazon.get(f"/dsp/advertisers?{query}", scope=agency.profile_id)).status_code == 422


async def test_a_wrong_scope_header_is_refused(amazon: AmazonCaller) -> None:
    agency = agency_of(amazon)
    seller = next(
        each
        for each in amazon.sandbox.world.profiles.values()
        if each.type == "seller" and each.region == "NA"
    )

    async def refusal(scope: object, login: str = "alice", region: str = "na") -> tuple[int, str]:
        answer = await amazon.get("/dsp/advertisers", scope=scope, login=login, region=region)
        return answer.status_code, answer.json().get("details") or answer.json()["message"]

    assert await refusal("") == (401, "Scope header is missing")
    for scope in ("abc", "1", "-1", "9" * 5000):
        assert await refusal(scope) == (401, "No matching advertiser found for scope")
    assert await refusal(agency.profile_id, region="eu") == (401, "No matching advertiser found for scope")
    denied = f"Not authorized to access scope {agency.profile_id}"
    assert await refusal(agency.profile_id, login="bob") == (401, denied)
    assert await refusal(seller.profile_id) == (403, "Forbidden")
    agency.sub_type = "AMAZON_ATTRIBUTION"
    assert await refusal(agency.profile_id) == (403, "Forbidden")


async def test_one_advertiser_is_read_by_its_id(amazon: AmazonCaller) -> None:
    agency = agency_of(amazon)
    advertiser_id = amazon.sandbox.world.advertisers_of[agency.profile_id][1]
    answer = await amazon.get(f"/dsp/advertisers/{advertiser_id}", scope=agency.profile_id)
    assert answer.json()["advertiserId"] == advertiser_id
    other = Maker(amazon.sandbox.world).agency(
        "Other", "US", amazon.sandbox.world.logins["alice"], advertisers=1
    )
    foreign = amazon.sandbox.world.advertisers_of[other.profile_id][0]
    for each in ("0", foreign):
        answer = await amazon.get(f"/dsp/advertisers/{each}", scope=agency.profile_id)
        assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")
    assert (await amazon.get(f"/dsp/advertisers/{advertiser_id}")).status_code == 401
