"""The problems that need a person, worst first: each with its cause and the button that leads to the remedy."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.urls import reverse

from amazon_accounts.postgresql.clock import approximate_now
from dashboard.account_counts import AccountCounts, AtLeast, count_accounts
from dashboard.overview.problem import Problem
from dashboard.overview.standing_problems import (
    report_at_risk,
    report_suspended,
    report_unfinished,
    report_untold,
)
from dashboard.overview.standings import Standings
from tokens.models import BROKEN, FAILING, Alert, Connection, where_late, where_live
from tokens.permissions import may

# One further problem stands for the other connections.
MAX_CONNECTIONS_NAMED = 5
MAX_ALERTS_COUNTED = 100


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


def find_problems(user: User, standings: Standings) -> list[Problem]:
    """Return the problems that this person may see. Costs three queries."""
    now = approximate_now()
    troubled = TroubledConnections.find(user, now)
    broken = [c for c in troubled.connections if c.is_broken]
    active = [c for c in troubled.connections if not c.is_broken]
    return [
        # Accounts without ads cost their owners sales in this hour.
        *report_suspended(standings),
        *_report_broken_connections(broken, troubled),
        *_report_expired_tokens([c for c in active if c.expires_at is not None and c.expires_at < now]),
        *_report_failed_syncs([c for c in active if c.is_failing], troubled),
        *report_at_risk(standings),
        *report_unfinished(standings),
        *_report_unsent_alerts(user),
        *_report_late_syncs([c for c in active if c.is_late], troubled),
        *report_untold(standings),
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
            address=f"{reverse('connections')}?state=reauthorization_required",
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
        remedy = "Check ALERT_URLS and EMAIL_URL." if settings.MAIL_ALERTS else "Check ALERT_URLS."
    yield Problem(
        tone="attention",
        word="Alerts not sent",
        name=f"{len(errors)}{or_more} alert{'' if len(errors) == 1 else 's'} could not be sent",
        cause=f"{errors[0]} {remedy}",
        action="See the alerts",
        address=f"{reverse('admin:tokens_alert_changelist')}?sent_at__isnull=True",
    )


def _join_labels(connections: list[Connection]) -> str:
    labels = ", ".join(connection.label for connection in connections[:2])
    rest = len(connections) - 2
    return f"{labels} and {rest:,} more" if rest > 0 else labels
