"""Alerts about accounts that Amazon has suspended."""

from uuid import UUID

from accounts.models import Account, AccountChange
from tokens.alerts import create as alerts
from tokens.models import Alert


def alert_suspensions(run_id: UUID) -> None:
    changes = AccountChange.objects.filter(
        run_id=run_id,
        kind=AccountChange.Kind.STATUS,
        old=Account.Status.ACTIVE,
        new=Account.Status.SUSPENDED,
    ).select_related("account__connection")
    # The id of the change is the key of the alert, so a second call creates no second alert.
    for change in changes:
        account = change.account
        name = f"“{account.name}”" if account.name else "without a name"
        alerts.create_alert(
            Alert.Kind.ACCOUNT_SUSPENDED,
            str(change.pk),
            f"Amazon has suspended the account {name} ({account.amazon_account_id}).",
            account.connection,
        )
