"""Accounts that only regions show which their connection does not read any more say that they are not synced."""

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from rest_framework.test import APIClient

from accounts.batch import start_batch
from accounts.batch.syncs import request_syncs
from accounts.lists.filters import filter_accounts
from accounts.models import Account, BatchItem
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import Maker, World, default_client
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.shared_accounts import find_account
from tests.api_keys import new_key
from tests.teams import set_role
from tokens.models import Connection
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.signals import connection_changed

pytestmark = pytest.mark.django_db(transaction=True)

SYNCED = ("synced", None, "first")
OFF = ("off", "region_not_read", "first")


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    # Both logins see the profile that belongs to no ads account.
    world = World(1)
    world.add_client(default_client([]))
    maker = Maker(world)
    first, second = world.add_login("first"), world.add_login("second")
    maker.account("Listed", "seller", ["US"], first)
    maker.account("European", "seller", ["DE"], first)
    shared = maker.profile("US", "SHARED", "seller", first, second, name="Shared")
    maker.profile("DE", "GERMAN", "seller", first, name="German")
    maker.agency("Agency", "US", first, advertisers=1)
    maker.manager("Manager", [maker.link(shared, "Shared")], first)
    sandbox.reset(world)
    # Only the host of North America shows the manager account.
    for region in ("EU", "FE"):
        sandbox.faults.add("answer", path="/managerAccounts", region=region, json={"managerAccounts": []})
    return sandbox.world


@in_thread
def list_states() -> dict[str, tuple[str, str | None, str]]:
    """Return the sync status of each account, its reason, and the login that syncs the account."""
    return {
        account.name: (account.sync_status, account.sync_off_reason, account.connection.label.split()[-1])
        for account in Account.objects.select_related("connection")
    }


@in_thread
def read_regions(connection: Connection, *regions: str) -> None:
    Connection.objects.filter(pk=connection.pk).update(regions=list(regions))


@in_thread
def change_regions(connection: Connection, *regions: str) -> None:
    with transaction.atomic():
        connection.regions = list(regions)
        connection.save(update_fields=["regions"])
        connection_changed.send(sender=Connection, connection=connection, change="regions")


async def test_accounts_that_only_a_dropped_region_shows_say_so_and_keep_their_data(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    assert set((await list_states()).values()) == {SYNCED}
    await read_regions(first, "EU")
    advertiser = next(iter(world.dsp_advertisers.values()))
    old_name, advertiser.name = advertiser.name, "Renamed"
    assert (await sync(first)).state == "succeeded"
    states = await list_states()
    assert states[old_name] == OFF
    assert {name for name, state in states.items() if state == OFF} == {
        "Agency", old_name, "Manager", "Shared",
    }  # fmt: skip
    assert {name for name, state in states.items() if state == SYNCED} == {"Listed", "European", "German"}
    assert (await find_account(old_name)).unread_regions == ["NA"]


async def test_an_added_region_is_synced_again_after_the_next_sync(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    await change_regions(first, "EU")
    assert (await list_states())["Agency"] == OFF
    await change_regions(first, "NA", "EU")
    assert (await list_states())["Agency"] == OFF
    next(iter(world.dsp_advertisers.values())).name = "Renamed"
    await sync(first)
    states = await list_states()
    assert "Renamed" in states
    assert set(states.values()) == {SYNCED}


@pytest.mark.parametrize("is_known", [True, False], ids=["synced before", "synced later"])
async def test_another_connection_that_reads_the_region_takes_the_account_over(
    connect: ConnectionFactory, sync: Sync, world: World, is_known: bool
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    if is_known:
        await sync(second)
    await read_regions(first, "EU")
    await sync(first)
    if not is_known:
        assert (await list_states())["Shared"] == OFF
        await sync(second)
    assert (await list_states())["Shared"] == ("synced", None, "second")
    assert (await list_states())["Agency"] == OFF


async def test_no_connection_takes_an_account_over_whose_region_it_does_not_read(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    await sync(first)
    await sync(second)
    await read_regions(second, "EU")
    await read_regions(first, "EU")
    await sync(second)
    await sync(first)
    assert (await list_states())["Shared"] == OFF


async def test_every_interface_says_that_the_region_is_not_read(
    connect: ConnectionFactory, sync: Sync, world: World, owner: User
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    await read_regions(first, "EU")
    await sync(first)
    await in_thread(_check_interfaces)(owner)


def _check_interfaces(owner: User) -> None:
    owner = set_role(owner, Role.OPERATOR)
    off = {"Agency", "Agency advertiser 1", "Manager", "Shared"}
    assert {each.name for each in filter_accounts(owner, {"sync_status": "off"})} == off
    assert {each.name for each in filter_accounts(owner, {"sync_status": "synced"})} == {
        "Listed", "European", "German",
    }  # fmt: skip

    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Token {new_key(owner)}")
    listed = api.get("/api/v1/accounts/", {"sync_status": "off"}).json()["results"]
    assert {row["name"] for row in listed} == off
    assert {row["sync_off_reason"] for row in listed} == {"region_not_read"}
    assert all(row["unread_regions"] == ["NA"] and row["sync_status"] == "off" for row in listed)
    export = api.get("/api/v1/accounts/export/", {"format": "csv"})
    text = b"".join(export.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["name"] for row in rows if row["sync_off_reason"] == "region_not_read"} == off
    assert {row["name"] for row in rows if row["sync_status"] == "off"} == off

    browser = Client()
    browser.force_login(owner)
    page = browser.get("/accounts/", {"sync_status": "off", "filter": "sync_status"})
    choices = {choice.text: choice.number for choice in page.context["opened"].choices}
    assert choices["Sync off"] == len(off)
    agency = Account.objects.get(name="Agency")
    text = " ".join(browser.get(f"/accounts/{agency.pk}/").content.decode().split())
    assert "Amazon shows this account only in NA, and Login of first does not read this region." in text
    assert "Sync now" not in text


async def test_a_batch_skips_the_sync_of_an_account_whose_region_is_not_read(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    first = await in_thread(connect)("first")
    await sync(first)
    await read_regions(first, "EU")
    await sync(first)
    await in_thread(_check_batch)(await find_account("Agency"))


def _check_batch(agency: Account) -> None:
    batch = start_batch(SYSTEM, "sync", account_ids=[agency.pk])
    request_syncs(batch)
    item = BatchItem.objects.get(batch=batch)
    assert (item.state, item.message) == ("skipped", "Its connection does not read the region that shows it.")
