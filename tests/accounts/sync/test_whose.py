"""Who sees what: an account vanishes only when nobody sees it any more, and for certain."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import Account, AccountAccess, Profile, SyncRun
from accounts.sync.listing import Outcome
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
from tests.accounts.sync.picture import expected
from tokens.connect import disconnect as connections
from tokens.models import Connection
from tokens.signals import connection_changed

pytestmark = pytest.mark.django_db(transaction=True)


@in_thread
def account(name: str) -> Account:
    return Account.objects.select_related("connection").get(name=name)


@in_thread
def shown() -> dict[str, str]:
    """Status by name, with the reason where there is one."""
    return {
        name: f"{status}: {reason}" if reason else status
        for name, status, reason in Account.objects.values_list("name", "status", "inactive_reason")
    }


@in_thread
def seen_by(connection: Connection) -> set[str]:
    return set(AccountAccess.objects.filter(connection=connection).values_list("account__name", flat=True))


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    """Two logins that share three of their five accounts each."""
    world = World(1)
    world.add_client(default_client([]))
    maker = Maker(world)
    first, second = world.add_login("first"), world.add_login("second")
    for name in ("one", "two"):
        maker.account(name, "seller", ["US"], first)
    for name in ("three", "four", "five"):
        maker.account(name, "seller", ["DE"], first, second)
    for name in ("six", "seven"):
        maker.account(name, "vendor", ["JP"], second)
    sandbox.reset(world)
    return sandbox.world


def hide(world: World, login: str, *names: str) -> None:
    for each in list(world.ads_accounts.values()):
        if each.account_name in names:
            world.let_see(world.logins[login], ads_account_id=each.ads_account_id, level=None)


def show(world: World, login: str, *names: str) -> None:
    for each in list(world.ads_accounts.values()):
        if each.account_name in names:
            world.let_see(world.logins[login], ads_account_id=each.ads_account_id)


async def test_it_keeps_one_row_of_an_account_that_two_logins_see(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    for _ in range(2):
        await sync(first)
        await sync(second)
    assert len(await shown()) == 7
    assert (await account("three")).connection == first
    assert await seen_by(second) == {"three", "four", "five", "six", "seven"}


async def test_the_second_login_writes_nothing_to_what_the_first_one_tells(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    await sync(second)
    next(each for each in world.ads_accounts.values() if each.account_name == "three").account_name = "new"
    run = await sync(second)
    assert (run.changed, run.unchanged) == (0, 5)
    assert (await account("three")).connection == first
    assert (await sync(first)).changed == 1
    assert (await account("new")).connection == first


async def test_another_login_takes_over_when_the_first_no_longer_sees_it(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    await sync(second)
    hide(world, "first", "three")
    run = await sync(first)
    assert (run.state, run.gone) == ("succeeded", 1)
    three = await account("three")
    assert (three.status, three.connection) == ("active", second)


@pytest.mark.parametrize("fault", ["error_500", "forbidden"])
async def test_another_login_takes_over_when_the_first_cannot_read_its_list(
    connect: ConnectionFactory, sync: Sync, world: World, sandbox: Sandbox, fault: str
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    await sync(second)
    rule = sandbox.faults.add(fault, path="/adsAccounts/list")
    await sync(first)
    sandbox.faults.remove(rule.name)
    next(each for each in world.ads_accounts.values() if each.account_name == "three").account_name = "new"
    assert (await sync(second)).state == SyncRun.State.SUCCEEDED
    assert (await account("new")).connection == second
    assert (await account("one")).connection == first
    # It does not go back and forth.
    assert (await sync(first)).changed == 0
    assert (await sync(second)).changed == 0
    assert (await account("new")).connection == second


async def test_a_region_that_another_login_cannot_read_is_no_reason_to_take_over(
    connect: ConnectionFactory, sync: Sync, world: World, sandbox: Sandbox
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    sandbox.faults.add("forbidden", path="/v2/profiles", region="FE")
    for _ in range(2):
        await sync(first)
        await sync(second)
    assert (await account("three")).connection == first


async def test_the_login_that_takes_over_is_synced_soon(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    next(each for each in world.ads_accounts.values() if each.account_name == "three").account_name = "new"
    await sync(second)
    hide(world, "first", "new")
    await sync(first)
    assert (await account("three")).connection == second
    await in_thread(second.refresh_from_db)()
    assert second.next_sync_at is not None
    assert second.next_sync_at <= timezone.now()


async def test_another_login_takes_over_when_the_first_one_breaks(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    await sync(second)

    @in_thread
    def break_first() -> None:
        Connection.objects.filter(pk=first.pk).update(
            state=Connection.State.REAUTHORIZATION_REQUIRED, next_refresh_at=None
        )
        first.refresh_from_db()
        connection_changed.send(sender=Connection, connection=first, change="broken")

    await break_first()
    assert (await account("three")).connection == second
    await in_thread(second.refresh_from_db)()
    assert second.next_sync_at is not None
    assert second.next_sync_at <= timezone.now()
    one = await account("one")
    assert (one.connection, one.status, one.health) == (first, "active", "problem")


async def test_an_account_that_nobody_sees_any_more_is_not_visible_and_returns_by_itself(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    hide(world, "first", "one")
    assert (await sync(first)).gone == 1
    assert (await shown())["one"] == "inactive: not_visible"
    show(world, "first", "one")
    assert (await sync(first)).changed == 1
    assert (await shown())["one"] == "active"


async def test_more_than_half_go_only_when_a_second_walk_agrees(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    hide(world, "first", "one", "two", "three")
    run = await sync(first)
    assert (run.state, run.gone) == ("partial", 0)
    assert run.sources[0]["errors"][0]["kind"] == "unconfirmed"
    assert set((await shown()).values()) == {"active"}
    await in_thread(first.refresh_from_db)()
    assert first.next_sync_at is not None
    assert (first.next_sync_at - run.finished_at).total_seconds() < 70  # type: ignore[operator]

    run = await sync(first)
    assert (run.state, run.gone) == ("succeeded", 3)
    assert sorted((await shown()).values()).count("inactive: not_visible") == 3


async def test_a_momentary_empty_list_takes_nothing_away(
    connect: ConnectionFactory, sync: Sync, world: World, sandbox: Sandbox
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    sandbox.faults.add("answer", path="/adsAccounts/list", json={"adsAccounts": []})
    assert (await sync(first)).state == "partial"
    sandbox.faults.clear()
    assert (await sync(first)).state == "succeeded"
    assert set((await shown()).values()) == {"active"}
    assert not await in_thread(AccountAccess.objects.filter(missing_since__isnull=False).exists)()


@pytest.mark.parametrize(
    ("fault", "outcome", "state"),
    [("error_500", "failed", "partial"), ("forbidden", "forbidden", "succeeded")],
)
async def test_a_list_that_cannot_be_read_takes_nothing_away(
    connect: ConnectionFactory,
    sync: Sync,
    world: World,
    sandbox: Sandbox,
    fault: str,
    outcome: str,
    state: str,
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    hide(world, "first", "one")
    sandbox.faults.add(fault, path="/adsAccounts/list")
    run = await sync(first)
    assert (run.state, run.sources[0]["outcome"], run.gone) == (state, outcome, 0)
    assert (await shown())["one"] == "active"


async def test_a_region_that_is_down_takes_nothing_away(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("alice")
    await sync(connection)
    before = await seen_by(connection)
    profiles = await in_thread(Profile.objects.count)()
    sandbox.faults.add("error_503", region="EU", area="api")
    run = await sync(connection)
    assert run.state == SyncRun.State.PARTIAL
    outcomes = {(source["source"], source["region"]): source["outcome"] for source in run.sources}
    assert outcomes[("profiles", "EU")] == Outcome.FAILED
    assert outcomes[("profiles", "NA")] == outcomes[("ads_accounts", None)] == Outcome.COMPLETE
    assert await seen_by(connection) == before
    assert await in_thread(Profile.objects.count)() == profiles
    assert (run.changed, run.gone) == (0, 0)


async def test_the_list_is_asked_of_another_host_when_the_first_is_down(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    sandbox.faults.add("drop", region="NA", area="api")
    run = await sync(connection)
    assert run.sources[0]["outcome"] == "complete"
    assert run.sources[0]["errors"][0]["kind"] == "transient"
    assert await seen_by(connection) == {"Nordwind Outdoor", "Bob's Bikes"}


async def test_an_account_disconnected_here_stays_so_and_is_not_written(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    await in_thread(Account.objects.filter(name="one").update)(
        status="inactive", inactive_reason="disconnected"
    )
    one = next(each for each in world.ads_accounts.values() if each.account_name == "one")
    one.account_name = "renamed"
    await sync(first)
    assert (await shown())["one"] == "inactive: disconnected"
    hide(world, "first", "renamed")
    await sync(first)
    assert (await shown())["one"] == "inactive: disconnected"
    assert "one" not in await seen_by(first)


async def test_an_account_whose_sync_is_off_is_not_written(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    await in_thread(Account.objects.filter(name="one").update)(sync_enabled=False)
    next(each for each in world.ads_accounts.values() if each.account_name == "one").status = "DISABLED"
    assert (await sync(first)).changed == 0
    hide(world, "first", "one")
    await sync(first)
    assert (await shown())["one"] == "active"
    await in_thread(Account.objects.filter(name="one").update)(sync_enabled=True)
    await sync(first)
    assert (await shown())["one"] == "inactive: not_visible"


async def test_a_disconnected_login_leaves_its_accounts_to_others_at_once(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    await sync(second)
    await in_thread(connections.disconnect_connection)(None, first)
    assert await seen_by(first) == set()
    assert (await account("three")).connection == second
    found = await shown()
    assert (found["one"], found["two"], found["three"]) == (
        "inactive: not_visible",
        "inactive: not_visible",
        "active",
    )
    again = await in_thread(connect)("first")
    await sync(again)
    assert set((await shown()).values()) == {"active"}
    assert (await account("one")).connection == again
    assert (await account("three")).connection == second


async def test_the_accounts_of_two_people_are_two_rows(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    other = await in_thread(User.objects.create_user)("other")
    await sync(await in_thread(connect)("first"))
    await sync(await in_thread(connect)("first", owner=other))
    assert await in_thread(Account.objects.filter(name="one").count)() == 2


# --- Profiles alone, agencies, manager accounts ----------------------------------------------------------------


def lone_profile_world() -> tuple[World, Login]:
    world = World(1)
    world.add_client(default_client([]))
    maker = Maker(world)
    login = world.add_login("first")
    for name in ("one", "two", "three"):
        maker.account(name, "seller", ["US"], login)
    maker.profile("ES", "ALONE", "seller", login, name="Alone")
    return world, login


async def test_a_profile_that_stands_alone_is_adopted_with_its_labels(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    sandbox.reset(lone_profile_world()[0])
    world = sandbox.world
    connection = await in_thread(connect)("first")
    await sync(connection)
    alone = await account("Alone")
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
    found = await account("Found")
    assert (found.pk, found.amazon_account_id, found.labels) == (
        alone.pk,
        "amzn1.ads-account.g.new",
        {"team": "north"},
    )
    access = await in_thread(AccountAccess.objects.get)(account=found)
    assert access.seen_in == ["ads_accounts"]


async def test_an_adopted_account_that_was_disconnected_here_stays_so(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    sandbox.reset(lone_profile_world()[0])
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
    alone = await account("Alone")
    assert (alone.amazon_account_id, alone.inactive_reason) == ("amzn1.ads-account.g.new", "disconnected")


async def test_profiles_become_accounts_only_when_all_ads_accounts_are_known(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    sandbox.reset(lone_profile_world()[0])
    sandbox.faults.add("error_500", path="/adsAccounts/list")
    connection = await in_thread(connect)("first")
    run = await sync(connection)
    assert (run.state, run.created) == ("partial", 0)
    sandbox.faults.clear()
    assert (await sync(connection)).created == 4


async def test_advertisers_hang_below_their_agency_and_go_with_it(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("alice")
    await sync(connection)
    agency = await account("Nordwind DSP")

    @in_thread
    def below() -> list[str]:
        return sorted(agency.children.values_list("status", flat=True))

    assert agency.account_type == "agency"
    assert await below() == ["active"] * 3
    # Disconnecting an agency here does not touch what hangs below it.
    await in_thread(Account.objects.filter(pk=agency.pk).update)(
        status="inactive", inactive_reason="disconnected"
    )
    await sync(connection)
    assert await below() == ["active"] * 3
    profile = next(each for each in sandbox.world.profiles.values() if each.type == "agency")
    # One of the three is linked to a manager account, which still shows it.
    sandbox.world.remove_profile(profile.profile_id)
    run = await sync(connection)
    assert run.gone == 3, run.sources
    assert await below() == ["inactive", "inactive"]
    linked = await in_thread(Account.objects.get)(account_type="advertiser", status="active")
    assert (linked.source, linked.parent_id) == ("manager_accounts", None)


async def test_a_forbidden_agency_takes_no_advertiser_away(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("alice")
    await sync(connection)
    before = await seen_by(connection)
    sandbox.faults.add("no_access_to_scope", path="/dsp/advertisers")
    run = await sync(connection)
    assert run.state == "succeeded"
    assert [source["outcome"] for source in run.sources if source["source"] == "dsp_advertisers"] == [
        "forbidden"
    ]
    assert await seen_by(connection) == before


async def test_a_manager_account_knows_its_accounts(
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


async def test_a_big_login_keeps_each_source_apart(
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
    assert await seen_by(connection) == {each["name"] for each in expected(sandbox.truth("login-1")).values()}
    assert run.created == run.seen == 1150 + 2 + 240 + 2
    again = await sync(connection)
    assert (again.created, again.changed, again.unchanged) == (0, 0, run.created)
