"""Pages of a list, with every fault of a page: all accounts are stored, or the error is named."""

from typing import Any

import pytest

from accounts.models import Account
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import generated_world
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.expected_rows import find_differences
from tokens.models import Connection

# Other tests cover the same code, and measuring makes the many syncs twice as slow.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.no_cover]


@pytest.fixture
def big(sandbox: Sandbox) -> Sandbox:
    # The list of the login has five pages.
    sandbox.reset(generated_world(accounts_per_login=420))
    return sandbox


@in_thread
def compare(sandbox: Sandbox, connection: Connection) -> list[str]:
    return find_differences(sandbox.truth("login-1"), connection)


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("duplicate_record", {"every": 2}),
        ("empty_page", {"nth": 3}),
        ("stale_page_token", {"nth": 4}),
        ("end_token", {"nth": 4}),
        ("throttle", {"nth": 4, "seconds": 0.01}),
        ("error_500", {"nth": [2, 3]}),
        ("truncated", {"nth": 5}),
        ("drop", {"nth": 1}),
        ("ids_as_strings", {}),
        ("extra_fields", {}),
    ],
)
async def test_all_accounts_are_stored_despite_faults_of_pages(
    connect: ConnectionFactory, sync: Sync, big: Sandbox, fault: str, options: dict[str, Any]
) -> None:
    connection = await in_thread(connect)("login-1")
    big.faults.add(fault, path="/adsAccounts/list", **options)
    run = await sync(connection)
    assert (run.state, run.created, run.seen) == ("succeeded", 420, 420)
    assert await compare(big, connection) == []


@pytest.mark.parametrize(
    "switch",
    [
        {"end_of_list": "empty"},
        {"end_of_list": "null"},
        {"alternate_ids": "separate"},
        {"alternate_ids": "merged"},
        {"profile_id": "string"},
        {"no_profile": "empty"},
        {"no_dsp_advertiser": "null"},
    ],
)
async def test_every_form_of_an_answer_is_understood(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, switch: dict[str, Any]
) -> None:
    connection = await in_thread(connect)("alice")
    first = await sync(connection)
    sandbox.faults.add("switch", **switch)
    run = await sync(connection)
    assert (run.state, run.gone, run.created) == ("succeeded", 0, 0)
    assert await in_thread(Account.objects.filter(inactive_reason="not_visible").count)() == 0
    assert run.seen == first.seen


async def test_gb_and_uk_are_one_country(connect: ConnectionFactory, sync: Sync, sandbox: Sandbox) -> None:
    sandbox.faults.add("switch", united_kingdom="GB")
    connection = await in_thread(connect)("alice")
    await sync(connection)
    account = await in_thread(Account.objects.get)(name="Nordwind Outdoor")
    assert account.countries == ["DE", "UK", "US"]
    assert "GB" in account.metadata["countryCodes"]


async def test_the_list_may_come_as_an_array_of_wrappers(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    sandbox.faults.add("switch", list_shape="array")
    connection = await in_thread(connect)("alice")
    assert (await sync(connection)).seen == 11


async def test_pages_that_never_end_are_a_named_error(
    connect: ConnectionFactory, sync: Sync, big: Sandbox
) -> None:
    connection = await in_thread(connect)("login-1")
    await sync(connection)
    big.faults.add("repeating_token", path="/adsAccounts/list", nth=[3, 4])
    run = await sync(connection)
    listing = run.sources[0]
    assert (run.state, listing["outcome"], run.gone) == ("partial", "failed", 0)
    assert listing["errors"][-1]["message"] == "The pages of Amazon's list never end."


async def test_a_token_that_is_stale_twice_is_a_named_error(
    connect: ConnectionFactory, sync: Sync, big: Sandbox
) -> None:
    connection = await in_thread(connect)("login-1")
    big.faults.add("stale_page_token", path="/adsAccounts/list", nth=[3, 6])
    run = await sync(connection)
    assert run.sources[0]["outcome"] == "failed"
    assert "Amazon refused the page that it had named itself" in run.error


async def test_an_expired_token_goes_on_with_the_same_page(
    connect: ConnectionFactory, sync: Sync, big: Sandbox
) -> None:
    connection = await in_thread(connect)("login-1")
    big.faults.add("end_token", path="/adsAccounts/list", nth=4)
    run = await sync(connection)
    listing = run.sources[0]
    assert (listing["pages"], listing["requests"]) == (5, 6)
