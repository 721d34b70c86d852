"""A batch shows results of a sync before the sync ends: of each region and page, as soon as they are stored."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User

from accounts.batch import start_batch
from accounts.batch.work import run_chunk
from accounts.models import Account, BatchItem, BatchOperation, Profile, SyncRun
from accounts.sync.run import sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import Maker, World, default_client
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    world = World(1)
    world.add_client(default_client([]))
    maker, login = Maker(world), world.add_login("first")
    for name, country in (("one", "US"), ("two", "DE"), ("three", "JP")):
        maker.account(name, "seller", [country], login)
    sandbox.reset(world)
    return sandbox.world


@in_thread
def ask_for_sync() -> tuple[UUID, UUID]:
    batch = start_batch(SYSTEM, "sync", filters={})
    run_chunk(batch.pk)
    return batch.pk, SyncRun.objects.get(state="waiting").pk


@in_thread
def list_ended(batch_id: UUID) -> dict[str, str]:
    items = BatchItem.objects.filter(batch=batch_id).exclude(state__in=["waiting", "running"])
    return dict(items.values_list("account__name", "state"))


async def test_accounts_end_before_a_slow_region_has_answered(
    connect: ConnectionFactory, sync: Sync, amazon: AmazonClient, sandbox: Sandbox, world: World
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    for account in world.ads_accounts.values():
        account.account_name = f"{account.account_name} new"
    batch_id, run_id = await ask_for_sync()
    seen: list[dict[str, str]] = []

    async def hold_back(_call: Any) -> None:
        # The Far East answers only when the others have ended.
        for _ in range(500):
            ended = await list_ended(batch_id)
            if len(ended) == 2:
                break
            await asyncio.sleep(0.01)
        seen.append(ended)

    sandbox.faults.add("run", area="api", region="FE", path="/v2/profiles", nth=1, function=hold_back)
    run = await sync_connection(run_id, amazon)
    assert seen == [{"one new": "succeeded", "two new": "succeeded"}]
    assert (run.state, run.created, run.changed, run.unchanged) == ("succeeded", 0, 3, 0)
    assert await list_ended(batch_id) == dict.fromkeys(("one new", "two new", "three new"), "succeeded")
    batch = await in_thread(BatchOperation.objects.get)(pk=batch_id)
    assert (batch.state, batch.succeeded) == ("succeeded", 3)


async def test_what_is_stored_early_is_the_same_as_later(
    connect: ConnectionFactory, sync: Sync, amazon: AmazonClient, sandbox: Sandbox, world: World
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    before = await read_rows()
    await in_thread(Account.objects.filter(name="one").delete)()
    _, run_id = await ask_for_sync()
    run = await sync_connection(run_id, amazon)
    assert (run.created, run.changed, run.unchanged, run.gone) == (1, 0, 2, 0)
    assert await read_rows() == before


@in_thread
def read_rows() -> tuple[set[Any], set[Any]]:
    accounts = Account.objects.values_list(
        "amazon_account_id", "name", "status", "account_type", "connection"
    )
    profiles = Profile.objects.values_list(
        "account__amazon_account_id", "profile_id", "region", "access_level"
    )
    return set(accounts), set(profiles)


async def test_an_account_that_was_switched_off_meanwhile_waits_for_the_end(
    owner: User, connect: ConnectionFactory, sync: Sync, amazon: AmazonClient, sandbox: Sandbox, world: World
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    batch_id, run_id = await ask_for_sync()
    await in_thread(Account.objects.filter(name="one").update)(sync_enabled=False)
    seen: list[dict[str, str]] = []

    async def look(_call: Any) -> None:
        for _ in range(500):
            if await list_ended(batch_id):
                break
            await asyncio.sleep(0.01)
        seen.append(await list_ended(batch_id))

    sandbox.faults.add("run", area="api", region="FE", path="/v2/profiles", nth=1, function=look)
    await sync_connection(run_id, amazon)
    assert seen == [{"two": "succeeded"}]
