"""Which connection an account belongs to, and when another connection takes it over."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import Account, SyncRun
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import (
    World,
)
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.shared_accounts import (
    find_account,
    hide,
    list_seen_by,
    list_statuses,
    make_shared_world,
    show,
)
from tokens.connect import disconnect as connections
from tokens.connect.identification import record_identity
from tokens.connect.identity import Identity
from tokens.models import Connection
from tokens.permissions import SYSTEM
from tokens.signals import connection_changed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    return make_shared_world(sandbox)


async def test_an_account_that_two_connections_see_is_one_row(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    for _ in range(2):
        await sync(first)
        await sync(second)
    assert len(await list_statuses()) == 7
    assert (await find_account("three")).connection == first
    assert await list_seen_by(second) == {"three", "four", "five", "six", "seven"}


async def test_a_second_connection_does_not_write_the_data_of_an_account(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    await sync(second)
    next(each for each in world.ads_accounts.values() if each.account_name == "three").account_name = "new"
    run = await sync(second)
    assert (run.changed, run.unchanged) == (0, 5)
    assert (await find_account("three")).connection == first
    assert (await sync(first)).changed == 1
    assert (await find_account("new")).connection == first


async def test_another_connection_takes_over_when_the_first_no_longer_sees_the_account(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    await sync(second)
    hide(world, "first", "three")
    run = await sync(first)
    assert (run.state, run.gone) == ("succeeded", 1)
    three = await find_account("three")
    assert (three.status, three.connection) == ("active", second)


@pytest.mark.parametrize("fault", ["error_500", "forbidden"])
async def test_another_connection_takes_over_when_the_first_cannot_read_its_list(
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
    assert (await find_account("new")).connection == second
    assert (await find_account("one")).connection == first
    # It does not go back and forth.
    assert (await sync(first)).changed == 0
    assert (await sync(second)).changed == 0
    assert (await find_account("new")).connection == second


async def test_an_unread_region_of_the_connection_does_not_hand_its_accounts_over(
    connect: ConnectionFactory, sync: Sync, world: World, sandbox: Sandbox
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    sandbox.faults.add("forbidden", path="/v2/profiles", region="FE")
    for _ in range(2):
        await sync(first)
        await sync(second)
    assert (await find_account("three")).connection == first


async def test_a_connection_that_takes_over_is_synced_soon(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    next(each for each in world.ads_accounts.values() if each.account_name == "three").account_name = "new"
    await sync(second)
    hide(world, "first", "new")
    await sync(first)
    assert (await find_account("three")).connection == second
    await in_thread(second.refresh_from_db)()
    assert second.next_sync_at is not None
    assert second.next_sync_at <= timezone.now()


async def test_another_connection_takes_over_when_the_first_breaks(
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
    assert (await find_account("three")).connection == second
    await in_thread(second.refresh_from_db)()
    assert second.next_sync_at is not None
    assert second.next_sync_at <= timezone.now()
    one = await find_account("one")
    assert (one.connection, one.status, one.health) == (first, "active", "problem")


async def test_a_disconnected_account_is_not_written(
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
    assert (await list_statuses())["one"] == "inactive: disconnected"
    hide(world, "first", "renamed")
    await sync(first)
    assert (await list_statuses())["one"] == "inactive: disconnected"
    assert "one" not in await list_seen_by(first)


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
    assert (await list_statuses())["one"] == "active"
    await in_thread(Account.objects.filter(name="one").update)(sync_enabled=True)
    await sync(first)
    assert (await list_statuses())["one"] == "inactive: not_visible"


async def test_a_disconnected_connection_hands_its_accounts_over_at_once(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    await sync(second)
    await in_thread(connections.disconnect_connection)(SYSTEM, first)
    assert await list_seen_by(first) == set()
    assert (await find_account("three")).connection == second
    found = await list_statuses()
    assert (found["one"], found["two"], found["three"]) == (
        "inactive: not_visible",
        "inactive: not_visible",
        "active",
    )
    again = await in_thread(connect)("first")
    await sync(again)
    assert set((await list_statuses()).values()) == {"active"}
    assert (await find_account("one")).connection == again
    assert (await find_account("three")).connection == second


async def test_one_account_connected_by_two_people_is_two_rows(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    other = await in_thread(User.objects.create_user)("other")
    await sync(await in_thread(connect)("first"))
    await sync(await in_thread(connect)("first", owner=other))
    assert await in_thread(Account.objects.filter(name="one").count)() == 2


async def test_a_connection_of_the_same_login_takes_over_accounts_access_and_labels(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    user_id = world.logins["first"].user_id
    older = await in_thread(connect)("first", amazon_user_id=user_id)
    hide(world, "first", "one")
    await sync(older)
    newer = await in_thread(connect)("first", is_identity_pending=True)
    world_accounts = await list_seen_by(older)
    show(world, "first", "one")
    await sync(newer)
    one = await find_account("one")
    assert one.connection == newer
    await in_thread(Account.objects.filter(pk=one.pk).update)(labels={"team": "north"})
    identity = Identity(user_id, "First", "")
    assert await in_thread(record_identity)(newer.pk, newer.grant_version, identity)
    one_now = await find_account("one")
    assert (one_now.pk, one_now.connection, one_now.status) == (one.pk, older, "active")
    assert one_now.labels == {"team": "north"}
    assert await list_seen_by(older) == world_accounts | {"one"}
    assert await list_seen_by(newer) == set()
    # The runs stay with the connection that they are about, and the older connection is synced.
    runs = await in_thread(
        lambda: list(SyncRun.objects.order_by("created_at").values_list("connection", "state"))
    )()
    assert runs == [(older.pk, "succeeded"), (newer.pk, "succeeded"), (older.pk, "waiting")]
