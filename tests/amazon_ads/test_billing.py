"""How the client asks about billing, and what it does when Amazon refuses a whole request."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from amazon_accounts.amazon_ads.answers import (
    AdvertiserMarketplace,
    BillingItemError,
    BillingNotice,
    BillingStatus,
)
from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient
from amazon_accounts.amazon_ads.errors import ForbiddenError
from amazon_accounts.amazon_ads.models import Family, RateLimit
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import Notification, Profile
from tests.amazon_ads.billing_amazon import BillingAmazon, collect, pairs, refuse
from tests.amazon_ads.conftest import CLIENT_ID, OWN_TABLES, AdsApiFactory, GivenTokens

pytestmark = OWN_TABLES

TOKEN = "Atza|IwEBIFake_access-token.0123456789"
GOOD = BillingStatus("VALID_BILLING_STATUS")


@pytest.fixture
def billing() -> BillingAmazon:
    return BillingAmazon()


@pytest_asyncio.fixture
async def api(billing: BillingAmazon, transactional_db: None) -> AsyncIterator[AdsApi]:
    async with AmazonClient(transport=billing) as client:
        yield client.with_token(subject="alice", client_id=CLIENT_ID, token=GivenTokens(TOKEN))


async def test_it_tells_the_status_of_each_pair(api: AdsApi, billing: BillingAmazon) -> None:
    first, second, third = pairs(3)
    billing.statuses[second.advertiser_id] = {
        "billingStatusCode": "PAYMENT_METHOD_EXPIRED",
        "message": "Your payment method has expired.",
    }
    billing.errors[third.advertiser_id] = {"errorCode": "NOT_AUTHORIZED", "description": "View only"}
    assert await collect(api.billing_statuses("EU", [first, second, third])) == {
        first: GOOD,
        second: BillingStatus("PAYMENT_METHOD_EXPIRED", "Your payment method has expired."),
        third: BillingItemError("NOT_AUTHORIZED", "View only"),
    }


async def test_it_tells_the_notices_of_each_pair(api: AdsApi, billing: BillingAmazon) -> None:
    quiet, warned = pairs(2)
    billing.notices[warned.advertiser_id] = [
        {
            "notificationName": "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION",
            "severity": "ALERT",
            "impact": "NO_IMPACT",
            "priority": 1,
            "title": "Pay your invoice",
            "description": "It is overdue.",
            "paymentDueDate": "2026-12-01T00:00:00Z",
            "suspensionDate": "2026-12-15T02:00:00+02:00",
        }
    ]
    found = await collect(api.billing_notifications("NA", {quiet: "", warned: ""}))
    assert found == {
        quiet: [],
        warned: [
            BillingNotice(
                "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION",
                "ALERT",
                "NO_IMPACT",
                "Pay your invoice",
                "It is overdue.",
                datetime(2026, 12, 1, tzinfo=UTC),
                datetime(2026, 12, 15, tzinfo=UTC),
            )
        ],
    }


async def test_it_sends_what_amazon_wants(api: AdsApi, billing: BillingAmazon) -> None:
    typed = AdvertiserMarketplace("ENTITY1", "A1F83G8C2ARO7P", "vendor")
    other = AdvertiserMarketplace("ENTITY2", "A1F83G8C2ARO7P", "new_type")
    await collect(api.billing_statuses("EU", [typed, other]))
    await collect(api.billing_notifications("EU", {typed: "amzn1.ads-account.g.a", other: ""}))
    statuses, notifications = billing.asked
    body = {
        "advertiserMarketplaces": [
            {"advertiserId": "ENTITY1", "marketplaceId": "A1F83G8C2ARO7P", "advertiserType": "VENDOR"},
            {"advertiserId": "ENTITY2", "marketplaceId": "A1F83G8C2ARO7P"},
        ],
        "locale": "en_US",
    }
    for asked, request_type, answer_type in (
        (statuses, "bulkgetbillingstatusrequestbody", "bulkgetbillingstatusresponse"),
        (notifications, "billingnotifications", "bulkgetbillingnotificationsresponse"),
    ):
        assert asked.body == body
        assert asked.headers["Content-Type"] == f"application/vnd.{request_type}.v1+json"
        assert asked.headers["Accept"] == f"application/vnd.{answer_type}.v1+json"
        assert asked.headers["Amazon-Advertising-API-ClientId"] == CLIENT_ID
        assert not {name for name in asked.headers if "account" in name or "scope" in name}
    assert statuses.path.endswith("/eu/api/billing/statuses")
    assert notifications.path.endswith("/eu/api/billing/notifications")


async def test_thirty_pairs_go_in_one_request_and_each_pair_once(api: AdsApi, billing: BillingAmazon) -> None:
    asked = pairs(65)
    assert await collect(api.billing_statuses("NA", asked + asked[:3])) == dict.fromkeys(asked, GOOD)
    assert [len(each.pairs) for each in billing.asked] == [30, 30, 5]


async def test_nothing_is_asked_about_nobody(api: AdsApi, billing: BillingAmazon) -> None:
    assert await collect(api.billing_statuses("NA", [])) == {}
    assert billing.asked == []


async def test_a_refused_request_leaves_the_answers_of_the_others(
    api: AdsApi, billing: BillingAmazon
) -> None:
    billing.refusal = lambda asked: refuse(403) if "ENTITY31" in asked.advertisers else None
    asked = pairs(61)
    found = await collect(api.billing_statuses("NA", asked))
    refused = {pair for pair, result in found.items() if isinstance(result, ForbiddenError)}
    assert refused == set(asked[30:60])
    assert len({pair for pair, result in found.items() if result == GOOD}) == 31


async def test_billing_has_a_pace_of_its_own(api: AdsApi) -> None:
    await collect(api.billing_statuses("FE", pairs(1)))
    limit = await in_thread(RateLimit.objects.get)()
    assert (limit.region, limit.family, str(limit)) == ("FE", Family.BILLING, "Billing FE")


class TestSandbox:
    """The same against the sandbox, which answers as Amazon's specification says."""

    @pytest.fixture
    def profiles(self, sandbox: Sandbox) -> list[Profile]:
        world = sandbox.world
        of_login = [world.profiles[each] for each in world.logins["alice"].profiles]
        return [each for each in of_login if each.region == "NA"]

    @pytest.fixture
    def asked(self, profiles: list[Profile], sandbox: Sandbox) -> dict[AdvertiserMarketplace, str]:
        """Each pair of the region with its ads account, as a sync knows them."""
        account_of = {
            each.profile_id: account_id
            for account_id in sandbox.world.logins["alice"].ads_accounts
            for each in sandbox.world.ads_accounts[account_id].alternates
        }
        return {
            AdvertiserMarketplace(each.account_id, each.marketplace_id): account_of.get(each.profile_id, "")
            for each in profiles
        }

    async def test_what_it_is_told_is_the_truth(
        self, api_for: AdsApiFactory, sandbox: Sandbox, profiles: list[Profile]
    ) -> None:
        editable = [
            each for each in profiles if sandbox.world.logins["alice"].profiles[each.profile_id] == "edit"
        ]
        notice = Notification("ACCOUNT_ERROR", "ALERT", title="Pay", suspension_date="2026-12-15T00:00:00Z")
        sandbox.world.set_billing(editable[0], "ACCOUNT_BILLING_ISSUE", notice)
        asked = {AdvertiserMarketplace(each.account_id, each.marketplace_id): "" for each in profiles}
        statuses = await collect(api_for().billing_statuses("NA", asked))
        notices = await collect(api_for().billing_notifications("NA", asked))
        for truth in sandbox.truth("alice")["billing"]["NA"]:
            named = truth["advertiserMarketplace"]
            pair = AdvertiserMarketplace(named["advertiserId"], named["marketplaceId"])
            status, notified = statuses[pair], notices[pair]
            if "errorCode" in truth:
                assert isinstance(status, BillingItemError)
                assert isinstance(notified, BillingItemError)
                assert status.code == notified.code == truth["errorCode"]
            else:
                told = truth["billingStatus"]
                assert status == BillingStatus(told["billingStatusCode"], told["message"])
                assert isinstance(notified, list)
                assert [each.name for each in notified] == [
                    each["notificationName"] for each in truth["billingNotifications"]
                ]
        first = notices[AdvertiserMarketplace(editable[0].account_id, editable[0].marketplace_id)]
        assert isinstance(first, list)
        assert [(each.title, each.suspension_at) for each in first] == [
            ("Pay", datetime(2026, 12, 15, tzinfo=UTC))
        ]

    @pytest.mark.parametrize("status", [400, 401, 403])
    async def test_it_finds_the_form_that_is_wanted(
        self,
        api_for: AdsApiFactory,
        sandbox: Sandbox,
        asked: dict[AdvertiserMarketplace, str],
        status: int,
    ) -> None:
        without = await collect(api_for().billing_notifications("NA", asked))
        sandbox.choices.change({"max_billing_pairs": 2, "notifications_without_account": status})
        tokens = GivenTokens(*(sandbox.access_token("alice") for _ in range(9)))
        found = await collect(api_for(token=tokens).billing_notifications("NA", asked))
        known = {pair for pair, account_id in asked.items() if account_id}
        assert known
        assert {pair: found[pair] for pair in known} == {pair: without[pair] for pair in known}

    @pytest.mark.parametrize(
        ("fault", "options"),
        [
            ("item_index", {}),
            ("item_index", {"index": 99}),
            ("item_index", {"index": "first"}),
            ("item_index", {"index": 1}),
            ("item_of_other_pair", {}),
            ("item_error", {}),
            ("unknown_values", {}),
            ("extra_fields", {}),
        ],
    )
    async def test_an_odd_item_costs_no_other_pair_its_answer(
        self,
        api_for: AdsApiFactory,
        sandbox: Sandbox,
        asked: dict[AdvertiserMarketplace, str],
        fault: str,
        options: dict[str, Any],
    ) -> None:
        before = await collect(api_for().billing_statuses("NA", asked))
        sandbox.faults.add(fault, **options)
        found = await collect(api_for().billing_statuses("NA", asked))
        changed = {pair for pair in asked if found[pair] != before[pair]}
        if fault == "unknown_values":
            codes = {result.code for pair in changed if isinstance(result := found[pair], BillingStatus)}
            assert codes == {"NEW_BILLING_STATUS"}
        else:
            assert len(changed) <= 2
            assert all(isinstance(found[pair], BillingItemError) for pair in changed)
