"""The JSON of accounts: it says what the model says of every state, and has the fields of the API's document."""

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from accounts.api.accounts import AccountSerializer, ProfileInAccount
from accounts.lists.account_json import get_json, represent_accounts
from accounts.lists.export import COLUMNS
from accounts.models import Account, AccountAccess, AccountManager, Profile, Standing
from tests.accounts.conftest import AccountFactory, ConnectionFactory


def represent(*accounts: Account) -> list[dict[str, Any]]:
    rows = represent_accounts(Account.objects.filter(pk__in=[account.pk for account in accounts]))
    found = {row.pk: json.loads(get_json(row)) for row in rows.only("pk").order_by()}
    return [found[account.pk] for account in accounts]


def test_every_state_is_that_of_the_model(alice: User, new_connection: ConnectionFactory) -> None:
    now = timezone.now()
    connections = [
        new_connection(
            alice,
            state=state,
            sync_failures=failures,
            sync_error="Amazon answered 500." if failures else "",
            last_synced_at=synced,
            paused=paused,
        )
        for state, failures, synced, paused in product(
            ("active", "reauthorization_required"),
            (0, 2),
            (None, now - timedelta(minutes=5), now - timedelta(days=9)),
            (False, True),
        )
    ]
    statuses: list[tuple[str, str | None]] = [
        (status, None) for status in Account.Status.values if status != "inactive"
    ]
    statuses += [("inactive", reason) for reason in Account.InactiveReason.values]
    states = product(
        connections, statuses, (True, False), ([], ["EU"]), Standing.values, ("profiles", "manager_accounts")
    )
    made = Account.objects.bulk_create(
        Account(
            user=alice,
            team=connection.team,
            connection=connection,
            amazon_account_id=f"amzn1.{number}",
            status=status,
            inactive_reason=reason,
            sync_enabled=enabled,
            unread_regions=unread,
            standing=standing,
            source=source,
        )
        for number, (connection, (status, reason), enabled, unread, standing, source) in enumerate(states)
    )
    read = Account.objects.select_related("connection").filter(pk__in=[account.pk for account in made])
    stored = {str(account.pk): account for account in read}
    names = ("sync_status", "sync_off_reason", "sync_error", "health", "health_reason")
    rows = represent(*made)
    assert len(rows) == len(made)
    for row in rows:
        account = stored[row["id"]]
        assert {name: row[name] for name in names} == {name: getattr(account, name) for name in names}, row


def test_it_has_the_fields_of_the_document_and_of_the_export(
    alice: User, new_account: AccountFactory
) -> None:
    account = new_account(alice)
    Profile.objects.create(account=account, profile_id="1", region="EU", country_code="DE")
    [row] = represent(account)
    assert list(row) == list(AccountSerializer().get_fields())
    assert set(row) == set(COLUMNS)
    assert list(row["profiles"][0]) == list(ProfileInAccount().get_fields())
    assert list(row["team"]) == ["id", "name"]


def test_it_keeps_what_amazon_and_people_say_exactly(alice: User, new_account: AccountFactory) -> None:
    hostile = 'a "quoted" \\ back\n\u2028 \u202e <b> \U0001f600'
    account = new_account(
        alice, hostile, labels={"team": hostile}, metadata={"deep": [{"1": 1.50, "big": 2**63}]}
    )
    [row] = represent(account)
    assert (row["name"], row["labels"]) == (hostile, {"team": hostile})
    assert row["metadata"] == {"deep": [{"1": 1.5, "big": 2**63}]}


def test_times_are_in_utc(alice: User, new_account: AccountFactory) -> None:
    moment = datetime(2026, 7, 5, 4, 3, 2, 1, tzinfo=UTC)
    account = new_account(alice, suspension_at=moment)
    assert represent(account)[0]["suspension_at"] == "2026-07-05T04:03:02.000001Z"
    assert represent(new_account(alice))[0]["suspension_at"] is None


def test_logins_managers_and_profiles_stand_in_a_fixed_order(
    alice: User, new_account: AccountFactory, new_connection: ConnectionFactory
) -> None:
    account = new_account(alice)
    logins = [new_connection(alice) for _ in range(3)]
    managers = [new_account(alice, account_type="manager", source="manager_accounts") for _ in range(3)]
    AccountAccess.objects.bulk_create(
        AccountAccess(account=account, connection=each) for each in reversed(logins)
    )
    AccountManager.objects.bulk_create(
        AccountManager(account=account, manager=each) for each in reversed(managers)
    )
    for profile_id, country in (("3", "FR"), ("2", "DE"), ("1", "FR")):
        Profile.objects.create(account=account, profile_id=profile_id, region="EU", country_code=country)
    [row] = represent(account)
    seen = {account.connection_id, *(login.pk for login in logins)}
    assert set(row["connections"]) <= {str(each) for each in seen}
    assert row["connections"] == sorted(row["connections"])
    assert row["managers"] == sorted(str(each.pk) for each in managers)
    assert [each["profile_id"] for each in row["profiles"]] == ["2", "1", "3"]
