"""What is wrong with an account, in one word."""

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from accounts.models.account import Account


class HealthReason(models.TextChoices):
    """What is wrong with an account. The worst comes first."""

    # Amazon has stopped its campaigns.
    SUSPENDED = "suspended"
    # Amazon no longer accepts the login that syncs it.
    LOGIN_REFUSED = "login_refused", "login refused"
    SYNC_FAILING = "sync_failing", "sync failing"
    # Amazon announces that it will stop its campaigns, or names a problem with the payment.
    AT_RISK = "at_risk", "at risk"
    # Registration, billing, payment or tax details are not finished.
    SET_UP = "set_up", "set-up missing"
    REGISTRATION_FAILED = "registration_failed", "registration failed"
    LATE = "late"
    FIRST_SYNC = "first_sync", "first sync"
    # Amazon uses a word that we do not know, or has not told whether the account can advertise.
    UNKNOWN = "unknown", "not known"
    # No sync reads it: its sync is turned off, its connection is paused, or no login reads its region.
    PAUSED = "paused"
    INACTIVE = "inactive"


def find_health_reason(account: "Account") -> HealthReason | None:
    """Return the worst that is wrong with an account; None when all is well."""
    # `accounts/lists/by_connection.py` has the same rules in SQL.
    if not account.is_followed:
        return HealthReason.INACTIVE
    sync_status = account.sync_status
    is_synced = sync_status != account.SyncStatus.OFF
    troubles = {
        HealthReason.SUSPENDED: account.status == account.Status.SUSPENDED,
        HealthReason.LOGIN_REFUSED: account.connection.is_broken,
        HealthReason.SYNC_FAILING: sync_status == account.SyncStatus.FAILING,
        HealthReason.AT_RISK: account.standing == "at_risk",
        # An account whose standing is `set_up` is pending: see accounts_find_status.sql.
        HealthReason.SET_UP: account.status == account.Status.PENDING,
        HealthReason.REGISTRATION_FAILED: account.status == account.Status.INACTIVE,
        HealthReason.LATE: sync_status == account.SyncStatus.STALE,
        HealthReason.FIRST_SYNC: sync_status == account.SyncStatus.NEVER,
        HealthReason.UNKNOWN: account.status == account.Status.UNKNOWN
        or (is_synced and account.has_billing and account.standing == "unknown"),
        HealthReason.PAUSED: not is_synced,
    }
    return next((reason for reason, holds in troubles.items() if holds), None)
