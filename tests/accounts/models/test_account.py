"""What an account says of itself: when it was synced, how the sync stands, and its health."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone

from accounts.models import Account, AccountAccess, AccountManager, AccountSearch, BatchItem, Profile
from accounts.models.batch import BatchOperation
from tests.accounts.conftest import AccountFactory, ConnectionFactory

INACTIVE = {"status": "inactive", "inactive_reason": "disconnected"}
UNREGISTERED = {"status": "inactive", "inactive_reason": "registration_failed"}
FAILING = {"sync_failures": 1, "sync_error": "Amazon is busy."}
BROKEN = {"state": "reauthorization_required"}


@pytest.fixture
def make(alice: User, new_account: AccountFactory, new_connection: ConnectionFactory) -> AccountFactory:
    def make_account(connection: dict[str, Any], account: dict[str, Any]) -> Account:
        return new_account(alice, connection=new_connection(alice, **connection), **account)

    return make_account


@pytest.mark.parametrize(
    ("connection", "account", "sync_status", "health", "reason"),
    [
        ({}, {}, "synced", "ok", None),
        ({"last_synced_at": None}, {}, "never", "attention", "first_sync"),
        (FAILING, {}, "failing", "problem", "sync_failing"),
        (BROKEN, {}, "synced", "problem", "login_refused"),
        (BROKEN | FAILING, {}, "failing", "problem", "login_refused"),
        (BROKEN, {"status": "suspended"}, "synced", "problem", "suspended"),
        ({}, {"status": "pending"}, "synced", "attention", "set_up"),
        ({}, {"status": "pending", "standing": "set_up"}, "synced", "attention", "set_up"),
        ({}, {"status": "pending", "standing": "at_risk"}, "synced", "attention", "at_risk"),
        ({}, {"standing": "at_risk"}, "synced", "attention", "at_risk"),
        (FAILING, {"standing": "at_risk"}, "failing", "problem", "sync_failing"),
        ({"last_synced_at": None}, {"standing": "at_risk"}, "never", "attention", "at_risk"),
        ({}, {"status": "suspended"}, "synced", "problem", "suspended"),
        ({}, {"status": "unknown"}, "synced", "attention", "unknown"),
        ({}, {"status": "unknown", "sync_enabled": False}, "off", "attention", "unknown"),
        ({}, {"standing": "unknown"}, "synced", "ok", "unknown"),
        ({}, {"standing": "unknown", "sync_enabled": False}, "off", "ok", "paused"),
        ({}, {"standing": "unknown", "source": "dsp_advertisers"}, "synced", "ok", None),
        ({}, {"standing": "unknown", "source": "manager_accounts"}, "synced", "ok", None),
        ({}, UNREGISTERED, "synced", "attention", "registration_failed"),
        (FAILING, UNREGISTERED, "failing", "problem", "sync_failing"),
        ({}, {"sync_enabled": False}, "off", "ok", "paused"),
        ({}, {"unread_regions": ["NA"]}, "off", "ok", "paused"),
        (FAILING, {"sync_enabled": False}, "off", "ok", "paused"),
        ({"last_synced_at": None}, {"sync_enabled": False}, "off", "ok", "paused"),
        (BROKEN, {"sync_enabled": False}, "off", "problem", "login_refused"),
        ({}, INACTIVE, "off", "off", "inactive"),
        (FAILING, INACTIVE, "off", "off", "inactive"),
        (BROKEN, INACTIVE, "off", "off", "inactive"),
        (FAILING | {"last_synced_at": None}, {"status": "pending"}, "failing", "problem", "sync_failing"),
    ],
)
def test_sync_status_and_health_follow_from_the_account_and_its_connection(
    make: AccountFactory,
    connection: dict[str, Any],
    account: dict[str, Any],
    sync_status: str,
    health: str,
    reason: str | None,
) -> None:
    row = make(connection, {"standing": "good"} | account)
    assert (row.sync_status, row.health, row.health_reason) == (sync_status, health, reason)


@pytest.mark.parametrize(
    ("intervals", "sync_status", "health", "reason"),
    [(1.9, "synced", "ok", None), (2.1, "stale", "attention", "late")],
)
def test_a_sync_is_late_after_two_intervals(
    make: AccountFactory,
    settings: LazySettings,
    intervals: float,
    sync_status: str,
    health: str,
    reason: str | None,
) -> None:
    ago = timedelta(seconds=intervals * settings.SYNC_INTERVAL_SECONDS)
    row = make({"last_synced_at": timezone.now() - ago}, {"standing": "good"})
    assert (row.sync_status, row.health, row.health_reason) == (sync_status, health, reason)


def test_the_time_of_the_last_sync_is_the_time_of_its_connection(make: AccountFactory) -> None:
    row = make({"last_synced_at": (now := timezone.now())}, {})
    assert row.last_synced_at == now


@pytest.mark.parametrize(
    ("account", "error"), [({}, "Amazon is busy."), ({"sync_enabled": False}, ""), (INACTIVE, "")]
)
def test_the_error_of_a_sync_is_shown_only_while_the_sync_fails(
    make: AccountFactory, account: dict[str, Any], error: str
) -> None:
    assert make(FAILING, account).sync_error == error
    assert make({"sync_error": "An old error."}, account).sync_error == ""


def test_an_account_without_a_name_shows_its_id_at_amazon(make: AccountFactory) -> None:
    assert str(make({}, {"name": "Garden"})) == "Garden"
    assert str(Account(name="", amazon_account_id="ENTITY1")) == "(no name) ENTITY1"


def test_rows_that_link_accounts_name_both_ends(make: AccountFactory) -> None:
    account, manager = make({}, {}), make({}, {})
    access = AccountAccess.objects.get(account=account)
    link = AccountManager.objects.create(manager=manager, account=account)
    assert str(access) == f"{account.connection_id} sees {account.pk}"
    assert str(link) == f"{manager.pk} manages {account.pk}"
    assert access.seen_in == ["ads_accounts"]


def test_a_profile_is_named_by_country_and_number(make: AccountFactory) -> None:
    profile = Profile.objects.create(account=make({}, {}), profile_id="12", country_code="DE")
    assert (str(profile), profile.access_level) == ("DE 12", "view")


def test_a_batch_and_its_items_say_what_they_are(alice: User, make: AccountFactory) -> None:
    account = make({}, {})
    batch = BatchOperation.objects.create(user=alice, operation="sync", total=1)
    item = BatchItem.objects.create(batch=batch, account=account)
    assert str(batch) == "Sync of 1 account"
    assert str(item) == f"{account.pk} waiting"
    assert not batch.is_finished


class TestSearchText:
    def test_a_new_account_can_be_searched_at_once(self, make: AccountFactory) -> None:
        account = make({}, {"name": "Garden ÄPFEL", "amazon_account_id": "ENTITY1"})
        entry = AccountSearch.objects.get(account=account)
        assert (str(entry), entry.is_indexed) == ("garden äpfel\nentity1", False)

    def test_a_deleted_account_leaves_no_text_behind(self, make: AccountFactory) -> None:
        account = make({}, {})
        AccountAccess.objects.all().delete()
        account.delete()
        assert not AccountSearch.objects.exists()

    @pytest.mark.parametrize(
        ("text", "pieces"),
        [("", []), ("ab", []), ("abc", ["abc"]), ("abcd", ["abc", "bcd"]), ("aaaaa", ["aaa"])],
    )
    def test_a_text_has_the_pieces_of_three_characters(self, db: None, text: str, pieces: list[str]) -> None:
        with database.cursor() as cursor:
            cursor.execute("SELECT account_trigrams(%s)", [text])
            assert sorted(cursor.fetchone()[0]) == pieces
