"""A thousand accounts, some of which Amazon has stopped, will stop, or does not tell about."""

from collections import Counter
from math import ceil

import pytest

from accounts.lists.filters import filter_accounts
from accounts.models import Account, AccountChange
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world.billing import Notification
from amazon_accounts.sandbox.world.entities import AdsAccount
from amazon_accounts.sandbox.world.generate import Maker
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tokens.permissions import SYSTEM

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ACCOUNTS = 1000
COUNTRIES = {"US": "NA", "DE": "EU", "JP": "FE"}
STOPPED = Notification("BAD_DEBT_SUSPENSION", "ALERT", "CAMPAIGNS_SUSPENDED")
ANNOUNCED = Notification("ANY_NAME", "WARNING", suspension_date="2036-12-15T00:00:00Z")


@in_thread
def names(**filters: str) -> set[str]:
    return set(filter_accounts(SYSTEM, filters).values_list("name", flat=True))


@in_thread
def rows() -> list[tuple[object, ...]]:
    return [
        *Account.objects.order_by("pk").values_list(),
        *AccountChange.objects.order_by("pk").values_list(),
    ]


async def test_the_filters_equal_the_truth_and_only_what_was_not_good_is_asked_again(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    world = sandbox.world
    login = world.add_login("agency")
    maker = Maker(world)
    made = [
        maker.account(f"Account {number}", "seller", [list(COUNTRIES)[number % 3]], login)
        for number in range(ACCOUNTS)
    ]
    stopped, troubled, announced, untold = made[:20], made[20:40], made[40:50], made[50:75]
    for account in stopped:
        set_billing(sandbox, account, "VALID_BILLING_STATUS", STOPPED)
    for account in troubled:
        set_billing(sandbox, account, "PAYMENT_METHOD_EXPIRED")
    for account in announced:
        set_billing(sandbox, account, "VALID_BILLING_STATUS", ANNOUNCED)
    for account in untold:
        world.let_see(login, profile_id=profile_of(account), level="view")

    connection = await in_thread(connect)("agency")
    run = await sync(connection)
    assert run.state == "succeeded"
    assert await names(status="suspended") == {account.account_name for account in stopped}
    assert await names(standing="suspended") == {account.account_name for account in stopped}
    assert await names(standing="at_risk") == {account.account_name for account in troubled + announced}
    assert await names(standing="unknown") == {account.account_name for account in untold}
    assert len(await names(standing="good")) == ACCOUNTS - 75
    calls = count_calls(sandbox)
    for region in COUNTRIES.values():
        # One account in three is in each region.
        assert 0 < calls[region] <= 2 * ceil(ceil(ACCOUNTS / 3) / 30)

    before = await rows()
    sandbox.journal.clear()
    run = await sync(connection)
    assert sum(source["seen"] for source in run.sources if source["source"] == "billing") == 50
    assert count_calls(sandbox) == dict.fromkeys(COUNTRIES.values(), 2)
    assert await rows() == before


def profile_of(account: AdsAccount) -> int:
    profile_id = account.alternates[0].profile_id
    assert profile_id is not None
    return profile_id


def set_billing(sandbox: Sandbox, account: AdsAccount, code: str, *notices: Notification) -> None:
    sandbox.world.set_billing(sandbox.world.profiles[profile_of(account)], code, *notices)


def count_calls(sandbox: Sandbox) -> Counter[str]:
    asked = (entry for entry in sandbox.journal.entries() if entry.path.startswith("/billing/"))
    return Counter(str(entry.region) for entry in asked)
