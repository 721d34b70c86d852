"""Every state a page can show, as one of five tones and a word.

A tone decides shape and colour (see `console.css`); the word always stands beside the shape. Tests hold these maps
complete: a new state must be given its tone here.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.conf import settings
from django.utils import timezone

from accounts.models import Account, BatchItem, BatchOperation, SyncRun
from tokens.models import Connection, TokenRefresh

Tone = Literal["good", "attention", "bad", "off", "busy"]


@dataclass(frozen=True)
class Status:
    tone: Tone
    word: str
    why: str = ""


ACCOUNT: dict[str, Status] = {
    Account.Status.ACTIVE: Status("good", "Active"),
    Account.Status.PENDING: Status("busy", "Pending"),
    Account.Status.SUSPENDED: Status("bad", "Suspended"),
    Account.Status.INACTIVE: Status("off", "Inactive"),
}
SYNC: dict[str, Status] = {
    Account.SyncStatus.SYNCED: Status("good", "Synced"),
    Account.SyncStatus.STALE: Status("attention", "Late"),
    Account.SyncStatus.FAILING: Status("bad", "Failed"),
    Account.SyncStatus.NEVER: Status("off", "Never synced"),
    Account.SyncStatus.OFF: Status("off", "Sync off"),
}
HEALTH: dict[str, Status] = {
    Account.Health.OK: Status("good", "OK"),
    Account.Health.ATTENTION: Status("attention", "Attention"),
    Account.Health.PROBLEM: Status("bad", "Problem"),
    Account.Health.OFF: Status("off", "Off"),
}
CONNECTION: dict[str, Status] = {
    Connection.State.ACTIVE: Status("good", "Active"),
    Connection.State.REAUTHORIZATION_REQUIRED: Status("bad", "Reconnect needed"),
    Connection.State.DISCONNECTED: Status("off", "Disconnected"),
}
SYNC_RUN: dict[str, Status] = {
    SyncRun.State.WAITING: Status("off", "Waiting"),
    SyncRun.State.RUNNING: Status("busy", "Running"),
    SyncRun.State.SUCCEEDED: Status("good", "Succeeded"),
    SyncRun.State.PARTIAL: Status("attention", "Partly done"),
    SyncRun.State.FAILED: Status("bad", "Failed"),
}
REFRESH: dict[str, Status] = {
    TokenRefresh.Outcome.SUCCEEDED: Status("good", "Refreshed"),
    TokenRefresh.Outcome.TRANSIENT: Status("attention", "Try again"),
    TokenRefresh.Outcome.THROTTLED: Status("attention", "Amazon busy"),
    TokenRefresh.Outcome.POSTPONED: Status("attention", "Postponed"),
    TokenRefresh.Outcome.REAUTHORISE: Status("bad", "Login refused"),
    TokenRefresh.Outcome.CONFIG: Status("bad", "Application refused"),
    TokenRefresh.Outcome.PERMANENT: Status("bad", "Failed"),
    TokenRefresh.Outcome.SUPERSEDED: Status("off", "Superseded"),
    TokenRefresh.Outcome.LOST: Status("attention", "Process died"),
}
BATCH: dict[str, Status] = {
    BatchOperation.State.WAITING: Status("off", "Waiting"),
    BatchOperation.State.RUNNING: Status("busy", "Running"),
    BatchOperation.State.SUCCEEDED: Status("good", "Succeeded"),
    BatchOperation.State.PARTIAL: Status("attention", "Partly done"),
    BatchOperation.State.FAILED: Status("bad", "Failed"),
    BatchOperation.State.CANCELLED: Status("off", "Cancelled"),
}
BATCH_ITEM: dict[str, Status] = {
    BatchItem.State.WAITING: Status("off", "Waiting"),
    BatchItem.State.RUNNING: Status("busy", "Running"),
    BatchItem.State.SUCCEEDED: Status("good", "Done"),
    BatchItem.State.FAILED: Status("bad", "Failed"),
    BatchItem.State.SKIPPED: Status("off", "Skipped"),
}
UNDER_WAY = Status("busy", "Under way")


def of(states: dict[str, Status], word: str | None) -> Status:
    """Return what is shown for a state; a word of Amazon's that nobody knows is shown as it is."""
    if word is None:
        return UNDER_WAY
    return states.get(word) or Status("off", word)


def of_account(account: Account) -> Status:
    status = of(ACCOUNT, account.status)
    reason = account.get_inactive_reason_display() if account.inactive_reason else ""
    return Status(status.tone, status.word, str(reason or ""))


def of_connection(connection: Connection) -> Status:
    if connection.state == Connection.State.ACTIVE and not connection.is_of_this_application:
        return Status("off", "Other application")
    return of(CONNECTION, connection.state)


@dataclass(frozen=True)
class TokenLife:
    """The remaining life of an access token, as a bar. A low token is normal life: it is refreshed all day long."""

    tone: Tone
    seconds: int
    share: int  # percent of an hour, which is what Amazon gives

    @property
    def sentence(self) -> str:
        if self.seconds <= 0:
            return "Token expired"
        minutes = self.seconds // 60
        left = f"{minutes} min left" if minutes else "Less than a minute left"
        return f"{left}, refresh due" if self.tone != "good" else left


def token_life(connection: Connection) -> TokenLife | None:
    if connection.state != Connection.State.ACTIVE or connection.expires_at is None:
        return None
    seconds = int((connection.expires_at - timezone.now()) / timedelta(seconds=1))
    tone: Tone = "good"
    if seconds <= 0:
        tone = "bad"
    elif seconds < 180:
        tone = "attention"
    elif seconds < settings.TOKEN_REFRESH_LEAD_SECONDS:
        tone = "busy"
    return TokenLife(tone, seconds, max(0, min(100, seconds * 100 // 3600)))


# From so many days on people should think of signing in again.
CONSENT_SOON = 30


def consent(connection: Connection) -> Status | None:
    """Say how long the consent at Amazon still holds; None when it is not known or does not matter."""
    if connection.state != Connection.State.ACTIVE or connection.consent_ends_at is None:
        return None
    days = (connection.consent_ends_at - timezone.now()).days
    if days < 0:
        return Status("bad", "Consent has ended")
    words = f"Consent ends in {days:,} day{'' if days == 1 else 's'}"
    return Status("attention" if days <= CONSENT_SOON else "good", words)
