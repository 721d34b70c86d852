"""Ads accounts that Amazon drops while it still shows their profiles: their rows go on as the accounts of the profiles."""

import pytest

from accounts.models import Account, AccountAccess
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import AdsAccount, Login, Maker, World, default_client
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.expected_rows import find_differences
from tests.accounts.sync.shared_accounts import find_account, list_statuses
from tokens.models import Connection

pytestmark = pytest.mark.django_db(transaction=True)

# The profiles keep a dropped account for two readings. The third takes it away.
READINGS = 3


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    """Two logins. The first sees four accounts, each with a profile in the US and one in Germany."""
    world = World(1)
    world.add_client(default_client([]))
    first = world.add_login("first")
    world.add_login("second")
    for number in range(4):
        Maker(world).account(f"Shop {number}", "seller", ["US", "DE"], first)
    sandbox.reset(world)
    return sandbox.world


@pytest.fixture
def first(world: World) -> Login:
    return world.logins["first"]


def find_listed(world: World, name: str) -> AdsAccount:
    return next(each for each in world.ads_accounts.values() if each.account_name == name)


def drop(world: World, name: str) -> AdsAccount:
    """Remove the ads account from all lists, and leave its profiles."""
    account = find_listed(world, name)
    for login in world.logins.values():
        if account.ads_account_id in login.ads_accounts:
            login.ads_accounts.remove(account.ads_account_id)
    return world.ads_accounts.pop(account.ads_account_id)


@in_thread
def change_account(name: str, **fields: object) -> None:
    assert Account.objects.filter(name=name).update(**fields) == 1


async def check_that_the_world_is_stored(
    sandbox: Sandbox, connection: Connection, login: str = "first"
) -> None:
    assert await in_thread(find_differences)(sandbox.truth(login), connection) == []


async def test_a_dropped_account_goes_on_as_the_account_of_its_profiles(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    await change_account("Shop 1", labels={"team": "north"}, is_default=True)
    before = await find_account("Shop 1")
    dropped = drop(world, "Shop 1")
    for _ in range(READINGS - 1):
        run = await sync(connection)
        assert (run.state, run.created, run.gone) == ("succeeded", 0, 0)
        assert (await find_account("Shop 1")).amazon_account_id == dropped.ads_account_id
        assert run.sources[0]["errors"][0]["kind"] == "unconfirmed"
    run = await sync(connection)
    assert (run.state, run.created, run.gone, run.sources[0]["errors"]) == ("succeeded", 0, 0, [])
    await check_that_the_world_is_stored(sandbox, connection)
    after = await in_thread(Account.objects.get)(pk=before.pk)
    assert (after.source, after.labels, after.is_default) == ("profiles", {"team": "north"}, True)
    assert await in_thread(Account.objects.count)() == 4


async def test_an_account_that_is_listed_again_is_the_same_row(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World, first: Login
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    before = await find_account("Shop 1")
    dropped = drop(world, "Shop 1")
    for _ in range(READINGS):
        await sync(connection)
    world.add_ads_account(dropped, first)
    run = await sync(connection)
    assert (run.state, run.created, run.gone) == ("succeeded", 0, 0)
    assert (await find_account("Shop 1")).pk == before.pk
    await check_that_the_world_is_stored(sandbox, connection)
    assert await in_thread(Account.objects.count)() == 4


async def test_any_sight_in_the_list_begins_the_count_again(
    connect: ConnectionFactory, sync: Sync, world: World, first: Login
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    account_id = find_listed(world, "Shop 1").ads_account_id
    for _ in range(2):
        first.ads_accounts.remove(account_id)
        for _ in range(READINGS - 1):
            await sync(connection)
        first.ads_accounts.append(account_id)
        await sync(connection)
        access = await in_thread(AccountAccess.objects.get)(account__name="Shop 1")
        assert (access.missed_readings, access.missing_since) == (0, None)
    assert (await find_account("Shop 1")).amazon_account_id == account_id


async def test_an_account_that_another_login_lists_is_held_and_makes_no_second_account(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World
) -> None:
    listed = find_listed(world, "Shop 1")
    for alternate in listed.alternates:
        world.let_see(world.logins["second"], profile_id=alternate.profile_id)
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    for _ in range(READINGS + 1):
        run = await sync(second)
        assert (run.created, run.gone) == (0, 0)
    assert [error["kind"] for error in run.sources[0]["errors"]] == ["held"]
    assert await in_thread(Account.objects.count)() == 4

    # Now only the second login shows its profiles, and no login lists it.
    drop(world, "Shop 1")
    for alternate in listed.alternates:
        world.let_see(world.logins["first"], profile_id=alternate.profile_id, level=None)
    await sync(first)
    for _ in range(READINGS):
        await sync(second)
    for connection, login in ((first, "first"), (second, "second")):
        await check_that_the_world_is_stored(sandbox, connection, login)
    assert await in_thread(Account.objects.count)() == 4


async def test_a_dropped_account_that_makes_two_accounts_becomes_the_first(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World
) -> None:
    american, german = sorted(
        (world.profiles[each.profile_id or 0] for each in find_listed(world, "Shop 1").alternates),
        key=lambda each: str(each.profile_id),
    )
    german.account_id = "AGERMANSELLER"
    connection = await in_thread(connect)("first")
    await sync(connection)
    before = await find_account("Shop 1")
    drop(world, "Shop 1")
    created = [(await sync(connection)).created for _ in range(READINGS)]
    assert created == [0, 0, 1]
    await check_that_the_world_is_stored(sandbox, connection)
    assert (await in_thread(Account.objects.get)(pk=before.pk)).amazon_account_id == american.account_id


async def test_an_account_whose_profiles_belong_to_a_known_account_is_gone(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World
) -> None:
    seller = world.profiles[find_listed(world, "Shop 1").alternates[0].profile_id or 0].account_id
    Maker(world).profile("JP", seller, "seller", world.logins["first"], name="Known")
    connection = await in_thread(connect)("first")
    await sync(connection)
    assert len(await list_statuses()) == 5
    drop(world, "Shop 1")
    gone = [(await sync(connection)).gone for _ in range(READINGS)]
    assert gone == [0, 0, 1]
    await check_that_the_world_is_stored(sandbox, connection)
    await sync(connection)
    await check_that_the_world_is_stored(sandbox, connection)


async def test_an_account_that_cannot_be_stored_does_not_hold_a_dropped_one(
    connect: ConnectionFactory, sync: Sync, world: World, first: Login
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    find_listed(world, "Shop 2").account_name = "x" * 2500
    dropped = drop(world, "Shop 1")
    for _ in range(READINGS):
        run = await sync(connection)
        assert (run.rejected, run.gone) == (1, 0)
    assert not await in_thread(Account.objects.filter(amazon_account_id=dropped.ads_account_id).exists)()


async def test_a_region_that_fails_lets_the_account_wait(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    dropped = drop(world, "Shop 1")
    for _ in range(READINGS - 1):
        await sync(connection)
    sandbox.faults.add("error_500", path="/v2/profiles", region="EU")
    await sync(connection)
    assert (await find_account("Shop 1")).amazon_account_id == dropped.ads_account_id
    sandbox.faults.clear()
    await sync(connection)
    await check_that_the_world_is_stored(sandbox, connection)


async def test_a_disconnected_account_stays_disconnected(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    await change_account("Shop 1", status="inactive", inactive_reason="disconnected")
    drop(world, "Shop 1")
    for _ in range(READINGS):
        await sync(connection)
    assert (await list_statuses())["Shop 1"] == "inactive: disconnected"
    assert await in_thread(Account.objects.count)() == 4
