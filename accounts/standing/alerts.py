"""Alerts about accounts that Amazon stops, will stop or lets advertise again. There is one alert for each incident.

The key of an alert begins with the id of its account. It goes on with what makes the incident: the recorded change, or
the announced date and how near it is.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import Account, AccountChange, Profile, Standing
from amazon_accounts.postgresql.clock import database_now
from tokens.alerts.create import create_alert
from tokens.models import Alert

KINDS: Final = (
    Alert.Kind.ACCOUNT_SUSPENDED,
    Alert.Kind.ACCOUNT_RESTORED,
    Alert.Kind.SUSPENSION_ANNOUNCED,
    Alert.Kind.PAYMENT_METHOD_ENDING,
)
# Days before an announced suspension at which there is another alert.
STAGES: Final = (1, 3, 7)
# The one notice that is known by its name.
CARD_ENDS: Final = "CREDIT_CARD_EXPIRES_SOON"


def alert_standings(run_id: UUID, connection_id: UUID) -> None:
    """Create the alerts that follow from a run that ends. A second call creates no second alert."""
    changes = AccountChange.objects.filter(run_id=run_id)
    _alert_suspended(changes)
    _alert_restored(changes)
    accounts = Account.objects.filter(connection=connection_id).select_related("connection")
    _alert_announced(accounts)
    _alert_ending_cards(accounts)


def _alert_suspended(changes: QuerySet[AccountChange]) -> None:
    live = [Account.Status.ACTIVE, Account.Status.PENDING, Account.Status.UNKNOWN]
    found = changes.filter(
        kind=AccountChange.Kind.STATUS, old__in=[str(status) for status in live], new=Account.Status.SUSPENDED
    )
    for change in found.select_related("account__connection"):
        account = change.account
        where = f" in {', '.join(account.suspended_in)}" if account.suspended_in else ""
        text = f"Amazon has stopped the campaigns of the account {_name(account)}{where}."
        _create(Alert.Kind.ACCOUNT_SUSPENDED, account, str(change.pk), text)


def _alert_restored(changes: QuerySet[AccountChange]) -> None:
    status = changes.filter(kind=AccountChange.Kind.STATUS, old=Account.Status.SUSPENDED)
    # An account whose billing Amazon does not tell any more may still be suspended.
    untold = changes.filter(kind=AccountChange.Kind.STANDING, new=Standing.UNKNOWN)
    restored = status.filter(new__in=[str(Account.Status.ACTIVE), str(Account.Status.PENDING)])
    for change in restored.exclude(account__in=untold.values("account")).select_related(
        "account__connection"
    ):
        text = f"Amazon has lifted the suspension of the account {_name(change.account)}."
        _create(Alert.Kind.ACCOUNT_RESTORED, change.account, str(change.pk), text)


def _alert_announced(accounts: QuerySet[Account]) -> None:
    now = database_now()
    for account in accounts.filter(standing=Standing.AT_RISK, suspension_at__gt=now):
        if account.suspension_at is not None:
            day = f"{account.suspension_at:%Y-%m-%d}"
            stage = find_stage(account.suspension_at - now)
            text = f"Amazon announces that it will stop campaigns of the account {_name(account)} on {day}."
            _create(Alert.Kind.SUSPENSION_ANNOUNCED, account, f"{day}:{stage}", text)


def find_stage(left: timedelta) -> str:
    """Return the part of the key that says how near the suspension is."""
    # An announcement that is first seen three days before has no alert for seven days.
    return next((f"{days} days" for days in STAGES if left <= timedelta(days=days)), "first")


def _alert_ending_cards(accounts: QuerySet[Account]) -> None:
    profiles = Profile.objects.filter(account__in=accounts, notices__contains=[{"name": CARD_ENDS}])
    for profile in profiles.select_related("account__connection"):
        text = f"A payment method of the account {_name(profile.account)} ends soon. The advertiser has to renew it."
        _create(Alert.Kind.PAYMENT_METHOD_ENDING, profile.account, _find_card_incident(profile.notices), text)


def _find_card_incident(notices: Iterable[dict[str, str | None]] | None) -> str:
    # Amazon may give no date. Then the year tells the next card from this card.
    ends = [
        notice["due_at"] or notice["suspension_at"] for notice in notices or () if notice["name"] == CARD_ENDS
    ]
    return min((end[:10] for end in ends if end), default=f"{database_now():%Y}")


def _create(kind: Alert.Kind, account: Account, incident: str, text: str) -> None:
    create_alert(kind, f"{account.pk}:{incident}", text, account.connection)


def _name(account: Account) -> str:
    name = f"“{account.name}”" if account.name else "(no name)"
    return f"{name} ({account.amazon_account_id})"
