"""What the daily mail says about accounts that have changed."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db.models.functions import Now

from accounts.lists.daily import describe_changes
from accounts.models import Account
from amazon_accounts.postgresql.clock import database_now
from tests.accounts.conftest import AccountFactory
from tokens.alerts.choices import choose_alerts
from tokens.alerts.daily import send_waiting_alerts
from tokens.alerts.times import Times
from tokens.models import AlertTimes

pytestmark = pytest.mark.django_db(transaction=True)


def change(account: Account, **values: str) -> None:
    Account.objects.filter(pk=account.pk).update(**values)


def test_it_counts_what_changed_in_the_time_among_what_the_person_sees(
    alice: User, bob: User, new_account: AccountFactory
) -> None:
    began_at = database_now()
    first, second = new_account(alice), new_account(alice)
    change(new_account(bob, name="Hidden"), name="Of another team")
    for name in ("One", "Two"):
        change(first, name=name)
    change(second, name="Three")
    change(second, status="suspended")
    now = database_now()
    assert describe_changes(alice, began_at, now) == [
        "2 new accounts were found.",
        "1 account changed its status.",
        "2 accounts changed their names.",
    ]
    assert describe_changes(alice, now, now + timedelta(hours=1)) == []


def test_the_daily_mail_comes_with_the_changes_though_there_is_no_alert(
    alice: User, new_account: AccountFactory
) -> None:
    User.objects.filter(pk=alice.pk).update(email="alice@example.test", is_staff=True)
    choose_alerts(alice, [], Times(digest_at=database_now().time()))
    change(new_account(alice), name="New")
    AlertTimes.objects.update(next_mail_at=Now())
    assert send_waiting_alerts() == 1
    (message,) = mail.outbox
    assert message.subject == "What has changed in the last day"
    assert "1 account changed its name.\n" in message.body
    assert message.body.endswith("/activity/")
    AlertTimes.objects.update(next_mail_at=Now())
    assert send_waiting_alerts() == 0
