"""Rate limits: what they count, and what they answer."""

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from amazon_accounts.sandbox.faults.throttle import endpoint
from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox.conftest import NOTIFICATIONS, STATUSES, AmazonCaller


@pytest.fixture(autouse=True)
def still(sandbox: Sandbox) -> None:
    sandbox.clock.freeze()


async def passed(amazon: AmazonCaller, calls: int, path: str = "/v2/profiles", **where: str) -> int:
    """The number of calls that were not throttled."""
    answers = [await amazon.get(path, **where) for _ in range(calls)]
    assert {answer.status_code for answer in answers} <= {200, 429}
    return sum(answer.status_code == 200 for answer in answers)


async def test_a_bucket_lets_its_burst_through_and_fills_again(amazon: AmazonCaller) -> None:
    amazon.sandbox.throttle.limit(20, burst=5)
    assert await passed(amazon, 8) == 5
    amazon.sandbox.clock.advance(0.1)
    assert await passed(amazon, 8) == 2
    amazon.sandbox.clock.advance(3600)
    assert await passed(amazon, 8) == 5


@pytest.mark.parametrize(
    ("per", "expected"),
    [
        ((), [2, 0, 0, 0]),
        (("region",), [2, 2, 0, 0]),
        (("endpoint",), [2, 0, 2, 0]),
        (("login",), [2, 0, 0, 2]),
        (("region", "endpoint", "login"), [2, 2, 2, 2]),
        (("client",), [2, 0, 0, 0]),
    ],
)
async def test_a_limit_counts_by_region_endpoint_login_or_client(
    amazon: AmazonCaller, per: tuple[str, ...], expected: list[int]
) -> None:
    amazon.sandbox.throttle.limit(1, burst=2, per=per)
    assert [
        await passed(amazon, 3),
        await passed(amazon, 3, region="eu"),
        await passed(amazon, 3, "/managerAccounts"),
        await passed(amazon, 3, login="bob"),
    ] == expected


async def test_a_limit_counts_only_the_calls_that_it_names(amazon: AmazonCaller) -> None:
    amazon.sandbox.throttle.limit(0, region="EU", name="europe")
    amazon.sandbox.throttle.limit(0, login="bob", name="bob")
    amazon.sandbox.throttle.limit(0, path="/dsp/*", name="dsp")
    assert await passed(amazon, 1) == 1
    assert await passed(amazon, 1, region="eu") == 0
    assert await passed(amazon, 1, login="bob") == 0
    amazon.sandbox.throttle.lift("bob")
    assert await passed(amazon, 1, login="bob") == 1
    amazon.sandbox.throttle.lift()
    assert await passed(amazon, 1, region="eu") == 1


async def test_billing_is_counted_apart_from_the_lists(amazon: AmazonCaller) -> None:
    amazon.sandbox.throttle.limit(1, burst=2, per=("endpoint",))
    asked = [await amazon.billing(each) for each in (STATUSES, NOTIFICATIONS, STATUSES, NOTIFICATIONS)]
    assert [answer.status_code for answer in asked] == [400, 400, 429, 429]
    assert await passed(amazon, 3) == 2
    amazon.sandbox.throttle.lift()
    amazon.sandbox.throttle.limit(0, path="/billing/*")
    assert (await amazon.billing(STATUSES)).status_code == 429
    assert await passed(amazon, 1) == 1


async def test_a_changed_limit_keeps_its_level(amazon: AmazonCaller) -> None:
    amazon.sandbox.throttle.limit(20, burst=10)
    assert await passed(amazon, 6) == 6
    amazon.sandbox.throttle.limit(10, burst=10)
    assert await passed(amazon, 6) == 4


async def test_a_429_looks_like_amazons(amazon: AmazonCaller) -> None:
    amazon.sandbox.throttle.limit(0)
    answer = await amazon.get("/v2/profiles")
    assert answer.json() == {"message": "Too Many Requests"}
    assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"
    assert answer.headers["amazon-advertising-api-throttled"] == "true"
    account = amazon.sandbox.world.logins["alice"].ads_accounts[0]
    assert (await amazon.get(f"/adsAccounts/{account}")).json() == {
        "message": "Maximum sending rate exceeded."
    }


async def test_throttling_comes_before_credentials_and_after_the_path(amazon: AmazonCaller) -> None:
    amazon.sandbox.throttle.limit(0)
    assert (await amazon.http.get("/na/api/v2/profiles")).status_code == 429
    assert (await amazon.http.get("/na/api/nothing")).status_code == 404


async def test_every_second_429_has_retry_after(amazon: AmazonCaller) -> None:
    amazon.sandbox.throttle.limit(0.5, burst=0)
    seen = [(await amazon.get("/v2/profiles")).headers.get("retry-after") for _ in range(4)]
    assert seen == ["2", None, "2", None]


@pytest.mark.parametrize(
    ("mode", "header"),
    [
        ("absent", None),
        ("seconds", "4"),
        ("malformed", "in a little while"),
        ("negative", "-5"),
        ("0", "0"),
        ("3600", "3600"),
        ("1.5", "1.5"),
    ],
)
async def test_retry_after_follows_its_switch(amazon: AmazonCaller, mode: str, header: str | None) -> None:
    amazon.sandbox.throttle.limit(0.25, burst=0, retry_after=mode)
    assert (await amazon.get("/v2/profiles")).headers.get("retry-after") == header
    amazon.sandbox.throttle.lift()
    amazon.sandbox.choices.retry_after = mode
    amazon.sandbox.faults.add("throttle", seconds=4)
    assert (await amazon.get("/v2/profiles")).headers.get("retry-after") == header


async def test_retry_after_can_be_a_date(amazon: AmazonCaller) -> None:
    amazon.sandbox.throttle.limit(0.1, burst=0, retry_after="date")
    header = (await amazon.get("/v2/profiles")).headers["retry-after"]
    assert parsedate_to_datetime(header).timestamp() == pytest.approx(amazon.sandbox.clock.now() + 10, abs=1)


async def test_a_limit_can_count_calls_to_login_with_amazon(amazon: AmazonCaller) -> None:
    amazon.sandbox.throttle.limit(0, area="token", retry_after="absent")
    answer = await amazon.refresh(amazon.sandbox.refresh_token("alice"))
    assert (answer.status_code, answer.content) == (429, b"")
    assert await passed(amazon, 1) == 1


async def test_a_429_can_be_a_page(amazon: AmazonCaller) -> None:
    amazon.sandbox.throttle.limit(0, html=True)
    answer = await amazon.get("/v2/profiles")
    assert (answer.status_code, answer.headers["content-type"]) == (429, "text/html")


@pytest.mark.parametrize("bad", [{"rate": -1}, {"rate": 1, "per": ("planet",)}, {"rate": 1, "region": "eu"}])
def test_a_limit_with_unknown_parts_is_refused(sandbox: Sandbox, bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not|no "):
        sandbox.throttle.limit(**bad)


def test_an_endpoint_has_no_ids() -> None:
    assert endpoint("/adsAccounts/list") == "/adsAccounts/list"
    assert endpoint("/adsAccounts/amzn1.x") == "/adsAccounts/{id}"
    assert endpoint("/v2/profiles/12") == "/v2/profiles/{id}"
    assert endpoint("/billing/statuses") == endpoint("/billing/notifications") == "/billing"
    assert endpoint("/dsp/advertisers/") == endpoint("/dsp/advertisers") == "/dsp/advertisers"
