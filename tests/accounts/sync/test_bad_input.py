"""Unusual items from Amazon are stored or rejected by name; they fail no run and remove no account."""

import random
import string
from typing import Any

import pytest

from accounts.models import Account, AccountAccess, Profile
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import AdsAccount, Maker, World, generated_world
from tests.accounts.sync.conftest import ConnectionFactory, Sync

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = [
    "<script>alert(1)</script>",
    "'; DROP TABLE user_accounts; --",
    "{{ 7 * 7 }}",
    "\u202etxet\u202c",
    "\\x00\\",
    '{"a": "b"}',
    "tab\tand\nnewline",
    "🦄" * 60,
    "x" * 255,
    " ",
]


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    sandbox.reset(generated_world(accounts_per_login=3))
    return sandbox.world


def pick_first(world: World) -> AdsAccount:
    return next(iter(world.ads_accounts.values()))


@in_thread
def find_account(key: str) -> Account:
    return Account.objects.get(amazon_account_id=key)


async def test_hostile_names_are_stored_unchanged(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    maker = Maker(world)
    made = {
        maker.account(name, "seller", ["US"], world.logins["login-1"]).ads_account_id: name
        for name in HOSTILE
    }
    run = await sync(await in_thread(connect)("login-1"))
    assert (run.state, run.rejected) == ("succeeded", 0)
    for key, name in made.items():
        assert (await find_account(key)).name == name


async def test_characters_that_postgresql_cannot_store_are_replaced(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    pick_first(world).account_name = "a\x00b\ud83dc"
    await sync(await in_thread(connect)("login-1"))
    assert (await find_account(pick_first(world).ads_account_id)).name == "a\ufffdb\ufffdc"


async def test_unknown_values_are_stored(
    connect: ConnectionFactory, sync: Sync, world: World, sandbox: Sandbox
) -> None:
    sandbox.faults.add("unknown_values", area="api")
    run = await sync(await in_thread(connect)("login-1"))
    assert (run.state, run.rejected) == ("succeeded", 0)
    account = await find_account(pick_first(world).ads_account_id)
    assert (account.status, account.amazon_status, account.account_type) == (
        "suspended",
        "SUSPENDED",
        "unknown",
    )
    assert "XX" in account.countries
    profile = await in_thread(Profile.objects.get)(account=account)
    assert (profile.country_code, profile.currency_code, profile.type) == ("XX", "XXX", "new_type")


async def test_errors_of_any_form_are_stored(
    connect: ConnectionFactory, sync: Sync, world: World, sandbox: Sandbox
) -> None:
    sandbox.faults.add("odd_errors", area="api")
    run = await sync(await in_thread(connect)("login-1"))
    assert (run.state, run.rejected) == ("succeeded", 0)
    errors = await in_thread(
        lambda: list(Account.objects.order_by("name").values_list("errors", flat=True))
    )()
    assert sorted(map(str, errors)) == sorted(map(str, [{"": "failed"}, {"": ["failed"]}, {"DE": "failed"}]))


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64 - 1])
async def test_large_ids_are_stored_as_text(
    connect: ConnectionFactory, sync: Sync, world: World, number: int
) -> None:
    profile = next(iter(world.profiles.values()))
    pick_first(world).alternates[0].profile_id = number
    world.profiles[number] = profile
    profile.profile_id = number
    world.logins["login-1"].profiles = {number: "edit"}
    run = await sync(await in_thread(connect)("login-1"))
    assert run.state == "succeeded"
    assert await in_thread(Profile.objects.filter(profile_id=str(number), type="seller").count)() == 1


async def test_ids_may_change_between_numbers_and_texts(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("alice")
    await sync(connection)
    sandbox.faults.add("ids_as_strings", area="api")
    run = await sync(connection)
    assert (run.state, run.created, run.gone) == ("succeeded", 0, 0)


async def test_an_account_with_a_name_that_is_too_long_is_rejected_and_keeps_its_row(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    connection = await in_thread(connect)("login-1")
    await sync(connection)
    long = pick_first(world)
    long.account_name = "ñ" * 1500
    run = await sync(connection)
    assert (run.state, run.rejected, run.gone) == ("succeeded", 1, 0)
    assert run.sources[0]["rejected_items"] == [
        {"identifier": long.ads_account_id, "reason": "Its name is longer than 2,000 bytes."}
    ]
    account = await find_account(long.ads_account_id)
    assert (account.status, account.name) == ("active", "Account 1-1")


async def test_an_item_without_an_id_removes_no_account(
    connect: ConnectionFactory, sync: Sync, world: World, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("login-1")
    await sync(connection)
    sandbox.faults.add("missing_ids", path="/adsAccounts/list")
    run = await sync(connection)
    assert (run.state, run.rejected, run.gone) == ("succeeded", 1, 0)
    assert await in_thread(Account.objects.filter(status="active").count)() == 3


async def test_metadata_that_is_too_long_is_omitted_and_reported(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    account = pick_first(world)
    account.extra = {"blob": {"text": "x" * 2_000_000}}
    run = await sync(await in_thread(connect)("login-1"))
    assert run.state == "succeeded"
    message = run.sources[0]["errors"][0]["message"]
    assert account.ads_account_id in message
    assert "was left out" in message
    found = await find_account(account.ads_account_id)
    assert "blob" not in found.metadata
    assert found.name == "Account 1-1"


async def test_errors_that_are_too_long_are_omitted_and_reported(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    account = pick_first(world)
    account.extra = {"errors": {"US": "x" * 2_000_000}}
    run = await sync(await in_thread(connect)("login-1"))
    assert run.state == "succeeded"
    messages = [error["message"] for error in run.sources[0]["errors"]]
    assert any("record of errors" in message and account.ads_account_id in message for message in messages)
    assert (await find_account(account.ads_account_id)).errors == {}


async def test_a_list_of_five_thousand_profiles_counts_as_cut(
    connect: ConnectionFactory, sync: Sync, world: World, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("login-1")
    await sync(connection)
    one = {
        "countryCode": "US",
        "currencyCode": "USD",
        "timezone": "America/Los_Angeles",
        "accountInfo": {"marketplaceStringId": "ATVPDKIKX0DER", "id": "MANY", "type": "seller"},
    }
    profiles: list[dict[str, Any]] = [{"profileId": 10**15 + number, **one} for number in range(5000)]
    sandbox.faults.add("answer", path="/v2/profiles", region="NA", json=profiles)
    run = await sync(connection)
    outcomes = {(each["source"], each["region"]): each["outcome"] for each in run.sources}
    assert outcomes[("profiles", "NA")] == outcomes[("profiles_edit", "NA")] == "cut"
    assert (run.state, run.gone, run.created) == ("succeeded", 0, 1)
    many = await find_account("MANY")
    assert await in_thread(many.profiles.count)() == 5000
    # A profile that is not shown may be in the part that was cut off.
    assert await in_thread(Profile.objects.filter(region="NA", type="").count)() == 0


async def test_a_list_of_fifty_links_counts_as_cut(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    sandbox.reset(generated_world(accounts_per_login=53, regions=("NA",)))
    world = sandbox.world
    maker = Maker(world)
    links = [maker.link(profile, "linked") for profile in world.profiles.values()]
    manager = maker.manager("Group", links[:49], world.logins["login-1"])
    connection = await in_thread(connect)("login-1")
    await sync(connection)
    account = await find_account(manager.manager_account_id)
    assert await in_thread(account.links.count)() == 49
    manager.links = links[2:]
    await sync(connection)
    # Fifty links are shown. Amazon may have left out the first two.
    assert await in_thread(account.links.count)() == 49 + 3
    manager.links = links[2:40]
    await sync(connection)
    assert await in_thread(account.links.count)() == 38


async def test_a_row_that_the_database_refuses_is_rejected_and_other_rows_are_stored(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    bad = pick_first(world)
    # Too large for an index row of PostgreSQL, even when it is compressed.
    bad.country_codes = ["".join(random.Random(1).choices(string.printable, k=9000))]
    run = await sync(await in_thread(connect)("login-1"))
    assert run.state == "succeeded"
    assert run.rejected == 1
    assert run.sources[0]["rejected_items"][0]["identifier"] == bad.ads_account_id
    assert "The database refused it: index row" in run.sources[0]["rejected_items"][0]["reason"]
    assert await in_thread(Account.objects.filter(source="ads_accounts").count)() == 2
    assert await in_thread(AccountAccess.objects.count)() == await in_thread(Account.objects.count)()


async def test_an_account_that_cannot_be_stored_any_more_is_not_gone(
    connect: ConnectionFactory, sync: Sync, world: World
) -> None:
    connection = await in_thread(connect)("login-1")
    await sync(connection)
    pick_first(world).country_codes = ["".join(random.Random(1).choices(string.printable, k=9000))]
    run = await sync(connection)
    assert (run.state, run.rejected, run.gone) == ("succeeded", 1, 0)
    assert await in_thread(Account.objects.filter(status="active").count)() == 3
