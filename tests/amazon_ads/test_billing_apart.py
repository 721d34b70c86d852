"""Billing never slows the lists: neither what it holds nor what Amazon refuses to it concerns them."""

import asyncio

import pytest
from django.conf import LazySettings

from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient
from amazon_accounts.amazon_ads.errors import PostponedError
from amazon_accounts.amazon_ads.models import Family, ParkedLogin, RateLimit
from amazon_accounts.amazon_ads.pacing.rate_limiter import (
    MAX_BILLING_CONNECTIONS_PER_RATE_LIMIT,
    MAX_LIST_CONNECTIONS,
)
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.amazon_ads.billing_amazon import collect, pairs
from tests.amazon_ads.conftest import OWN_TABLES, AdsApiFactory
from tests.polling import poll_until

pytestmark = OWN_TABLES

REGIONS = ("NA", "EU", "FE")
BILLING = "/billing/*"


async def read_lists(api: AdsApi) -> None:
    await asyncio.gather(*(api.profiles("NA", "view") for _ in range(8)))


@in_thread
def get_limit(family: Family) -> RateLimit:
    return RateLimit.objects.get(region="NA", family=family)


@in_thread
def get_parked_families() -> set[str]:
    return {parked.rate_limit.family for parked in ParkedLogin.objects.select_related("rate_limit")}


async def test_billing_that_hangs_takes_no_connection_of_lists_and_tokens(
    api_for: AdsApiFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    billing: list[object] = []
    lists: list[object] = []
    for path, arrived in ((BILLING, billing), ("/v2/*", lists)):
        sandbox.faults.add("run", path=path, options={"function": arrived.append})
        sandbox.faults.add("hang", path=path)
    api = api_for()
    regions = [region for region in REGIONS for _ in range(10)]
    asking = [asyncio.create_task(collect(api.billing_statuses(region, pairs(1)))) for region in regions]
    await poll_until(lambda: len(billing) == 3 * MAX_BILLING_CONNECTIONS_PER_RATE_LIMIT)
    reading = [asyncio.create_task(api.profiles(region, "view")) for region in regions]
    await poll_until(lambda: len(lists) == MAX_LIST_CONNECTIONS)
    assert len(billing) == 3 * MAX_BILLING_CONNECTIONS_PER_RATE_LIMIT
    async with asyncio.timeout(30):
        await amazon.lwa.refresh(sandbox.refresh_token("alice"), subject="alice")
    for task in (*asking, *reading):
        task.cancel()
    await asyncio.gather(*asking, *reading, return_exceptions=True)


async def test_a_refusal_of_billing_lets_no_list_wait(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    api = api_for(max_wait=1)
    await read_lists(api)
    before = await get_limit(Family.ACCOUNTS)
    sandbox.faults.add("throttle", path=BILLING, retry_after="600")
    with pytest.raises(PostponedError):
        await collect(api.billing_statuses("NA", pairs(1)))
    assert (await get_limit(Family.BILLING)).throttled == 1
    await read_lists(api)
    after = await get_limit(Family.ACCOUNTS)
    assert (after.throttled, after.blocked_until, after.slowed_at) == (0, None, None)
    assert after.pace >= before.pace
    assert await get_parked_families() == {Family.BILLING}


async def test_billing_that_does_not_answer_opens_no_circuit_of_the_lists(
    api_for: AdsApiFactory, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1
    sandbox.faults.add("error_503", path=BILLING)
    api = api_for(max_wait=1)
    with pytest.raises(PostponedError, match="does not answer"):
        await collect(api.billing_statuses("NA", pairs(200)))
    assert (await get_limit(Family.BILLING)).circuit_open_until is not None
    await read_lists(api)
    assert (await get_limit(Family.ACCOUNTS)).circuit_open_until is None
