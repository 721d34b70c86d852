"""A login to which Amazon refuses the list of ads accounts."""

import pytest
from django.contrib.auth.models import User

from accounts.health import check_health
from accounts.models import Account, SyncRun
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.shared_accounts import find_account, list_statuses

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/adsAccounts/list"


def count_calls(sandbox: Sandbox, path: str) -> int:
    return sandbox.journal.count(path=path)


async def test_a_refusal_that_happens_once_is_asked_again_with_a_fresh_token(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    sandbox.faults.add("forbidden", path=LIST, count=1)
    run = await sync(connection)
    assert (run.state, run.error, run.created) == ("succeeded", "", 2)
    asked = sandbox.journal.entries(path=LIST)
    assert [entry.status for entry in asked] == [403, 200]
    assert asked[0].token_fingerprint != asked[1].token_fingerprint


async def test_a_refusal_that_lasts_is_a_failing_sync_until_it_ends(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, owner: User
) -> None:
    connection = await in_thread(connect)("bob")
    await sync(connection)
    await in_thread(connection.refresh_from_db)()
    synced_at = connection.last_synced_at
    sandbox.world.logins["bob"].barred = True
    run = await sync(connection)
    assert (run.state, run.sources[0]["outcome"], run.gone) == (SyncRun.State.PARTIAL, "forbidden", 0)
    assert run.error.startswith("ads accounts: ")
    assert "does not have sufficient access" in run.error
    await in_thread(connection.refresh_from_db)()
    assert (connection.last_synced_at, connection.sync_error) == (synced_at, run.error)
    account = await find_account("Bob's Bikes")
    assert (account.status, account.sync_status, account.health) == ("active", "failing", "problem")
    health = await in_thread(check_health)(owner)
    assert "The last sync of 1 login failed." in [reason["text"] for reason in health["reasons"]]

    sandbox.world.logins["bob"].barred = False
    assert (await sync(connection)).state == "succeeded"
    account = await find_account("Bob's Bikes")
    assert account.sync_status == Account.SyncStatus.SYNCED
    assert account.last_synced_at != synced_at
    assert set((await list_statuses()).values()) == {"active"}


async def test_the_list_is_asked_for_twice_and_not_more(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    sandbox.faults.add("forbidden", path=LIST)
    await sync(connection)
    assert count_calls(sandbox, LIST) == 2
