"""The page of one account: what is wrong with it, what can be done, and who changed what."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from accounts.batch import start_batch
from accounts.batch.work import run_chunk
from accounts.models import Account, AccountChange, Profile, SyncRun
from amazon_accounts.amazon_ads.answers.billing import FIRST_MOMENT, LAST_MOMENT
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze, staff
from tests.teams import team_of
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Connection
from tokens.permissions import SYSTEM


@pytest.fixture
def client(alice: User, log_in: LogIn) -> Client:
    return log_in(alice)


@pytest.fixture
def connection(alice: User, make_connection: MakeConnection) -> Connection:
    return make_connection(alice)


@pytest.fixture
def account(connection: Connection, make_account: MakeAccount) -> Account:
    return make_account(connection, "Garden")


def shown(client: Client, account: Account) -> str:
    return squeeze(client.get(f"/accounts/{account.pk}/").content.decode())


TAX = {"DE": [{"errorCode": "TAX", "errorMessage": "A valid VAT number is missing."}]}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"status": "suspended"}, "Amazon does not say why; the advertiser has to ask Amazon."),
        ({"status": "suspended", "errors": TAX}, "settle with Amazon the errors listed below"),
        (
            {"status": "pending", "amazon_status": "PENDING"},
            "has not finished the registration of this account in DE, FR, IT. Amazon asks for nothing",
        ),
        (
            {"status": "pending", "amazon_status": "PARTIALLY_CREATED", "errors": TAX},
            "in DE, FR, IT. The advertiser has to settle",
        ),
        (
            {"status": "inactive", "inactive_reason": "registration_failed", "amazon_status": "DISABLED"},
            "The registration of this account failed: Amazon calls it DISABLED.",
        ),
        (
            {"status": "unknown", "amazon_status": "FROZEN"},
            "Amazon calls it “FROZEN”, which this console does not know.",
        ),
    ],
)
def test_it_says_why_nobody_can_advertise_and_what_comes_next(
    client: Client, connection: Connection, make_account: MakeAccount, fields: dict[str, Any], why: str
) -> None:
    account = make_account(connection, "Garden", countries=["DE", "FR", "IT"], **fields)
    assert why in shown(client, account)


def test_a_pending_account_tells_the_countries_that_are_ready(
    client: Client, connection: Connection, make_account: MakeAccount, make_profile: Callable[..., Profile]
) -> None:
    account = make_account(
        connection, countries=["DE", "FR", "IT"], status="pending", amazon_status="PARTIALLY_CREATED"
    )
    make_profile(account, "FR", "1")
    make_profile(account, "DE", "2")
    assert "in IT; 2 others are ready." in shown(client, account)


NOTICE = {
    "name": "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION",
    "severity": "ALERT",
    "impact": "NO_IMPACT",
    "title": "<script>alert(1)</script> Pay your invoice",
    "description": "x" * 2000,
    "due_at": None,
    "suspension_at": "2036-12-15T00:00:00+00:00",
}


@pytest.mark.parametrize(
    ("fields", "why", "word"),
    [
        (
            {"status": "suspended", "standing": "suspended", "suspended_in": ["UK"]},
            "Amazon has stopped the campaigns of this account in UK.",
            "in UK",
        ),
        (
            {"standing": "at_risk", "suspension_at": datetime(2036, 12, 15, tzinfo=UTC)},
            "Amazon announces that it will stop campaigns of this account on 15 Dec 2036.",
            "stops on 15 Dec 2036",
        ),
        (
            {"standing": "at_risk", "suspension_at": datetime(2026, 1, 2, tzinfo=UTC)},
            "Amazon announced that it would stop campaigns of this account on 2 Jan 2026, and has not said that it did.",
            "At risk",
        ),
        ({"standing": "at_risk"}, "and may stop its campaigns.", "At risk"),
        (
            {"status": "pending", "standing": "set_up"},
            "cannot advertise in UK: its billing, payment or tax registration is missing",
            "Set-up missing",
        ),
    ],
)
def test_it_says_what_amazons_billing_means_for_the_account_and_quotes_it_as_text(
    client: Client,
    connection: Connection,
    make_account: MakeAccount,
    make_profile: Callable[..., Profile],
    fields: dict[str, Any],
    why: str,
    word: str,
) -> None:
    account = make_account(connection, "Garden", **fields)
    make_profile(account, "UK", "1", standing=account.standing, notices=[NOTICE], billing_status="NEW_CODE")
    page = shown(client, account)
    assert why in page
    assert word in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; Pay your invoice" in page
    assert 'datetime="2036-12-15T00:00:00+00:00"' in page
    assert "NEW_CODE" in page


@pytest.mark.parametrize(
    ("refusals", "why"),
    [
        (
            {"1": {"code": "NOT_AUTHORIZED"}},
            "the connected login may not see its billing in UK. Ask the advertiser",
        ),
        ({}, "was not asked about this account yet, or gave no answer. The next sync asks."),
    ],
    ids=["refused", "not asked"],
)
def test_it_says_why_nobody_knows_whether_the_account_can_advertise(
    client: Client,
    connection: Connection,
    make_account: MakeAccount,
    make_profile: Callable[..., Profile],
    refusals: dict[str, Any],
    why: str,
) -> None:
    account = make_account(connection, "Garden", standing="unknown")
    make_profile(account, "UK", "1", billing_refusals=refusals)
    page = shown(client, account)
    assert why in page
    assert "Not known" in page


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("moment", [FIRST_MOMENT, LAST_MOMENT], ids=["first", "last"])
def test_a_date_at_the_end_of_the_calendar_is_shown_in_every_zone(
    client: Client,
    connection: Connection,
    make_account: MakeAccount,
    make_profile: Callable[..., Profile],
    zone: str,
    moment: datetime,
) -> None:
    account = make_account(connection, "Garden", standing="at_risk", suspension_at=moment)
    notice = NOTICE | {"suspension_at": moment.isoformat(), "due_at": moment.isoformat()}
    make_profile(account, "UK", "1", standing="at_risk", suspension_at=moment, notices=[notice])
    client.cookies["zone"] = zone
    for address in ("/accounts/", "/accounts/?view=table", f"/accounts/{account.pk}/"):
        assert client.get(address).status_code == 200


def test_it_says_since_when_amazon_has_stopped_an_account(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    account = make_account(connection, status="suspended", standing="suspended", suspended_in=["UK"])
    assert "A sync has seen it" not in shown(client, account)
    change = AccountChange.objects.create(account=account, kind="standing", old="good", new="suspended")
    assert f"in UK. A sync has seen it on {change.changed_at:%-d %b %Y, %H:%M} UTC." in shown(client, account)


def test_a_failed_registration_is_never_called_a_suspension(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    failed = {"inactive_reason": "registration_failed", "amazon_status": "DISABLED", "standing": "unknown"}
    account = make_account(connection, "Garden", status="inactive", **failed)
    page = shown(client, account)
    assert "The registration of this account failed" in page
    assert "uspen" not in page
    assert client.get(f"/api/v1/accounts/{account.pk}/").json()["health_reason"] == "registration_failed"


def test_an_account_without_a_profile_says_that_nobody_can_be_asked(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    page = shown(client, make_account(connection, "Garden", standing="unknown"))
    assert "it has no marketplace that Amazon&#x27;s billing could be asked about." in page


def test_a_change_of_its_standing_is_told_in_words(client: Client, account: Account) -> None:
    AccountChange.objects.create(account=account, kind="standing", old="good", new="at_risk")
    page = shown(client, account)
    assert "<bdi>OK</bdi>" in page
    assert "<bdi>At risk</bdi>" in page
    assert "standing: OK → At risk" in squeeze(client.get("/activity/?kind=change").content.decode())


def test_an_active_account_has_nothing_to_explain(client: Client, account: Account) -> None:
    assert client.get(f"/accounts/{account.pk}/").context["why"] == ""


@pytest.mark.parametrize("state", ["reauthorization_required", "disconnected"])
def test_with_a_dead_login_it_offers_to_reconnect_and_not_to_sync(
    client: Client,
    alice: User,
    log_in: LogIn,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    state: str,
) -> None:
    connection = make_connection(alice, state=state)
    page = shown(client, make_account(connection))
    assert "Sync now" not in page
    assert page.count("c-button--main") == 1
    assert f'<input type="hidden" name="connection" value="{connection.pk}">' in page
    viewer = staff("vera", "Viewer")
    page = shown(log_in(viewer), make_account(make_connection(viewer, state=state)))
    assert "/connect/amazon/" not in page


def test_with_its_synchronisation_off_it_says_so_and_offers_no_sync(
    client: Client, connection: Connection, make_account: MakeAccount
) -> None:
    assert "Sync now" in shown(client, make_account(connection))
    page = shown(client, make_account(connection, sync_enabled=False))
    assert "Sync is off for this account" in page
    assert "Sync now" not in page


@pytest.mark.parametrize(
    ("login", "fields", "words"),
    [
        ({}, {}, "Synced</span>,<time"),
        ({"sync_failures": 1}, {}, "Sync failing</span>, last synced<time"),
        ({"last_synced_at": None}, {}, "First sync</span></dd>"),
        ({}, {"sync_enabled": False}, "Sync off</span></dd>"),
    ],
)
def test_it_says_when_it_was_last_synced_if_it_is_synced_at_all(
    client: Client,
    alice: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    login: dict[str, Any],
    fields: dict[str, Any],
    words: str,
) -> None:
    assert words in shown(client, make_account(make_connection(alice, **login), **fields))


@pytest.mark.django_db(transaction=True)
def test_a_change_names_the_person_or_the_sync_that_made_it(
    client: Client, alice: User, connection: Connection, account: Account
) -> None:
    run_chunk(start_batch(alice, "disconnect", account_ids=[account.pk]).pk)
    run_chunk(start_batch(SYSTEM, "reconnect", account_ids=[account.pk]).pk)
    run = SyncRun.objects.create(connection=connection, trigger="manual")
    AccountChange.objects.create(account=account, run=run, kind="name", old="Yard", new="Garden")
    by_person, by_command, by_sync = AccountChange.objects.order_by("id")
    assert (by_person.changed_by, by_command.changed_by, by_sync.changed_by) == (alice, None, None)
    link = f'href="/admin/accounts/syncrun/{run.pk}/change/">a sync</a>'
    activity = squeeze(client.get("/activity/?kind=change").content.decode())
    for page, words in ((shown(client, account), "· alice"), (activity, "by alice")):
        assert page.count(words) == 1
        assert page.count(link) == 1
    told = client.get(f"/api/v1/accounts/{account.pk}/changes/").json()["results"]
    assert [change["changed_by"] for change in told] == [None, None, "alice"]


def test_a_sync_of_a_connection_that_is_in_another_team_now_has_no_link(
    client: Client, administrator: User, bob: User, connection: Connection, account: Account, log_in: LogIn
) -> None:
    run = SyncRun.objects.create(connection=connection, trigger="manual")
    change = AccountChange.objects.create(account=account, run=run, kind="name", old="Yard", new="Garden")
    # Another connection of the team sees the account, so it stays.
    connection.team = team_of(bob)
    connection.save()
    link = f"/admin/accounts/syncrun/{run.pk}/change/"
    assert client.get(link).status_code == 404
    admin = f"/admin/accounts/accountchange/{change.pk}/change/"
    for address in (
        f"/accounts/{account.pk}/",
        "/activity/?kind=change",
        admin,
        "/admin/accounts/accountchange/",
    ):
        answer = client.get(address)
        assert answer.status_code == 200
        assert link not in answer.content.decode()
        assert link in log_in(administrator).get(address).content.decode()
    [told] = client.get(f"/api/v1/accounts/{account.pk}/changes/").json()["results"]
    assert told["run"] is None


@pytest.mark.django_db(transaction=True)
def test_who_disconnects_a_login_changes_its_accounts(
    administrator: User, connection: Connection, account: Account
) -> None:
    disconnect_connection(administrator, connection)
    assert AccountChange.objects.get(kind="vanished").changed_by == administrator
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(name="Yard")
    assert AccountChange.objects.get(kind="name").changed_by is None
