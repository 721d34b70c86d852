"""/managerAccounts: the links of each region, their maximum, and the format of errors."""

from typing import Any

import pytest

from amazon_accounts.sandbox.ads_api.media import MANAGER_TYPE
from amazon_accounts.sandbox.world import demo_world
from tests.sandbox.conftest import AmazonCaller


async def managers(amazon: AmazonCaller, **where: str) -> list[dict[str, Any]]:
    answer = await amazon.get("/managerAccounts", **where)
    assert (answer.status_code, answer.headers["content-type"]) == (200, MANAGER_TYPE)
    found: list[dict[str, Any]] = answer.json()["managerAccounts"]
    return found


async def test_each_host_shows_the_links_of_its_region(amazon: AmazonCaller) -> None:
    (american,) = await managers(amazon)
    assert american["managerAccountName"] == "Nordwind Group"
    assert american["managerAccountId"].startswith("amzn1.ads1.ma1.")
    seller, advertiser = american["linkedAccounts"]
    assert (seller["accountType"], seller["dspAdvertiserId"]) == ("SELLER", "")
    assert seller["profileId"].isdigit()
    assert (advertiser["accountType"], advertiser["profileId"]) == ("DSP_ADVERTISING_ACCOUNT", None)
    assert advertiser["dspAdvertiserId"].isdigit()
    (european,) = await managers(amazon, region="eu")
    assert len(european["linkedAccounts"]) == 2
    (eastern,) = await managers(amazon, region="fe")
    assert eastern["linkedAccounts"] == []
    assert {"NA": [american], "EU": [european], "FE": [eastern]} == amazon.sandbox.truth("alice")[
        "manager_accounts"
    ]


async def test_a_login_without_manager_accounts_gets_an_empty_list(amazon: AmazonCaller) -> None:
    assert await managers(amazon, login="bob") == []


async def test_links_are_cut_at_50(amazon: AmazonCaller) -> None:
    amazon.sandbox.reset(demo_world())
    shown = {
        each["managerAccountName"]: len(each["linkedAccounts"])
        for each in await managers(amazon, login="ana")
    }
    assert shown["Nordwind World, one too many"] == 50
    (cut,) = [each for each in amazon.sandbox.world.manager_accounts.values() if "one too many" in each.name]
    assert len(cut.links) == 51


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"no_profile": "empty"}, ("profileId", "")),
        ({"no_profile": "absent"}, ("profileId", None)),
        ({"no_dsp_advertiser": "null"}, ("dspAdvertiserId", None)),
        ({"no_dsp_advertiser": "absent"}, ("dspAdvertiserId", None)),
    ],
)
async def test_empty_ids_follow_their_switches(
    amazon: AmazonCaller, switches: dict[str, str], expected: tuple[str, str | None]
) -> None:
    amazon.sandbox.choices.change(switches)
    name, value = expected
    (manager,) = await managers(amazon)
    link = manager["linkedAccounts"][1 if name == "profileId" else 0]
    assert link.get(name) == value
    assert (name in link) is (next(iter(switches.values())) != "absent")


async def test_errors_have_the_format_of_manager_accounts_or_no_body(amazon: AmazonCaller) -> None:
    answer = await amazon.http.get("/na/api/managerAccounts")
    assert (answer.status_code, answer.json()) == (
        401,
        {"code": "UNAUTHORIZED", "message": "HTTP 401 Unauthorized"},
    )
    amazon.sandbox.choices.manager_errors = "empty"
    answer = await amazon.http.get("/na/api/managerAccounts")
    assert (answer.status_code, answer.content) == (401, b"")
