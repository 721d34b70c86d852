"""Amazon's billing: about whom a sync asks, what is stored, and what follows for accounts."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db.models import F
from psycopg.types.json import Jsonb

from accounts.batch.start import start_batch
from accounts.models import Account, AccountChange, Profile, SyncRun
from accounts.standing.alerts import find_stage
from accounts.standing.forgetting import forget_old_standings
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world.billing import Notification
from amazon_accounts.sandbox.world.entities import Profile as WorldProfile
from tests.accounts.batch.batches import run_to_end
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tokens.models import Alert, Connection

pytestmark = pytest.mark.django_db(transaction=True)

OVERDUE = Notification("PAY_BY_INVOICE_OVERDUE_PAYMENT_CAUSED_SUSPENSION", "ALERT", "CAMPAIGNS_SUSPENDED")
ANNOUNCED = Notification(
    "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION",
    "ALERT",
    title="<b>Pay</b> your invoice",
    description="Your campaigns will stop.",
    suspension_date="2036-12-15T00:00:00Z",
)


@pytest.mark.parametrize(
    ("code", "notices", "standing"),
    [
        ("VALID_BILLING_STATUS", [], "good"),
        ("VALID_BILLING_STATUS", None, "unknown"),
        ("VALID_BILLING_STATUS", [{"severity": "WARNING", "impact": "NO_IMPACT"}], "good"),
        ("VALID_BILLING_STATUS", [{"severity": "ALERT", "impact": "NO_IMPACT"}], "at_risk"),
        ("VALID_BILLING_STATUS", [{"severity": "INFO", "suspension_at": "2036-01-01T00:00:00Z"}], "at_risk"),
        ("VALID_BILLING_STATUS", [{"severity": "INFO", "impact": "CAMPAIGNS_SUSPENDED"}], "suspended"),
        ("VALID_BILLING_STATUS", [{"severity": "CRITICAL", "impact": "ADS_PAUSED"}], "good"),
        ("ACCOUNT_BILLING_ISSUE", [], "at_risk"),
        ("INVALID_PAYMENT_REGISTRATION", [], "at_risk"),
        ("PAYMENT_METHOD_EXPIRED", None, "at_risk"),
        ("PAYMENT_METHOD_VERIFICATION_FAILED", [], "at_risk"),
        ("RESERVE_ORDER_BALANCE_TOO_LOW", [], "at_risk"),
        ("STORED_VALUE_BALANCE_TOO_LOW", [], "at_risk"),
        ("PENDING_BILLING_REGISTRATION", [], "set_up"),
        ("PENDING_PAYMENT_REGISTRATION", [], "set_up"),
        ("PENDING_TAX_REGISTRATION", [], "set_up"),
        ("PENDING_TAX_REGISTRATION", [{"severity": "ALERT"}], "at_risk"),
        ("NEW_CODE", [], "unknown"),
        ("", [], "unknown"),
        ("", None, "unknown"),
    ],
)
def test_the_standing_follows_from_code_and_notices(code: str, notices: Any, standing: str) -> None:
    with database.cursor() as cursor:
        parameters: list[Any] = [code, None if notices is None else Jsonb(notices)]
        cursor.execute("SELECT accounts_find_standing(%s, %s)", parameters)
        assert cursor.fetchone() == (standing,)


def profile_in(sandbox: Sandbox, country: str, name: str = "Nordwind Outdoor") -> WorldProfile:
    return next(
        each for each in sandbox.world.profiles.values() if (each.country_code, each.name) == (country, name)
    )


def billing_calls(sandbox: Sandbox) -> list[str]:
    return [entry.path for entry in sandbox.journal.entries() if entry.path.startswith("/billing/")]


def source(run: SyncRun, region: str) -> dict[str, Any]:
    return next(each for each in run.sources if (each["source"], each["region"]) == ("billing", region))


async def outdoor() -> Account:
    return await in_thread(Account.objects.select_related("connection").get)(name="Nordwind Outdoor")


def run_batch_of(owner: User, operation: str) -> None:
    User.objects.update(is_superuser=True)
    owner.refresh_from_db()
    account = Account.objects.get(name="Nordwind Outdoor")
    run_to_end(start_batch(owner, operation, account_ids=[account.pk]))


async def changes() -> list[tuple[Any, ...]]:
    rows = AccountChange.objects.order_by("pk").values_list("account__name", "kind", "old", "new")
    return await in_thread(lambda: list(rows))()


async def test_an_account_is_suspended_where_amazon_stopped_its_campaigns(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    await sync(connection)
    british = profile_in(sandbox, "UK")
    sandbox.world.set_billing(british, "PAYMENT_METHOD_EXPIRED", OVERDUE, message="Expired.")
    await age_answers(timedelta(days=1))
    await sync(connection)
    account = await outdoor()
    assert (account.status, account.standing, account.suspended_in) == ("suspended", "suspended", ["UK"])
    assert account.health == "problem"
    profile = await in_thread(account.profiles.get)(country_code="UK")
    assert (profile.billing_status, profile.billing_message) == ("PAYMENT_METHOD_EXPIRED", "Expired.")
    assert profile.billing_connection_id == connection.pk
    assert sorted(await changes()) == [
        ("Nordwind Outdoor", "standing", "good", "suspended"),
        ("Nordwind Outdoor", "status", "active", "suspended"),
    ]
    assert await alert_kinds() == ["account_suspended"]
    alert = await in_thread(Alert.objects.get)()
    assert alert.text.startswith("Amazon has stopped the campaigns of the account “Nordwind Outdoor” (")
    assert alert.text.endswith(") in UK.")

    # The list of ads accounts still calls it CREATED, and changes nothing.
    run = await sync(connection)
    assert (run.changed, len(await changes())) == (0, 2)

    sandbox.world.set_billing(british)
    await sync(connection)
    account = await outdoor()
    assert (account.status, account.standing, account.suspended_in) == ("active", "good", [])
    assert len(await changes()) == 4
    assert await alert_kinds() == ["account_suspended", "account_restored"]


async def alert_kinds() -> list[str]:
    return await in_thread(
        lambda: [str(kind) for kind in Alert.objects.order_by("pk").values_list("kind", flat=True)]
    )()


async def age_answers(age: timedelta) -> None:
    await in_thread(Profile.objects.update)(
        billing_asked_at=F("billing_asked_at") - age, notices_asked_at=F("notices_asked_at") - age
    )


async def test_an_announced_suspension_puts_an_account_at_risk(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.world.set_billing(profile_in(sandbox, "US"), "VALID_BILLING_STATUS", ANNOUNCED)
    await sync(connection)
    account = await outdoor()
    moment = datetime(2036, 12, 15, tzinfo=UTC)
    assert (account.status, account.standing, account.suspension_at) == ("active", "at_risk", moment)
    assert account.health == "attention"
    profile = await in_thread(account.profiles.get)(country_code="US")
    assert profile.notices == [
        {
            "name": "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION",
            "severity": "ALERT",
            "impact": "NO_IMPACT",
            "title": "Pay your invoice",
            "description": "Your campaigns will stop.",
            "due_at": None,
            "suspension_at": "2036-12-15T00:00:00+00:00",
        }
    ]


async def test_an_account_whose_billing_is_not_set_up_is_pending(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.world.set_billing(profile_in(sandbox, "DE"), "PENDING_TAX_REGISTRATION")
    await sync(connection)
    account = await outdoor()
    assert (account.status, account.standing) == ("pending", "set_up")
    sandbox.world.set_billing(profile_in(sandbox, "DE"))
    await sync(connection)
    account = await outdoor()
    assert (account.status, account.standing) == ("active", "good")


async def test_a_second_sync_asks_only_about_what_was_not_good_and_changes_no_account(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.world.set_billing(profile_in(sandbox, "US"), "ACCOUNT_BILLING_ISSUE")
    await sync(connection)
    before = await in_thread(lambda: dict(Profile.objects.values_list("profile_id", "billing_asked_at")))()
    updated = await in_thread(lambda: list(Account.objects.order_by("pk").values_list("updated_at")))()
    recorded = await changes()
    sandbox.journal.clear()
    run = await sync(connection)
    assert billing_calls(sandbox) == ["/billing/statuses", "/billing/notifications"]
    assert (source(run, "NA")["seen"], source(run, "EU")["seen"]) == (1, 0)
    assert (
        updated == await in_thread(lambda: list(Account.objects.order_by("pk").values_list("updated_at")))()
    )
    assert await changes() == recorded
    after = await in_thread(lambda: dict(Profile.objects.values_list("profile_id", "billing_asked_at")))()
    american = str(profile_in(sandbox, "US").profile_id)
    assert {key for key in before if before[key] != after[key]} == {american}


async def test_a_good_answer_is_asked_again_after_the_interval(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, settings: Any
) -> None:
    connection = await in_thread(connect)()
    await sync(connection)
    await age_answers(timedelta(seconds=settings.BILLING_INTERVAL_SECONDS + 1))
    sandbox.journal.clear()
    await sync(connection)
    assert len(billing_calls(sandbox)) == 4, "two calls for each region that tells"


async def test_who_may_not_know_waits_for_the_interval(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, settings: Any
) -> None:
    connection = await in_thread(connect)()
    run = await sync(connection)
    assert source(run, "FE")["errors"] == [
        {"kind": "not_told", "message": "Amazon does not tell this login about 1 advertiser."}
    ]
    vendors = await in_thread(Account.objects.select_related("connection").get)(name="Nordwind Vendors")
    assert (vendors.status, vendors.standing, vendors.health) == ("active", "unknown", "ok")
    sandbox.journal.clear()
    await sync(connection)
    assert billing_calls(sandbox) == []
    settings.BILLING_INTERVAL_SECONDS = 0
    await sync(connection)
    assert "/billing/statuses" in billing_calls(sandbox)


async def test_the_login_that_may_know_answers_for_the_one_that_may_not(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    japanese = profile_in(sandbox, "JP", "Nordwind Vendors")
    bob = sandbox.world.logins["bob"]
    account = next(
        each for each in sandbox.world.ads_accounts.values() if each.account_name == "Nordwind Vendors"
    )
    sandbox.world.let_see(bob, ads_account_id=account.ads_account_id)
    sandbox.world.let_see(bob, profile_id=japanese.profile_id, level="edit")
    first, second = await in_thread(connect)(), await in_thread(connect)("bob")
    await sync(first)
    await sync(second)
    await sync(first)
    profile = await in_thread(Profile.objects.get)(profile_id=str(japanese.profile_id))
    assert (profile.standing, profile.billing_connection_id) == ("good", second.pk)


@pytest.mark.parametrize(
    ("fault", "outcome", "state"),
    [("error_500", "failed", "partial"), ("forbidden", "forbidden", "succeeded")],
)
async def test_billing_that_fails_changes_nothing_else(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, fault: str, outcome: str, state: str
) -> None:
    connection = await in_thread(connect)()
    sandbox.world.set_billing(profile_in(sandbox, "US"), "ACCOUNT_BILLING_ISSUE", OVERDUE)
    await sync(connection)
    rows = await in_thread(lambda: list(Account.objects.order_by("pk").values()))()
    profiles = await in_thread(lambda: list(Profile.objects.order_by("pk").values()))()
    before = await in_thread(Connection.objects.get)()
    sandbox.faults.add(fault, path="/billing/*")
    run = await sync(connection)
    assert (run.state, source(run, "NA")["outcome"]) == (state, outcome)
    assert rows == await in_thread(lambda: list(Account.objects.order_by("pk").values()))()
    assert profiles == await in_thread(lambda: list(Profile.objects.order_by("pk").values()))()
    after = await in_thread(Connection.objects.get)()
    assert (after.sync_failures, after.sync_error, after.unread_lists) == (0, "", [])
    assert after.last_synced_at != before.last_synced_at
    assert (await outdoor()).sync_status == "synced"


async def test_an_error_of_one_pair_leaves_the_others_alone(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    american = profile_in(sandbox, "US")
    sandbox.faults.add("item_error", path="/billing/*", item=american.pair[0], code="INTERNAL_ERROR")
    run = await sync(connection)
    assert run.state == "succeeded"
    assert source(run, "NA")["rejected"] >= 1
    assert "INTERNAL_ERROR" in source(run, "NA")["rejected_items"][0]["reason"]
    profile = await in_thread(Profile.objects.get)(profile_id=str(american.profile_id))
    assert (profile.standing, profile.billing_refusals) == ("unknown", {})
    living = await in_thread(Account.objects.get)(name="Nordwind Living")
    assert living.standing == "good"


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("item_index", {"index": 99}),
        ("item_index", {"index": -1}),
        ("item_index", {"index": "first"}),
        ("item_of_other_pair", {}),
        ("duplicate_record", {}),
        ("missing_ids", {}),
        ("unknown_values", {}),
        ("truncated", {}),
        ("drop_body", {}),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "-".join(map(str, value.values())),
)
async def test_a_standing_that_was_good_stays_where_an_answer_makes_no_sense(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, fault: str, options: dict[str, Any]
) -> None:
    connection = await in_thread(connect)()
    await sync(connection)
    await age_answers(timedelta(days=1))
    american = profile_in(sandbox, "US")
    sandbox.faults.add(fault, path="/billing/*", **{"item": american.pair[0], **options})
    before = await changes()
    run = await sync(connection)
    assert run.state in {"succeeded", "partial"}
    if fault != "unknown_values":
        assert await changes() == before
    assert not await in_thread(
        Account.objects.filter(standing__in=["suspended", "at_risk", "set_up"]).exists
    )()


async def test_amazon_that_asks_to_wait_ends_billing_and_not_the_run(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("throttle", path="/billing/*", retry_after=3600)
    run = await sync(connection)
    assert (run.state, run.postponed, source(run, "NA")["outcome"]) == ("partial", 0, "failed")
    assert (await outdoor()).sync_status == "synced"


async def test_a_disconnected_account_has_no_standing_until_a_sync_after_its_return(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, owner: User
) -> None:
    connection = await in_thread(connect)()
    sandbox.world.set_billing(profile_in(sandbox, "US"), "ACCOUNT_BILLING_ISSUE", OVERDUE)
    await sync(connection)
    await in_thread(run_batch_of)(owner, "disconnect")
    account = await outdoor()
    assert (account.status, account.standing, account.suspended_in) == ("inactive", "unknown", [])
    await sync(connection)
    assert (await outdoor()).standing == "unknown"
    await in_thread(run_batch_of)(owner, "reconnect")
    await sync(connection)
    account = await outdoor()
    assert (account.status, account.standing, account.suspended_in) == ("suspended", "suspended", ["US"])


async def test_an_answer_that_nobody_renews_says_nothing_after_a_week(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.world.set_billing(profile_in(sandbox, "US"), "ACCOUNT_BILLING_ISSUE", OVERDUE)
    await sync(connection)
    await age_answers(timedelta(days=6, hours=23))
    assert await in_thread(forget_old_standings)() == 0
    await age_answers(timedelta(hours=2))
    assert await in_thread(forget_old_standings)() > 0
    account = await outdoor()
    assert (account.status, account.standing, account.suspended_in) == ("active", "unknown", [])
    profile = await in_thread(account.profiles.get)(country_code="US")
    assert profile.billing_status == "ACCOUNT_BILLING_ISSUE", "the answer stays, with its date"


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        (300, "first"),
        (7.1, "first"),
        (7, "7 days"),
        (3.1, "7 days"),
        (3, "3 days"),
        (1, "1 days"),
        (0.1, "1 days"),
    ],
)
def test_a_coming_suspension_is_told_when_first_seen_and_seven_three_and_one_day_before(
    days: float, stage: str
) -> None:
    assert find_stage(timedelta(days=days)) == stage


async def test_an_announced_suspension_is_told_once_for_each_date(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    for day in ("2036-12-15", "2036-12-15", "2037-01-01", "2001-01-01"):
        notice = Notification("ANY_NAME", "WARNING", suspension_date=f"{day}T00:00:00Z")
        sandbox.world.set_billing(profile_in(sandbox, "US"), "VALID_BILLING_STATUS", notice)
        await sync(connection)
    texts = await in_thread(lambda: [alert.text for alert in Alert.objects.order_by("pk")])()
    assert [re.findall(r"on (\S+)\.$", text) for text in texts] == [["2036-12-15"], ["2037-01-01"]]


async def test_a_payment_method_that_ends_is_told_once(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    card = Notification("CREDIT_CARD_EXPIRES_SOON", "WARNING", title="Your card ends")
    sandbox.world.set_billing(profile_in(sandbox, "US"), "VALID_BILLING_STATUS", card)
    await sync(connection)
    await sync(connection)
    assert await alert_kinds() == ["payment_method_ending"]
    assert (await outdoor()).standing == "good", "a warning puts nothing at risk"


async def test_an_answer_that_fails_lifts_no_suspension(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.world.set_billing(profile_in(sandbox, "US"), "VALID_BILLING_STATUS", OVERDUE)
    await sync(connection)
    await in_thread(Alert.objects.all().delete)()
    await in_thread(Profile.objects.update)(
        billing_asked_at=datetime(2020, 1, 1, tzinfo=UTC), notices_asked_at=datetime(2020, 1, 1, tzinfo=UTC)
    )
    sandbox.faults.add("error_500", path="/billing/*")
    await in_thread(forget_old_standings)()
    await sync(connection)
    assert (await outdoor()).standing == "unknown"
    assert await alert_kinds() == []


HOSTILE = [
    Notification(
        "A\0B\ud800", "\x1b[2J", "PAUSED\0", title="<script>\0\u202e" + "x" * 10_000, description="\ud800"
    ),
    Notification("FAR", "INFO", suspension_date="9999-12-31T23:59:59+14:00"),
    Notification("PAST", "INFO", suspension_date="0001-01-01"),
    *(Notification(f"NAME_{number}", "INFO", title=f"Notice {number}") for number in range(500)),
]


async def test_hostile_words_of_amazons_billing_are_stored_as_text(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    american = profile_in(sandbox, "US")
    sandbox.world.set_billing(american, "NEW\0_CODE", *HOSTILE, message="<b>\0" + "y" * 10_000)
    run = await sync(connection)
    assert (run.state, source(run, "NA")["rejected"]) == ("succeeded", 0)
    profile = await in_thread(Profile.objects.get)(profile_id=str(american.profile_id))
    assert profile.standing == "at_risk", "a suspension is announced"
    assert profile.notices is not None
    assert {"FAR", "PAST"} < {notice["name"] for notice in profile.notices}
    assert "\0" not in str(profile.notices) + profile.billing_status + profile.billing_message
    assert len(profile.billing_message) < 1_000
    before = await changes()
    assert (await sync(connection)).state == "succeeded"
    assert await changes() == before


async def test_an_account_whose_sync_is_off_is_not_asked_about(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    await sync(connection)
    await in_thread(Account.objects.filter(name="Nordwind Outdoor").update)(sync_enabled=False)
    sandbox.world.set_billing(profile_in(sandbox, "US"), "ACCOUNT_BILLING_ISSUE", OVERDUE)
    await age_answers(timedelta(days=1))
    await sync(connection)
    assert (await outdoor()).standing == "good"


async def test_a_run_names_the_failure_of_billing_and_once_how_many_it_is_not_told(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    for profile_id in sandbox.world.logins["alice"].profiles:
        sandbox.world.let_see(sandbox.world.logins["alice"], profile_id=profile_id, level="view")
    sandbox.world.let_see(
        sandbox.world.logins["alice"], profile_id=profile_in(sandbox, "US").profile_id, level="edit"
    )
    sandbox.faults.add("error_500", path="/billing/notifications")
    run = await sync(connection)
    assert [error["kind"] for error in source(run, "NA")["errors"]] == ["not_told", "transient"]
    assert run.error.startswith("billing NA: ")
    assert "not tell" not in run.error
