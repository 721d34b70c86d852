"""The demo's world contains what real inventories contain."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from amazon_accounts.sandbox.ads_api.truth import describe_everything
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.clock import Clock
from amazon_accounts.sandbox.world import MARKETPLACES, MESSAGES, REGIONS, Maker, World, demo_world


def test_each_seed_always_makes_its_own_world() -> None:
    assert list(demo_world().ads_accounts) == list(demo_world().ads_accounts)
    assert demo_world().profiles == demo_world().profiles
    assert not set(demo_world(1).ads_accounts) & set(demo_world(2).ads_accounts)


def test_the_demo_has_every_status_type_and_region() -> None:
    world = demo_world()
    assert 270 <= len(world.ads_accounts) <= 330
    statuses = Counter(each.status for each in world.ads_accounts.values())
    assert {"CREATED", "PARTIALLY_CREATED", "PENDING", "DISABLED", "SUSPENDED"} == set(statuses)
    assert {"seller", "vendor", "agency", "new_type"} == {each.type for each in world.profiles.values()}
    assert {None, "KDP_AUTHOR", "AMAZON_ATTRIBUTION", "NEW_SUB_TYPE"} == {
        each.sub_type for each in world.profiles.values()
    }
    assert {each.region for each in world.profiles.values()} == set(REGIONS)
    assert {each.country_code for each in world.profiles.values()} == set(MARKETPLACES)
    assert any(each.errors for each in world.ads_accounts.values())


def test_the_demo_has_the_hard_cases() -> None:
    world = demo_world()
    named = {alternate.profile_id for each in world.ads_accounts.values() for alternate in each.alternates}
    assert {each for each in world.profiles if each not in named}, "profiles that no ads account names"
    seen = Counter(each for login in world.logins.values() for each in login.ads_accounts)
    assert max(seen.values()) == 2, "accounts that two logins see"
    assert max(world.profiles) > 2**63
    names = [each.account_name for each in world.ads_accounts.values()]
    assert None in names
    assert "" in names
    assert max(len(name or "") for name in names) >= 250
    links = Counter(link.region for manager in world.manager_accounts.values() for link in manager.links)
    assert set(links) == {"NA", "EU"}
    sizes = {len(manager.links) for manager in world.manager_accounts.values()}
    assert {0, 6, 50, 51} <= sizes
    assert {len(each) for each in world.advertisers_of.values()} >= {1, 7, 23, 120}
    assert any(not each.has_campaigns for each in world.profiles.values())
    assert world.logins["hugo"].profiles == {}


NOW = datetime(2026, 12, 1, 15, 30, tzinfo=UTC)


def test_each_seed_always_makes_the_same_billing() -> None:
    assert demo_world(now=NOW).billing == demo_world(now=NOW).billing
    assert not set(demo_world(1).billing) & set(demo_world(2).billing)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_demo_has_every_billing_code_that_amazon_publishes(seed: int) -> None:
    world = demo_world(seed)
    codes = Counter(each["billingStatus"]["billingStatusCode"] for each in told(world))
    assert set(MESSAGES) < set(codes)
    assert codes["VALID_BILLING_STATUS"] > 9 * sum(codes.values()) / 10


def told(world: World) -> list[dict[str, Any]]:
    """What billing says about the profiles that some login is told about."""
    return [
        each
        for login in world.logins.values()
        for region in describe_everything(login, world, Choices(), 0)["billing"].values()
        for each in region
        if "errorCode" not in each
    ]


def test_the_demo_has_suspended_advertisers_and_coming_suspensions() -> None:
    notices = [each for answer in told(demo_world(now=NOW)) for each in answer["billingNotifications"]]
    names = Counter(each["notificationName"] for each in notices)
    stopped = [each for each in notices if each["impact"] == "CAMPAIGNS_SUSPENDED"]
    unpaid = [each for each in stopped if "INVOICE" in each["notificationName"]]
    assert len(unpaid) >= 3
    assert all(each["suspensionDate"] < "2026-12-01" for each in unpaid)
    assert len(stopped) > len(unpaid)
    pending = "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION"
    dates = {each["suspensionDate"] for each in notices if each["notificationName"] == pending}
    assert dates == {f"2026-12-{day:02}T00:00:00Z" for day in (2, 4, 7, 13, 27)}
    assert names["CREDIT_CARD_EXPIRES_SOON"] == 2


def test_the_demo_has_a_brand_that_is_suspended_in_one_country_only() -> None:
    world = demo_world()
    profiles = [each for each in world.profiles.values() if each.name == "Birchline Outdoor"]
    stopped = {
        each.country_code
        for each in profiles
        if each.pair in world.billing
        and world.billing[each.pair].notifications[0].impact == "CAMPAIGNS_SUSPENDED"
    }
    assert len(profiles) > 1
    assert stopped == {"UK"}


def test_the_demo_has_a_view_only_login_and_failed_registrations() -> None:
    world = demo_world()
    farah = world.logins["farah"]
    assert set(farah.profiles.values()) == {"view"}
    stopped = {pair for pair, each in world.billing.items() if each.status_code == "ACCOUNT_BILLING_ISSUE"}
    assert stopped & {world.profiles[each].pair for each in farah.profiles}
    assert any(each.status == "DISABLED" for each in world.ads_accounts.values())


def test_the_demo_has_hostile_billing_values() -> None:
    world = demo_world()
    found = [each.notifications for each in world.billing.values()]
    assert max(len(each) for each in found) >= 500
    titles = [str(notice.title) for each in found for notice in each]
    assert any(title.startswith("<script>") and len(title) > 10_000 for title in titles)


def test_logins_refer_only_to_existing_entities() -> None:
    world = demo_world()
    for login in world.logins.values():
        assert set(login.ads_accounts) <= set(world.ads_accounts)
        assert len(set(login.ads_accounts)) == len(login.ads_accounts)
        assert set(login.profiles) <= set(world.profiles)
    for manager in world.manager_accounts.values():
        for link in manager.links:
            assert link.profile_id is None or link.profile_id in world.profiles
            assert link.dsp_advertiser_id is None or link.dsp_advertiser_id in world.dsp_advertisers


def test_a_later_maker_makes_other_ids() -> None:
    world = World()
    login = world.add_login("ann")
    for _ in range(20):
        Maker(world).account("Same", "seller", ["US"], login)
    assert len(world.ads_accounts) == len(world.profiles) == 20
    world.remove_ads_account(next(iter(world.ads_accounts)))
    Maker(world).account("Same", "seller", ["US"], login)
    assert len(world.ads_accounts) == len(set(login.ads_accounts)) == 20


def test_the_clock_moves_stops_and_goes_on() -> None:
    clock = Clock()
    began = clock.now()
    clock.advance(100)
    assert clock.now() >= began + 100
    clock.freeze()
    stood = clock.now()
    assert clock.now() == stood
    clock.advance(-50)
    assert clock.moment().timestamp() == pytest.approx(stood - 50, abs=0.001)
    clock.run()
    assert clock.now() >= stood - 50.001
    assert not clock.is_frozen
    clock.reset()
    assert clock.now() - began < 60
