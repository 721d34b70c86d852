"""Every change of an account is recorded, whether a sync or a person made it."""

import pytest

from accounts.models import Account, AccountChange
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tokens.models import Alert

pytestmark = pytest.mark.django_db(transaction=True)


@in_thread
def list_changes() -> list[tuple[str, str, object, object]]:
    return [
        (change.account.name, str(change.kind), change.old, change.new)
        for change in AccountChange.objects.select_related("account").order_by("id")
    ]


async def test_the_first_sync_records_no_change(connect: ConnectionFactory, sync: Sync) -> None:
    await sync(await in_thread(connect)())
    assert await list_changes() == []
    account = await in_thread(Account.objects.get)(name="Nordwind Outdoor")
    assert account.first_seen_at is not None


async def test_each_change_is_recorded_with_old_value_new_value_and_run(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    await sync(connection)
    world = sandbox.world
    by_name = {account.account_name: account for account in world.ads_accounts.values()}
    outdoor, living = by_name["Nordwind Outdoor"], by_name["Nordwind Living"]
    outdoor.account_name, outdoor.status = "Outdoor", "DISABLED"
    outdoor.country_codes.remove("DE")
    living.errors = None
    vendor = next(profile for profile in world.profiles.values() if profile.type == "vendor")
    was_valid = vendor.valid_payment_method
    vendor.valid_payment_method = not was_valid
    run = await sync(connection)
    assert run.changed == 3
    assert sorted(await list_changes(), key=str) == sorted(
        [
            ("Outdoor", "name", "Nordwind Outdoor", "Outdoor"),
            ("Outdoor", "status", "active", "inactive"),
            ("Outdoor", "countries", ["DE", "UK", "US"], ["UK", "US"]),
            (
                "Nordwind Living",
                "errors",
                {
                    "MX": [
                        {
                            "errorId": 1,
                            "errorCode": "INELIGIBLE",
                            "errorMessage": "The account could not be created in this country.",
                        }
                    ]
                },
                {},
            ),
            ("Nordwind Vendors", "payment", was_valid, not was_valid),
        ],
        key=str,
    )
    assert await in_thread(AccountChange.objects.filter(run=run).count)() == 5
    assert (await sync(connection)).changed == 0
    assert len(await list_changes()) == 5


async def test_vanishing_and_appearing_are_changes(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    await sync(connection)
    login = sandbox.world.logins["alice"]
    account = next(each for each in sandbox.world.ads_accounts.values() if each.status == "DISABLED")
    sandbox.world.let_see(login, ads_account_id=account.ads_account_id, level=None)
    # It has no profile, so a second reading must confirm that it is gone.
    await sync(connection)
    await sync(connection)
    sandbox.world.let_see(login, ads_account_id=account.ads_account_id)
    await sync(connection)
    assert await list_changes() == [
        ("Nordwind Disabled", "vanished", "inactive", "inactive"),
        ("Nordwind Disabled", "appeared", "inactive", "inactive"),
    ]


async def test_changes_by_people_are_recorded(connect: ConnectionFactory, sync: Sync) -> None:
    await sync(await in_thread(connect)())
    await in_thread(Account.objects.filter(name="Nordwind Outdoor").update)(
        status="inactive", inactive_reason="disconnected", labels={"team": "north"}
    )
    assert await list_changes() == [("Nordwind Outdoor", "status", "active", "inactive")]
    change = await in_thread(AccountChange.objects.get)()
    assert change.run_id is None


async def test_a_suspension_of_an_active_account_raises_one_alert(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    await sync(connection)
    outdoor = next(
        each for each in sandbox.world.ads_accounts.values() if each.account_name == "Nordwind Outdoor"
    )
    outdoor.status = "SUSPENDED"
    await sync(connection)
    await sync(connection)
    alert = await in_thread(Alert.objects.get)()
    assert alert.kind == Alert.Kind.ACCOUNT_SUSPENDED
    assert "Nordwind Outdoor" in alert.text
