"""Lists that change while they are read: no account that Amazon still has is taken away, and none comes twice."""

from collections.abc import Iterable

import pytest
from django.conf import LazySettings

from accounts.models import Account, AccountAccess, AccountChange, SyncRun
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import AdsAccount, Login, Maker, World, default_client
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.expected_rows import find_differences
from tests.accounts.sync.shared_accounts import find_account, list_statuses
from tokens.models import Connection

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/adsAccounts/list"
NOT_VISIBLE = "inactive: not_visible"


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    """Two logins. The first sees twelve accounts with profiles, three on a page."""
    world = World(1)
    world.add_client(default_client([]))
    first = world.add_login("first")
    world.add_login("second")
    maker = Maker(world)
    for number in range(12):
        maker.account(f"Shop {number}", "seller", ["US", "DE"], first)
    sandbox.reset(world)
    sandbox.choices.max_page_size = 3
    return sandbox.world


@pytest.fixture
def first(world: World) -> Login:
    return world.logins["first"]


def add_without_profile(world: World, names: Iterable[str], login: Login) -> list[AdsAccount]:
    maker = Maker(world)
    return [world.add_ads_account(AdsAccount(maker.ads_account_id(), name), login) for name in names]


async def check_that_the_world_is_stored(sandbox: Sandbox, connection: Connection) -> None:
    assert await in_thread(find_differences)(sandbox.truth("first"), connection) == []


@in_thread
def list_not_visible() -> set[str]:
    return set(Account.objects.filter(inactive_reason="not_visible").values_list("name", flat=True))


def read_outcome(run: SyncRun) -> tuple[str, int, int]:
    return run.state, run.gone, run.created


@pytest.mark.parametrize("receiver", ["", "second"], ids=["removed", "moved to another login"])
async def test_accounts_that_leave_the_list_while_it_is_read_hide_no_others(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World, receiver: str
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    sandbox.faults.add("shift", path=LIST, nth=3, accounts=3, to=receiver)
    run = await sync(connection)
    # Pages 1 and 2 were read, the first three left, and the place of page 3 holds what was on page 4.
    assert read_outcome(run) == ("succeeded", 0, 0)
    assert run.sources[0]["seen"] == 9
    assert "does not show 3 accounts whose profiles Amazon shows" in run.sources[0]["errors"][0]["message"]
    assert set((await list_statuses()).values()) == {"active"}
    await in_thread(connection.refresh_from_db)()
    assert connection.next_sync_at is not None
    assert run.finished_at is not None
    assert (connection.next_sync_at - run.finished_at).total_seconds() < 70

    sandbox.faults.clear()
    run = await sync(connection)
    assert (run.state, run.created) == ("succeeded", 0)
    await sync(connection)
    assert await list_not_visible() == {"Shop 0", "Shop 1", "Shop 2"}
    await check_that_the_world_is_stored(sandbox, connection)
    assert await in_thread(Account.objects.count)() == 12
    changed = await in_thread(lambda: set(AccountChange.objects.values_list("account__name", flat=True)))()
    assert changed == {"Shop 0", "Shop 1", "Shop 2"}


async def test_a_cursor_hides_nothing_and_removes_at_once_what_both_lists_miss(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World
) -> None:
    connection = await in_thread(connect)("first")
    sandbox.choices.paging = "cursor"
    await sync(connection)
    world.remove_ads_account(next(iter(world.ads_accounts)))
    run = await sync(connection)
    assert (*read_outcome(run), run.sources[0]["errors"]) == ("succeeded", 1, 0, [])
    assert await list_not_visible() == {"Shop 0"}
    await check_that_the_world_is_stored(sandbox, connection)


async def test_an_account_without_a_profile_is_gone_when_the_next_reading_confirms_it(
    connect: ConnectionFactory, sync: Sync, world: World, first: Login
) -> None:
    (alone,) = add_without_profile(world, ["Alone"], first)
    connection = await in_thread(connect)("first")
    await sync(connection)
    world.remove_ads_account(alone.ads_account_id)
    run = await sync(connection)
    assert read_outcome(run) == ("succeeded", 0, 0)
    assert run.sources[0]["outcome"] == "complete"
    (note,) = run.sources[0]["errors"]
    assert (note["kind"], "does not show 1 account. It stays" in note["message"]) == ("unconfirmed", True)
    assert (await find_account("Alone")).status == "active"
    assert read_outcome(await sync(connection)) == ("succeeded", 1, 0)
    assert await list_not_visible() == {"Alone"}


async def test_accounts_without_profiles_need_a_third_reading_if_many_would_go(
    connect: ConnectionFactory, sync: Sync, world: World, first: Login
) -> None:
    gone = add_without_profile(world, ["one", "two"], first)
    connection = await in_thread(connect)("first")
    await sync(connection)
    for account in gone:
        world.remove_ads_account(account.ads_account_id)
    assert [(await sync(connection)).gone for _ in range(3)] == [0, 0, 2]


async def test_any_sight_begins_the_count_again(
    connect: ConnectionFactory, sync: Sync, world: World, first: Login
) -> None:
    (alone,) = add_without_profile(world, ["Alone"], first)
    connection = await in_thread(connect)("first")
    await sync(connection)
    for _ in range(2):
        first.ads_accounts.remove(alone.ads_account_id)
        assert (await sync(connection)).gone == 0
        first.ads_accounts.append(alone.ads_account_id)
        assert (await sync(connection)).gone == 0
    access = await in_thread(AccountAccess.objects.get)(account__name="Alone")
    assert (access.missed_readings, access.missing_since) == (0, None)


async def test_a_reading_that_failed_confirms_nothing(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World, first: Login
) -> None:
    (alone,) = add_without_profile(world, ["Alone"], first)
    connection = await in_thread(connect)("first")
    await sync(connection)
    first.ads_accounts.remove(alone.ads_account_id)
    await sync(connection)
    sandbox.faults.add("error_500", path=LIST, after=2)
    await sync(connection)
    assert (await find_account("Alone")).status == "active"


async def test_profiles_that_amazon_left_out_before_are_no_second_source(
    connect: ConnectionFactory, sync: Sync, world: World, first: Login
) -> None:
    account = Maker(world).account("Without campaigns", "seller", ["US"], first)
    for alternate in account.alternates:
        world.profiles[alternate.profile_id or 0].has_campaigns = False
    connection = await in_thread(connect)("first")
    await sync(connection)
    world.remove_ads_account(account.ads_account_id)
    assert (await sync(connection)).gone == 0
    assert (await sync(connection)).gone == 1


async def test_an_account_in_a_region_that_is_not_read_needs_a_second_reading(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    world.remove_ads_account(next(iter(world.ads_accounts)))
    sandbox.faults.add("error_500", path="/v2/profiles", region="EU")
    assert (await sync(connection)).gone == 0
    assert (await sync(connection)).gone == 1


async def test_manager_accounts_and_advertisers_need_a_second_reading(
    connect: ConnectionFactory, sync: Sync, world: World, first: Login
) -> None:
    maker = Maker(world)
    agency = maker.agency("Agency", "US", first, advertisers=5)
    manager = maker.manager("Group", [], first)
    connection = await in_thread(connect)("first")
    await sync(connection)
    world.remove_manager_account(manager.manager_account_id)
    world.remove_dsp_advertiser(world.advertisers_of[agency.profile_id][0])
    assert (await sync(connection)).gone == 0
    assert (await sync(connection)).gone == 2
    assert await list_not_visible() == {"Group", "Agency advertiser 1"}


async def test_an_account_that_was_not_visible_returns_with_its_profile(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World, first: Login
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    account = next(iter(world.ads_accounts.values()))
    world.let_see(first, ads_account_id=account.ads_account_id, level=None)
    await sync(connection)
    assert await list_not_visible() == {"Shop 0"}
    world.let_see(first, ads_account_id=account.ads_account_id)
    # It is the last of the list now, where the place token does not lead.
    sandbox.faults.add("shift", path=LIST, nth=2, accounts=1)
    run = await sync(connection)
    sandbox.faults.clear()
    assert (run.state, run.created) == ("succeeded", 0)
    assert (await find_account("Shop 0")).status == "active"
    await sync(connection)
    await sync(connection)
    assert await list_not_visible() == {"Shop 1"}
    await check_that_the_world_is_stored(sandbox, connection)


async def test_a_profile_of_an_account_that_another_login_lists_makes_no_second_account(
    connect: ConnectionFactory, sync: Sync, world: World, first: Login
) -> None:
    one, two = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(one)
    account = next(iter(world.ads_accounts.values()))
    for alternate in account.alternates:
        world.let_see(world.logins["second"], profile_id=alternate.profile_id)
    run = await sync(two)
    assert (run.state, run.created) == ("succeeded", 0)
    seen = await in_thread(AccountAccess.objects.get)(connection=two)
    assert seen.seen_in == ["profiles:EU", "profiles:NA"]
    assert (await find_account("Shop 0")).connection == one
    # The second login keeps the account when the first one loses it.
    world.let_see(first, ads_account_id=account.ads_account_id, level=None)
    assert (await sync(one)).gone == 1
    shop = await find_account("Shop 0")
    assert (shop.status, shop.connection) == ("active", two)
    # The first one writes it again when its list shows it again.
    world.let_see(first, ads_account_id=account.ads_account_id)
    account.account_name = "Renamed"
    await sync(one)
    assert (await find_account("Renamed")).connection == one


async def test_profiles_without_an_entity_id_hold_their_account(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World
) -> None:
    for profile in world.profiles.values():
        profile.account_id = ""
    connection = await in_thread(connect)("first")
    await sync(connection)
    sandbox.faults.add("shift", path=LIST, nth=3, accounts=2)
    run = await sync(connection)
    assert (run.state, run.gone, run.rejected) == ("succeeded", 0, 0)
    assert set((await list_statuses()).values()) == {"active"}


async def test_a_list_that_always_moves_is_read_again_at_once_three_times_only(
    connect: ConnectionFactory, sync: Sync, settings: LazySettings, world: World, first: Login
) -> None:
    settings.SYNC_INTERVAL_SECONDS = 1_000_000_000
    connection = await in_thread(connect)("first")
    accounts = add_without_profile(world, [f"Alone {number}" for number in range(4)], first)
    await sync(connection)
    is_soon = []
    for account in accounts:
        world.remove_ads_account(account.ads_account_id)
        run = await sync(connection)
        await in_thread(connection.refresh_from_db)()
        assert connection.next_sync_at is not None
        assert run.finished_at is not None
        is_soon.append((connection.next_sync_at - run.finished_at).total_seconds() < 70)
    assert is_soon == [True, True, True, False]
