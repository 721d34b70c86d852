"""An account becomes not visible only when lists that were read to their end prove it."""

import pytest

from accounts.models import AccountAccess, Profile, SyncRun
from accounts.sync.listing import Outcome
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import (
    World,
)
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.shared_accounts import (
    hide,
    list_seen_by,
    list_statuses,
    make_shared_world,
    show,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    return make_shared_world(sandbox)


async def test_an_account_that_no_connection_sees_becomes_not_visible_until_one_does(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    hide(world, "first", "one")
    assert (await sync(first)).gone == 1
    assert (await list_statuses())["one"] == "inactive: not_visible"
    show(world, "first", "one")
    assert (await sync(first)).changed == 1
    assert (await list_statuses())["one"] == "active"


async def test_more_than_half_of_the_accounts_go_only_when_a_second_run_agrees(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    hide(world, "first", "one", "two", "three")
    run = await sync(first)
    assert (run.state, run.gone) == ("partial", 0)
    assert run.sources[0]["errors"][0]["kind"] == "unconfirmed"
    assert set((await list_statuses()).values()) == {"active"}
    await in_thread(first.refresh_from_db)()
    assert first.next_sync_at is not None
    assert run.finished_at is not None
    assert (first.next_sync_at - run.finished_at).total_seconds() < 70

    run = await sync(first)
    assert (run.state, run.gone) == ("succeeded", 3)
    assert sorted((await list_statuses()).values()).count("inactive: not_visible") == 3


async def test_one_empty_list_removes_no_account(
    connect: ConnectionFactory, sync: Sync, world: World, sandbox: Sandbox
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    sandbox.faults.add("answer", path="/adsAccounts/list", json={"adsAccounts": []})
    assert (await sync(first)).state == "partial"
    sandbox.faults.clear()
    assert (await sync(first)).state == "succeeded"
    assert set((await list_statuses()).values()) == {"active"}
    assert not await in_thread(AccountAccess.objects.filter(missing_since__isnull=False).exists)()


@pytest.mark.parametrize(
    ("fault", "outcome", "state"),
    [("error_500", "failed", "partial"), ("forbidden", "forbidden", "partial")],
)
async def test_a_list_that_cannot_be_read_removes_no_account(
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
    assert (await list_statuses())["one"] == "active"


async def test_a_region_that_is_down_removes_no_account(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("alice")
    await sync(connection)
    before = await list_seen_by(connection)
    profiles = await in_thread(Profile.objects.count)()
    sandbox.faults.add("error_503", region="EU", area="api")
    run = await sync(connection)
    assert run.state == SyncRun.State.PARTIAL
    outcomes = {(source["source"], source["region"]): source["outcome"] for source in run.sources}
    assert outcomes[("profiles", "EU")] == Outcome.FAILED
    assert outcomes[("profiles", "NA")] == outcomes[("ads_accounts", None)] == Outcome.COMPLETE
    assert await list_seen_by(connection) == before
    assert await in_thread(Profile.objects.count)() == profiles
    assert (run.changed, run.gone) == (0, 0)


async def test_the_next_host_is_asked_for_the_list_when_a_host_is_down(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    sandbox.faults.add("drop", region="NA", area="api")
    run = await sync(connection)
    assert run.sources[0]["outcome"] == "complete"
    assert run.sources[0]["errors"][0]["kind"] == "transient"
    assert await list_seen_by(connection) == {"Nordwind Outdoor", "Bob's Bikes"}
