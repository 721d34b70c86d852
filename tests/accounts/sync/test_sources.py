"""Profile-only accounts, DSP advertisers under their agencies, and manager accounts with their links."""

import pytest

from accounts.models import Account, AccountAccess
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import (
    AdsAccount,
    Alternate,
    Login,
    Maker,
    World,
    default_client,
    generated_world,
)
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.expected_rows import build_expected
from tests.accounts.sync.shared_accounts import (
    find_account,
    list_seen_by,
)

pytestmark = pytest.mark.django_db(transaction=True)


def make_profile_only_world() -> tuple[World, Login]:
    world = World(1)
    world.add_client(default_client([]))
    maker = Maker(world)
    login = world.add_login("first")
    for name in ("one", "two", "three"):
        maker.account(name, "seller", ["US"], login)
    maker.profile("ES", "ALONE", "seller", login, name="Alone")
    return world, login


async def test_a_new_ads_account_takes_over_the_profile_only_account_with_its_labels(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    sandbox.reset(make_profile_only_world()[0])
    world = sandbox.world
    connection = await in_thread(connect)("first")
    await sync(connection)
    alone = await find_account("Alone")
    assert (alone.amazon_account_id, alone.source) == ("ALONE", "profiles")
    await in_thread(Account.objects.filter(pk=alone.pk).update)(labels={"team": "north"})

    profile = next(each for each in world.profiles.values() if each.account_id == "ALONE")
    world.add_ads_account(
        AdsAccount(
            "amzn1.ads-account.g.new", "Found", "CREATED", ["ES"], [Alternate("ES", profile.profile_id)]
        ),
        world.logins["first"],
    )
    run = await sync(connection)
    assert (run.created, run.changed, run.gone) == (0, 1, 0)
    found = await find_account("Found")
    assert (found.pk, found.amazon_account_id, found.labels) == (
        alone.pk,
        "amzn1.ads-account.g.new",
        {"team": "north"},
    )
    access = await in_thread(AccountAccess.objects.get)(account=found)
    assert access.seen_in == ["ads_accounts"]


async def test_a_disconnected_account_stays_disconnected_when_an_ads_account_takes_it_over(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    sandbox.reset(make_profile_only_world()[0])
    world = sandbox.world
    connection = await in_thread(connect)("first")
    await sync(connection)
    await in_thread(Account.objects.filter(name="Alone").update)(
        status="inactive", inactive_reason="disconnected"
    )
    profile = next(each for each in world.profiles.values() if each.account_id == "ALONE")
    world.add_ads_account(
        AdsAccount(
            "amzn1.ads-account.g.new", "Found", "CREATED", ["ES"], [Alternate("ES", profile.profile_id)]
        ),
        world.logins["first"],
    )
    await sync(connection)
    alone = await find_account("Alone")
    assert (alone.amazon_account_id, alone.inactive_reason) == ("amzn1.ads-account.g.new", "disconnected")


async def test_profiles_become_accounts_only_when_all_ads_accounts_are_known(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    sandbox.reset(make_profile_only_world()[0])
    sandbox.faults.add("error_500", path="/adsAccounts/list")
    connection = await in_thread(connect)("first")
    run = await sync(connection)
    assert (run.state, run.created) == ("partial", 0)
    sandbox.faults.clear()
    assert (await sync(connection)).created == 4


async def test_advertisers_have_their_agency_as_parent_and_vanish_after_it(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("alice")
    await sync(connection)
    agency = await find_account("Nordwind DSP")

    @in_thread
    def below() -> list[str]:
        return sorted(agency.children.values_list("status", flat=True))

    assert agency.account_type == "agency"
    assert await below() == ["active"] * 3
    # Disconnecting an agency does not disconnect its advertisers.
    await in_thread(Account.objects.filter(pk=agency.pk).update)(
        status="inactive", inactive_reason="disconnected"
    )
    await sync(connection)
    assert await below() == ["active"] * 3
    profile = next(each for each in sandbox.world.profiles.values() if each.type == "agency")
    # One of the three is linked to a manager account, which still shows it.
    sandbox.world.remove_profile(profile.profile_id)
    assert [(await sync(connection)).gone for _ in range(3)] == [1, 0, 2]
    assert await below() == ["inactive", "inactive"]
    linked = await in_thread(Account.objects.get)(account_type="advertiser", status="active")
    assert (linked.source, linked.parent_id) == ("manager_accounts", None)


async def test_a_forbidden_agency_removes_no_advertiser(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("alice")
    await sync(connection)
    before = await list_seen_by(connection)
    sandbox.faults.add("no_access_to_scope", path="/dsp/advertisers")
    run = await sync(connection)
    assert run.state == "succeeded"
    assert [source["outcome"] for source in run.sources if source["source"] == "dsp_advertisers"] == [
        "forbidden"
    ]
    assert await list_seen_by(connection) == before


async def test_a_manager_account_is_linked_with_its_accounts(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("alice")
    await sync(connection)

    @in_thread
    def managed() -> set[str]:
        manager = Account.objects.get(account_type="manager")
        return set(manager.links.values_list("account__name", flat=True))

    assert "Nordwind Outdoor" in await managed()
    manager = next(iter(sandbox.world.manager_accounts.values()))
    manager.links = [link for link in manager.links if link.dsp_advertiser_id]
    await sync(connection)
    assert "Nordwind Outdoor" not in await managed()
    assert len(await managed()) == 1


async def test_links_of_a_region_that_is_down_stay(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("alice")
    await sync(connection)
    manager = next(iter(sandbox.world.manager_accounts.values()))
    manager.links = []
    sandbox.faults.add("error_500", path="/managerAccounts", region="EU")
    await sync(connection)

    @in_thread
    def regions() -> list[list[str]]:
        return [link.regions for link in Account.objects.get(account_type="manager").links.all()]

    assert await regions() == [["EU"]]
    sandbox.faults.clear()
    await sync(connection)
    assert await regions() == []


async def test_each_source_of_a_large_login_is_stored_as_its_kind(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    sandbox.reset(
        generated_world(
            accounts_per_login=1150,
            agencies_per_login=2,
            advertisers_per_agency=120,
            managers_per_login=2,
            links_per_manager=10,
        )
    )
    connection = await in_thread(connect)("login-1")
    run = await sync(connection)
    assert run.state == "succeeded"
    assert await list_seen_by(connection) == {
        each["name"] for each in build_expected(sandbox.truth("login-1")).values()
    }
    assert run.created == run.seen == 1150 + 2 + 240 + 2
    again = await sync(connection)
    assert (again.created, again.changed, again.unchanged) == (0, 0, run.created)
