"""The problems that need a person, worst first: each with its cause and the button that leads to the remedy."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.urls import reverse

from accounts.health import AtRisk
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.account_counts import AccountCounts, AtLeast, count_accounts
from dashboard.status import Tone
from tokens.models import BROKEN, FAILING, Alert, Connection, where_late, where_live
from tokens.permissions import may

# One further problem stands for the other connections.
MAX_CONNECTIONS_NAMED = 5
MAX_ALERTS_COUNTED = 100


@dataclass(frozen=True, kw_only=True)
class Problem:
    tone: Tone
    word: str
    name: str
    cause: str
    action: str = ""
    address: str = ""
    # The connection that the button sends back to Amazon, by a form and not by a link.
    reconnect: UUID | None = None


@dataclass(frozen=True)
class TroubledConnections:
    """The connections of one person that are not in order, and how many accounts each has."""

    connections: list[Connection]
    accounts: AccountCounts

    @classmethod
    def find(cls, user: User, now: datetime) -> "TroubledConnections":
        wrong = FAILING | Q(expires_at__lt=now) | where_late()
        connections = list(
            Connection.objects.visible_to(user)
            .filter(BROKEN | (where_live() & wrong))
            .defer("access_token", "refresh_token")
            .order_by("label", "pk")
        )
        return cls(connections, count_accounts([connection.pk for connection in connections], only_live=True))

    def count_accounts_of(self, connections: list[Connection]) -> AtLeast:
        return self.accounts.of(*(connection.pk for connection in connections))


def find_problems(user: User, *, suspended: int, pending: int, at_risk: AtRisk) -> list[Problem]:
    """Return the problems that this person may see; `suspended` and `pending` are numbers of accounts.

    Costs three queries.
    """
    now = approximate_now()
    troubled = TroubledConnections.find(user, now)
    broken = [c for c in troubled.connections if c.is_broken]
    active = [c for c in troubled.connections if not c.is_broken]
    return [
        *_report_broken_connections(broken, troubled),
        *_report_expired_tokens([c for c in active if c.expires_at is not None and c.expires_at < now]),
        *_report_failed_syncs([c for c in active if c.is_failing], troubled),
        *_report_unsent_alerts(user),
        *_report_late_syncs([c for c in active if c.is_late], troubled),
        *_report_suspended_accounts(suspended),
        *_report_accounts_at_risk(at_risk),
        *_report_pending_accounts(pending),
    ]


def _report_broken_connections(
    connections: list[Connection], troubled: TroubledConnections
) -> Iterator[Problem]:
    for connection in connections[:MAX_CONNECTIONS_NAMED]:
        accounts = troubled.count_accounts_of([connection])
        verb = "is" if accounts.number == 1 else "are"
        yield Problem(
            tone="bad",
            word="Reconnect",
            name=connection.label,
            cause=f"Amazon no longer accepts this login. {accounts} {verb} not updated.",
            action="Reconnect",
            address=reverse("connect-amazon"),
            reconnect=connection.pk,
        )
    if rest := connections[MAX_CONNECTIONS_NAMED:]:
        yield Problem(
            tone="bad",
            word="Reconnect",
            name=f"{len(rest):,} more connection{'' if len(rest) == 1 else 's'}",
            cause="Amazon no longer accepts these logins.",
            action="See the connections",
            address=f"{reverse('connections')}?state=attention",
        )


def _report_expired_tokens(connections: list[Connection]) -> Iterator[Problem]:
    if connections:
        yield Problem(
            tone="bad",
            word="Token expired",
            name=_join_labels(connections),
            cause="The access token expired before a new one came. The next refresh starts by itself.",
            action="See the refreshes",
            address=f"{reverse('history')}?kind=refresh&outcome=failed",
        )


def _report_failed_syncs(connections: list[Connection], troubled: TroubledConnections) -> Iterator[Problem]:
    if connections:
        accounts = troubled.count_accounts_of(connections)
        reasons = {connection.sync_error for connection in connections if connection.sync_error}
        cause = reasons.pop() if len(reasons) == 1 else "The last sync failed. The next one starts by itself."
        yield Problem(
            tone="bad",
            word="Sync failed",
            name=f"Failed syncs of {accounts}: {_join_labels(connections)}",
            cause=cause,
            action="See the accounts",
            address=f"{reverse('accounts')}?sync_status=failing",
        )


def _report_late_syncs(connections: list[Connection], troubled: TroubledConnections) -> Iterator[Problem]:
    if connections:
        yield Problem(
            tone="attention",
            word="Late",
            name=f"{troubled.count_accounts_of(connections)}: {_join_labels(connections)}",
            cause="The last sync is longer ago than two intervals. Is a worker running?",
            action="See the accounts",
            address=f"{reverse('accounts')}?sync_status=stale",
        )


def _report_unsent_alerts(user: User) -> Iterator[Problem]:
    if not may(user, "tokens.view_alert"):
        return
    alerts = Alert.objects.visible_to(user).undelivered()
    errors = list(alerts.values_list("error", flat=True)[:MAX_ALERTS_COUNTED])
    if not errors:
        return
    or_more = "+" if len(errors) == MAX_ALERTS_COUNTED else ""
    remedy = "Give a staff user an e-mail address and check EMAIL_URL, or set ALERT_URLS."
    if settings.ALERT_URLS:
        remedy = "Check ALERT_URLS."
    yield Problem(
        tone="attention",
        word="Alerts not sent",
        name=f"{len(errors)}{or_more} alert{'' if len(errors) == 1 else 's'} could not be sent",
        cause=f"{errors[0]} {remedy}",
        action="See the alerts",
        address=f"{reverse('admin:tokens_alert_changelist')}?sent_at__isnull=True",
    )


def _report_suspended_accounts(number: int) -> Iterator[Problem]:
    if number:
        yield Problem(
            tone="bad",
            word="Suspended",
            name=str(AtLeast(number)),
            cause=(
                "Amazon has stopped their campaigns in at least one country. The page of each account says where, and "
                "what Amazon says; the advertiser has to settle it with Amazon."
            ),
            action="See the accounts",
            address=f"{reverse('accounts')}?status=suspended",
        )


def _report_accounts_at_risk(at_risk: AtRisk) -> Iterator[Problem]:
    if at_risk["number"]:
        first = at_risk["next_suspension_at"]
        soonest = f" The first suspension is announced for {first:%-d %B %Y}." if first else ""
        yield Problem(
            tone="attention",
            word="At risk",
            name=str(AtLeast(at_risk["number"])),
            cause=f"Amazon announces a suspension or reports a problem with the payment.{soonest}",
            action="See the accounts",
            address=f"{reverse('accounts')}?standing=at_risk",
        )


def _report_pending_accounts(number: int) -> Iterator[Problem]:
    if number:
        yield Problem(
            tone="attention",
            word="Pending",
            name=str(AtLeast(number)),
            cause=(
                "Their registration at Amazon is not finished, or their billing is not set up. "
                "The page of each account says what it waits for, if Amazon says so."
            ),
            action="See the accounts",
            address=f"{reverse('accounts')}?status=pending",
        )


def _join_labels(connections: list[Connection]) -> str:
    labels = ", ".join(connection.label for connection in connections[:2])
    rest = len(connections) - 2
    return f"{labels} and {rest:,} more" if rest > 0 else labels
