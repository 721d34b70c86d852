"""Every state that a page can show, as one of five tones and a word.

The tone decides the shape and the colour (see `status.css`). A test checks that each state of a model has a tone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.conf import settings

from accounts.lists.by_connection import NO_REASON
from accounts.models import Account, AnyItem, BatchOperation, HealthReason, Profile, Standing, SyncRun
from amazon_accounts.amazon_ads.causes import EXPLANATIONS, Cause, explain, find_cause_of
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.formats.times import format_moment, relative
from tokens.models import (
    ApiKey,
    Connection,
    ConnectLink,
    ConsentState,
    TokenRefresh,
    Webhook,
    WebhookDelivery,
)
from tokens.models.connect_link import Progress
from tokens.people.key_ends import WARNED_BEFORE

Tone = Literal["good", "attention", "bad", "off", "busy"]

CONSENT_WARNING_DAYS = 30
MAX_COUNTRIES_NAMED = 3


@dataclass(frozen=True)
class Status:
    tone: Tone
    word: str
    why: str = ""
    # More about the word, for who points at it.
    tip: str = ""


ACCOUNT: dict[str, Status] = {
    Account.Status.ACTIVE: Status("good", "Active"),
    Account.Status.PENDING: Status("attention", "Set-up missing"),
    Account.Status.SUSPENDED: Status("bad", "Suspended"),
    Account.Status.INACTIVE: Status("off", "Inactive"),
    Account.Status.UNKNOWN: Status("off", "Not known"),
}
STANDING: dict[str, Status] = {
    Standing.SUSPENDED: Status("bad", "Suspended"),
    Standing.AT_RISK: Status("attention", "At risk"),
    Standing.SET_UP: Status("attention", "Set-up missing"),
    Standing.GOOD: Status("good", "OK"),
    Standing.UNKNOWN: Status("off", "Not known"),
}
DELIVERY: dict[str, Status] = {
    WebhookDelivery.State.WAITING: Status("busy", "Waiting"),
    WebhookDelivery.State.DELIVERED: Status("good", "Delivered"),
    WebhookDelivery.State.FAILED: Status("bad", "Failed"),
}
LINK: dict[str, Status] = {
    ConnectLink.State.OPEN: Status("busy", "Open"),
    ConnectLink.State.USED: Status("good", "Used"),
    ConnectLink.State.EXPIRED: Status("off", "Expired"),
    ConnectLink.State.REVOKED: Status("off", "Revoked"),
}
SYNC: dict[str, Status] = {
    Account.SyncStatus.SYNCED: Status("good", "Synced"),
    Account.SyncStatus.STALE: Status("attention", "Late"),
    Account.SyncStatus.FAILING: Status("bad", "Sync failing"),
    Account.SyncStatus.NEVER: Status("busy", "First sync"),
    Account.SyncStatus.OFF: Status("off", "Sync off"),
}
# What is wrong with an account: the one word that stands for its state.
REASON: dict[str, Status] = {
    HealthReason.SUSPENDED: Status("bad", "Suspended"),
    HealthReason.LOGIN_REFUSED: Status("bad", "Login refused"),
    HealthReason.SYNC_FAILING: Status("bad", "Sync failing"),
    HealthReason.AT_RISK: Status("attention", "At risk"),
    HealthReason.SET_UP: Status("attention", "Set-up missing"),
    HealthReason.REGISTRATION_FAILED: Status("attention", "Registration failed"),
    HealthReason.LATE: Status("attention", "Late"),
    HealthReason.FIRST_SYNC: Status("busy", "First sync"),
    HealthReason.UNKNOWN: Status("off", "Not known"),
    HealthReason.PAUSED: Status("off", "Paused"),
    HealthReason.INACTIVE: Status("off", "Inactive"),
    NO_REASON: Status("good", "OK"),
}
CONNECTION: dict[str, Status] = {
    Connection.State.ACTIVE: Status("good", "Connected"),
    Connection.State.REAUTHORIZATION_REQUIRED: Status("bad", "Login refused"),
    Connection.State.DISCONNECTED: Status("off", "Disconnected"),
}
CONSENT: dict[str, Status] = {
    ConsentState.ENDED: Status("bad", "Ended"),
    ConsentState.ENDS_IN_7: Status("attention", "Ends in 7 days"),
    ConsentState.ENDS_IN_30: Status("attention", "Ends in 30 days"),
    ConsentState.ENDS_IN_60: Status("attention", "Ends in 60 days"),
    ConsentState.GOOD: Status("good", "Holds longer"),
    ConsentState.UNKNOWN: Status("off", "Not known"),
}
RENEWAL: dict[str, Status] = {
    Progress.RENEWED: Status("good", "Renewed"),
    Progress.WRONG_LOGIN: Status("attention", "Wrong login"),
    Progress.OPENED: Status("busy", "Link opened"),
    Progress.SENT: Status("off", "Link sent"),
    Progress.FAILED: Status("bad", "Mail refused"),
    Progress.ENDED: Status("off", "Ended"),
    Progress.WAITING: Status("busy", "Being sent"),
}
SYNC_RUN: dict[str, Status] = {
    SyncRun.State.WAITING: Status("off", "Waiting"),
    SyncRun.State.RUNNING: Status("busy", "Running"),
    SyncRun.State.SUCCEEDED: Status("good", "Succeeded"),
    SyncRun.State.PARTIAL: Status("attention", "Done in part"),
    SyncRun.State.FAILED: Status("bad", "Failed"),
}
REFRESH: dict[str, Status] = {
    TokenRefresh.Outcome.SUCCEEDED: Status("good", "Refreshed"),
    TokenRefresh.Outcome.TRANSIENT: Status("attention", "No answer"),
    TokenRefresh.Outcome.THROTTLED: Status("attention", "Amazon busy"),
    TokenRefresh.Outcome.POSTPONED: Status("attention", "Amazon busy"),
    TokenRefresh.Outcome.REAUTHORIZATION_REQUIRED: Status("bad", "Login refused"),
    TokenRefresh.Outcome.CONFIG: Status("bad", "Application refused"),
    TokenRefresh.Outcome.PERMANENT: Status("bad", "Request refused"),
    TokenRefresh.Outcome.SUPERSEDED: Status("off", "Replaced"),
    TokenRefresh.Outcome.LOST: Status("attention", "Interrupted"),
}
BATCH: dict[str, Status] = {
    BatchOperation.State.WAITING: Status("off", "Waiting"),
    BatchOperation.State.RUNNING: Status("busy", "Running"),
    BatchOperation.State.SUCCEEDED: Status("good", "Succeeded"),
    BatchOperation.State.PARTIAL: Status("attention", "Failed in part"),
    BatchOperation.State.FAILED: Status("bad", "Failed"),
    BatchOperation.State.CANCELLED: Status("off", "Cancelled"),
}
BATCH_ITEM: dict[str, Status] = {
    AnyItem.State.WAITING: Status("off", "Waiting"),
    AnyItem.State.RUNNING: Status("busy", "Running"),
    AnyItem.State.SUCCEEDED: Status("good", "Done"),
    AnyItem.State.FAILED: Status("bad", "Failed"),
    AnyItem.State.SKIPPED: Status("off", "Skipped"),
}
UNFINISHED = Status("busy", "Under way")
# Why something failed. What goes on by itself needs nobody.
CAUSE_TONES: dict[str, Tone] = {
    "reconnect": "bad",
    "none": "bad",
    "try_again": "attention",
    "wait": "attention",
}
CAUSE: dict[str, Status] = {
    cause: Status(CAUSE_TONES[explanation.cure], explanation.word)
    for cause, explanation in EXPLANATIONS.items()
}


def find_status(states: Mapping[str, Status], word: str | None) -> Status:
    """Return the status of a state. A state without a tone, such as a new word of Amazon's, is shown as it is."""
    if word is None:
        return UNFINISHED
    return states.get(word) or Status("off", word)


def find_cause_status(cause: str) -> Status:
    return CAUSE.get(cause, CAUSE[Cause.OTHER])


def explain_run(run: SyncRun | None) -> str:
    """Return why the sync did not read all, in one sentence; "" if it did."""
    return explain(run.cause).sentence if run and (run.cause or run.error) else ""


def explain_refresh(refresh: TokenRefresh) -> str:
    """Return why there is no new token, in one sentence; "" if there is one."""
    is_good = refresh.outcome in {None, TokenRefresh.Outcome.SUCCEEDED, TokenRefresh.Outcome.SUPERSEDED}
    return "" if is_good else explain(find_cause_of(refresh.outcome)).sentence


def status_of_account(account: Account) -> Status:
    return find_status(ACCOUNT, account.status)


def state_of_account(account: Account) -> Status:
    """Return the worst that is wrong with the account, and why, in the words of the pages."""
    reason = account.health_reason
    state = REASON[reason or NO_REASON]
    match reason:
        case HealthReason.SUSPENDED if account.suspended_in:
            return Status(state.tone, state.word, f"in {_name_countries(account.suspended_in)}")
        case HealthReason.AT_RISK:
            return _state_at_risk(account)
        case HealthReason.REGISTRATION_FAILED:
            return Status(state.tone, "Inactive", "registration failed")
        case _:
            return Status(state.tone, state.word, _explain_state(account, reason))


def _state_at_risk(account: Account) -> Status:
    moment = account.suspension_at
    if moment is None:
        return Status("attention", "At risk", "Amazon reports a payment problem")
    tip = f"Amazon announces it for {format_moment(moment)}"
    if moment <= approximate_now():
        return Status("attention", "At risk", f"suspension announced for {format_moment(moment)}", tip)
    near = relative(moment)
    return Status("attention", "At risk", f"stops {near if near.startswith('in ') else f'on {near}'}", tip)


def _explain_state(account: Account, reason: HealthReason | None) -> str:
    match reason:
        case HealthReason.LOGIN_REFUSED | HealthReason.SYNC_FAILING | HealthReason.LATE:
            return _name_last_sync(account.connection)
        case HealthReason.FIRST_SYNC:
            return "not finished yet"
        case HealthReason.SET_UP if account.standing == Standing.SET_UP:
            return "billing, payment or tax details"
        case HealthReason.SET_UP:
            return "registration is not finished"
        case HealthReason.UNKNOWN if account.status == Account.Status.UNKNOWN:
            return f"Amazon says “{account.amazon_status or ''}”"
        case HealthReason.UNKNOWN:
            return "its billing is not known"
        case HealthReason.PAUSED if account.sync_off_reason == Account.SyncOffReason.REGION_NOT_READ:
            return f"{name_regions(account.unread_regions)} not read"
        case HealthReason.PAUSED if account.sync_off_reason == Account.SyncOffReason.CONNECTION_PAUSED:
            return "its connection is paused"
        case HealthReason.PAUSED:
            return "sync is turned off"
        case HealthReason.INACTIVE:
            return str(account.get_inactive_reason_display() or "")
        case _:
            return ""


def _name_countries(countries: Sequence[str]) -> str:
    rest = len(countries) - MAX_COUNTRIES_NAMED
    return ", ".join(countries[:MAX_COUNTRIES_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def status_of_billing(profile: Profile) -> Status:
    return find_status(STANDING, profile.standing)


def status_of_account_sync(account: Account) -> Status:
    status = find_status(SYNC, account.sync_status)
    if account.sync_off_reason != Account.SyncOffReason.REGION_NOT_READ:
        return status
    return Status(status.tone, status.word, f"{name_regions(account.unread_regions)} not read")


def status_of_connection(connection: Connection) -> Status:
    """Return the worst that is wrong with the connection, and why, in the words of accounts."""
    if connection.state == Connection.State.DISCONNECTED:
        return CONNECTION[connection.state]
    if connection.is_broken:
        return _explain(HealthReason.LOGIN_REFUSED, _name_last_sync(connection))
    if not connection.is_of_this_application:
        return Status("off", "Other application")
    if connection.paused:
        return REASON[HealthReason.PAUSED]
    if connection.is_failing:
        return _explain(HealthReason.SYNC_FAILING, _name_last_sync(connection))
    if connection.is_late:
        return _explain(HealthReason.LATE, _name_last_sync(connection))
    if connection.last_synced_at is None:
        return _explain(HealthReason.FIRST_SYNC, "not finished yet")
    return REASON[NO_REASON]


def _explain(reason: HealthReason, why: str) -> Status:
    return Status(REASON[reason].tone, REASON[reason].word, why)


def _name_last_sync(connection: Connection) -> str:
    # The last good one. A failure has its own time.
    synced = connection.last_synced_at
    return f"last sync {relative(synced)}" if synced else "never synced"


def name_regions(regions: Sequence[str]) -> str:
    """Return "Europe", "Europe and Far East", or all three with commas."""
    names = [str(Region(region).label) for region in regions]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def status_of_run(run: SyncRun) -> Status:
    return find_status(SYNC_RUN, run.state)


def status_of_refresh(refresh: TokenRefresh) -> Status:
    return find_status(REFRESH, refresh.outcome)


def status_of_batch(batch: BatchOperation) -> Status:
    return find_status(BATCH, batch.state)


def status_of_batch_item(item: AnyItem) -> Status:
    return find_status(BATCH_ITEM, item.state)


@dataclass(frozen=True)
class TokenLife:
    """How long an access token is still valid, drawn as a bar."""

    tone: Tone
    seconds: int
    share: int  # percent of an hour: Amazon's tokens live that long

    @property
    def sentence(self) -> str:
        if self.seconds <= 0:
            return "Token expired"
        minutes = self.seconds // 60
        left = f"Token valid for {minutes} min" if minutes else "Token valid for less than a minute"
        return f"{left}, refresh due" if self.tone != "good" else left


def measure_token_life(connection: Connection) -> TokenLife | None:
    if connection.state != Connection.State.ACTIVE or connection.expires_at is None:
        return None
    seconds = int((connection.expires_at - approximate_now()) / timedelta(seconds=1))
    # Every token falls below the lead time many times a day, so only an expired token is bad.
    tone: Tone = "good"
    if seconds <= 0:
        tone = "bad"
    elif seconds < 180:
        tone = "attention"
    elif seconds < settings.TOKEN_REFRESH_LEAD_SECONDS:
        tone = "busy"
    return TokenLife(tone, seconds, max(0, min(100, seconds * 100 // 3600)))


def status_of_webhook(webhook: Webhook) -> Status:
    if not webhook.is_active:
        return Status("off", "Switched off")
    return Status("bad", "Failing") if webhook.failing_since else Status("good", "On")


def status_of_renewal(progress: str) -> Status:
    return find_status(RENEWAL, progress)


def status_of_link(link: ConnectLink) -> Status:
    return LINK[link.state]


def status_of_delivery(delivery: WebhookDelivery) -> Status:
    return DELIVERY[delivery.state]


def status_of_key(key: ApiKey) -> Status | None:
    """Return that the key has ended or ends soon; None if it works for longer."""
    left = key.expires_at - approximate_now()
    if left <= timedelta():
        return Status("off", "Ended")
    return Status("attention", "Ends soon") if left <= WARNED_BEFORE else None


def status_of_consent(connection: Connection) -> Status:
    """Return how long the consent at Amazon holds, in words to follow its day; for `off` there is no day."""
    if connection.state == Connection.State.DISCONNECTED:
        return Status("off", "None")
    if connection.consent_ends_at is None:
        return Status("off", "No end" if connection.consented_at else "Not known")
    days = (connection.consent_ends_at - approximate_now()).days
    if days < 0:
        return Status("bad", "ended")
    left = f"in {days:,} day{'' if days == 1 else 's'}" if days else "within a day"
    return Status("attention" if days <= CONSENT_WARNING_DAYS else "good", left)
