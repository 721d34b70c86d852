"""An account that Amazon shows is not gone, even if it cannot be parsed or stored."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Q
from django.utils import timezone

from accounts.models import Account, AccountAccess, AccountChange, Profile, SyncRun
from accounts.sync.requests import request_sync
from accounts.sync.run import sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import AdsAccount, Alternate, Login, Maker, World, default_client
from amazon_accounts.sandbox.world import Profile as WorldProfile
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.contexts import empty_staging
from tests.polling import poll_until
from tokens.connect import disconnect as connections
from tokens.models import Alert, Connection
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

TOO_LONG = "x" * 2500


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    """One login with six ads accounts, so that one or two of them are not more than half."""
    world = World(1)
    world.add_client(default_client([]))
    login = world.add_login("first")
    for number in range(6):
        Maker(world).account(f"Shop {number}", "seller", ["US"], login)
    sandbox.reset(world)
    return sandbox.world


@pytest.fixture
def login(world: World) -> Login:
    return world.logins["first"]


@pytest.fixture
def agency(world: World, login: Login) -> WorldProfile:
    return Maker(world).agency("Agency", "US", login, advertisers=3)


@in_thread
def count_active(**lookups: Any) -> int:
    return Account.objects.filter(status="active", **lookups).count()


@in_thread
def change_account(name: str, **fields: Any) -> None:
    assert Account.objects.filter(name=name).update(**fields) == 1


def build_answer(sandbox: Sandbox, kind: str, region: str, **details: Any) -> list[dict[str, Any]]:
    """Return what the login is shown in the region, with these details in each item."""
    return [{**each, **details} for each in sandbox.truth("first")[kind][region]]


async def test_an_agency_whose_type_changes_keeps_its_advertisers(
    connect: ConnectionFactory, sync: Sync, agency: WorldProfile
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    assert await count_active(source="dsp_advertisers") == 3
    agency.type = "holding"
    run = await sync(connection)
    assert (run.state, run.gone) == ("succeeded", 0)
    assert await count_active(source="dsp_advertisers") == 3


async def test_an_agency_that_cannot_be_parsed_keeps_its_advertisers(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, agency: WorldProfile
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    shown = [
        {**each, "timezone": 5} if each["profileId"] == agency.profile_id else each
        for each in build_answer(sandbox, "profiles", "NA")
    ]
    sandbox.faults.add("answer", path="/v2/profiles", region="NA", json=shown)
    run = await sync(connection)
    assert (run.rejected, run.gone) == (2, 0)
    assert await count_active(source="dsp_advertisers") == 3


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"totalResults": 3, "response": []}, id="none of three"),
        pytest.param({"totalResults": 3, "response": [{"advertiserId": "1"}] * 3}, id="one thrice"),
    ],
)
async def test_advertisers_that_are_counted_but_not_shown_are_not_gone(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, agency: WorldProfile, answer: dict[str, Any]
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    sandbox.faults.add("answer", path="/dsp/advertisers", json=answer)
    run = await sync(connection)
    (outcome,) = [each["outcome"] for each in run.sources if each["source"] == "dsp_advertisers"]
    assert (outcome, run.gone) == ("cut", 0)
    assert (
        await in_thread(
            Account.objects.filter(source="dsp_advertisers", name__startswith="Agency", status="active").count
        )()
        == 3
    )


@pytest.mark.parametrize(("pages", "outcome"), [(1, "complete"), (0, "cut")], ids=["an end", "a circle"])
async def test_a_list_of_advertisers_without_a_count_is_read_to_its_end(
    connect: ConnectionFactory,
    sync: Sync,
    sandbox: Sandbox,
    agency: WorldProfile,
    pages: int,
    outcome: str,
) -> None:
    connection = await in_thread(connect)("first")
    (shown,) = sandbox.truth("first")["dsp_advertisers"].values()
    sandbox.faults.add("answer", path="/dsp/advertisers", count=pages, json={"response": shown})
    sandbox.faults.add("answer", path="/dsp/advertisers", json={"response": []})
    run = await sync(connection)
    assert [each["outcome"] for each in run.sources if each["source"] == "dsp_advertisers"] == [outcome]
    assert await count_active(source="dsp_advertisers") == 3


async def make_managed_advertiser(
    world: World, login: Login, agency: WorldProfile, connection: Connection, sync: Sync
) -> Any:
    """Sync an advertiser that only its manager account shows, and return the manager account."""
    maker = Maker(world)
    advertiser = maker.advertiser(agency, "Managed")
    manager = maker.manager("Group", [maker.link(agency, "Managed", advertiser=advertiser)], login)
    world.remove_profile(agency.profile_id)
    await sync(connection)
    assert await count_active(name="Managed", source="manager_accounts") == 1
    return manager


async def test_a_manager_account_that_cannot_be_parsed_keeps_its_advertisers(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World, login: Login, agency: WorldProfile
) -> None:
    connection = await in_thread(connect)("first")
    await make_managed_advertiser(world, login, agency, connection, sync)
    shown = build_answer(sandbox, "manager_accounts", "NA", managerAccountName=5)
    sandbox.faults.add("answer", path="/managerAccounts", region="NA", json={"managerAccounts": shown})
    run = await sync(connection)
    assert (run.state, run.rejected, run.gone) == ("succeeded", 1, 0)
    assert await count_active(name="Managed") == await count_active(name="Group") == 1


async def test_a_managed_advertiser_that_cannot_be_stored_is_not_gone(
    connect: ConnectionFactory, sync: Sync, world: World, login: Login, agency: WorldProfile
) -> None:
    connection = await in_thread(connect)("first")
    manager = await make_managed_advertiser(world, login, agency, connection, sync)
    manager.links[0].account_name = TOO_LONG
    run = await sync(connection)
    assert (run.state, run.rejected, run.gone) == ("succeeded", 1, 0)
    assert await count_active(name="Managed") == 1
    manager.links = []
    assert (await sync(connection)).gone == 0
    assert (await sync(connection)).gone == 1


async def test_an_account_that_cannot_be_parsed_is_not_gone(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World, login: Login
) -> None:
    odd = world.add_ads_account(AdsAccount(f"<b>odd</b> &amp; {'y' * 250}", "Odd"), login)
    connection = await in_thread(connect)("first")
    await sync(connection)
    shown = sandbox.truth("first")["ads_accounts"]
    for each in shown:
        if each["adsAccountId"] == odd.ads_account_id:
            each["countryCodes"] = "everywhere"
    sandbox.faults.add("answer", path="/adsAccounts/list", json={"adsAccounts": shown})
    run = await sync(connection)
    assert (run.state, run.rejected, run.gone) == ("succeeded", 1, 0)
    assert await count_active(name="Odd") == 1
    # People read it as one line of plain text.
    identifier = run.sources[0]["rejected_items"][0]["identifier"]
    assert identifier.startswith("odd & yyy")
    assert len(identifier) == 200


async def test_a_profile_that_loses_its_entity_id_keeps_its_account(
    connect: ConnectionFactory, sync: Sync, world: World, login: Login
) -> None:
    alone = Maker(world).profile("ES", "ALONE", "seller", login, name="Alone")
    connection = await in_thread(connect)("first")
    await sync(connection)
    alone.account_id = ""
    run = await sync(connection)
    assert (run.state, run.rejected, run.gone) == ("succeeded", 1, 0)
    assert await count_active(name="Alone") == 1


async def test_a_profile_only_account_keeps_its_profiles_while_the_list_fails(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, world: World, login: Login
) -> None:
    first, second = (
        Maker(world).profile(country, "ALONE", "seller", login, name="Alone") for country in ("ES", "FR")
    )
    connection = await in_thread(connect)("first")
    await sync(connection)

    @in_thread
    def name_it_too() -> None:
        profile = Profile.objects.get(profile_id=str(first.profile_id))
        profile.pk = None
        profile.account = Account.objects.get(name="Shop 1")
        profile.save(force_insert=True)

    await name_it_too()
    sandbox.faults.add("error_500", path="/adsAccounts/list")
    await sync(connection)
    kept = await in_thread(
        lambda: set(Profile.objects.filter(account__name="Alone").values_list("profile_id", flat=True))
    )()
    assert kept == {str(first.profile_id), str(second.profile_id)}


async def test_an_account_that_is_shown_again_but_cannot_be_stored_is_not_missing(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    shop = next(iter(world.ads_accounts.values()))
    access = AccountAccess.objects.filter(account__amazon_account_id=shop.ads_account_id)
    await in_thread(access.update)(missing_since=timezone.now())
    shop.account_name = TOO_LONG
    await sync(connection)
    assert (await in_thread(access.get)()).missing_since is None


async def test_a_region_that_the_connection_has_lost_removes_no_account(
    connect: ConnectionFactory, sync: Sync
) -> None:
    connection = await in_thread(connect)("alice")
    await sync(connection)
    before = await count_active()
    await in_thread(Connection.objects.update)(regions=["FE"])
    run = await sync(connection)
    assert (run.state, run.gone) == ("succeeded", 0)
    assert await count_active() == before


async def test_an_existing_ads_account_inherits_the_labels_of_a_profile_only_account(
    connect: ConnectionFactory, sync: Sync, world: World, login: Login
) -> None:
    alone = Maker(world).profile("ES", "ALONE", "seller", login, name="Alone")
    connection = await in_thread(connect)("first")
    await sync(connection)
    await change_account("Alone", labels={"team": "north", "tier": "gold"})
    await change_account("Shop 1", labels={"team": "south"})
    shop = next(each for each in world.ads_accounts.values() if each.account_name == "Shop 1")
    shop.alternates.append(Alternate("ES", alone.profile_id))
    run = await sync(connection)
    assert run.gone == 1
    assert (await in_thread(Account.objects.get)(name="Shop 1")).labels == {"team": "south", "tier": "gold"}
    assert not await in_thread(Account.objects.filter(name="Alone").exists)()


async def test_disconnecting_an_account_that_is_not_visible_is_not_recorded_as_appearing(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    await sync(await in_thread(connect)("first"))
    await change_account("Shop 1", status="inactive", inactive_reason="not_visible")
    await change_account("Shop 1", status="inactive", inactive_reason="disconnected")
    await change_account("Shop 1", status="active", inactive_reason=None)
    kinds = await in_thread(
        lambda: list(AccountChange.objects.order_by("pk").values_list("kind", flat=True))
    )()
    assert kinds == ["vanished", "status", "status"]


async def test_a_suspension_raises_an_alert_even_if_the_connection_is_disconnected_during_the_run(
    connect: ConnectionFactory, amazon: AmazonClient, sync: Sync, sandbox: Sandbox, world: World
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    next(iter(world.ads_accounts.values())).status = "SUSPENDED"
    await sync_disturbed(
        connection, amazon, sandbox, lambda: connections.disconnect_connection(SYSTEM, connection)
    )
    kinds = await in_thread(lambda: list(Alert.objects.values_list("kind", flat=True)))()
    assert "account_suspended" in kinds


async def sync_disturbed(
    connection: Connection, amazon: AmazonClient, sandbox: Sandbox, disturbance: Callable[[], Any]
) -> SyncRun:
    """Sync, and disturb the run when its ads accounts are merged and its manager accounts not yet read."""
    merged = SyncRun.objects.filter(Q(changed__gt=0) | Q(unchanged__gt=0), state="running")

    async def happen(_call: object) -> None:
        await poll_until(in_thread(merged.exists))
        await in_thread(disturbance)()

    sandbox.faults.add("run", path="/managerAccounts", region="NA", function=happen)
    requested = await in_thread(request_sync)(SYSTEM, connection, trigger=SyncRun.Trigger.MANUAL)
    return await sync_connection(requested.pk, amazon, heartbeat_seconds=0.05)


async def test_a_run_whose_staged_rows_were_lost_in_a_crash_starts_again(
    connect: ConnectionFactory,
    amazon: AmazonClient,
    sync: Sync,
    sandbox: Sandbox,
    world: World,
    agency: WorldProfile,
) -> None:
    connection = await in_thread(connect)("first")
    await sync(connection)
    before = await in_thread(lambda: list(Profile.objects.order_by("pk").values()))()
    run = await sync_disturbed(connection, amazon, sandbox, empty_staging)
    assert (run.state, run.error) == ("waiting", "The database crashed and lost what had been read.")
    assert await in_thread(lambda: list(Profile.objects.order_by("pk").values()))() == before
    assert await count_active() == 10
    sandbox.faults.clear()
    assert (await sync_connection(run.pk, amazon)).state == "succeeded"
