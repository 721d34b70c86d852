"""The problems that need a person, worst first: each with its cause and the button that leads to the remedy."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Case, Q, When
from django.db.models.functions import Now
from django.urls import reverse

from accounts.models import HealthReason
from accounts.sync.failing import find_last_cause
from amazon_accounts.amazon_ads.causes import Cause, explain
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.formats.times import format_moment
from dashboard.lists.account_counts import AccountCounts, AtLeast, count_accounts
from dashboard.overview.consents import EndingConsents
from dashboard.overview.problem import Problem
from dashboard.overview.standing_problems import (
    report_at_risk,
    report_suspended,
    report_unfinished,
    report_untold,
)
from dashboard.overview.standings import AHEAD_DAYS, Standings
from dashboard.status import REASON
from tokens.models import BROKEN, FAILING, Alert, Connection, where_late, where_live
from tokens.permissions import may, read_limits

MAX_ALERTS_COUNTED = 100


@dataclass(frozen=True)
class TroubledConnections:
    """The connections of one person that are not in order, and how many accounts each has."""

    connections: list[Connection]
    accounts: AccountCounts
    # Why the last sync of each failed.
    causes: Mapping[UUID, str]

    @classmethod
    def find(cls, user: User) -> "TroubledConnections":
        """Find them in two queries."""
        wrong = FAILING | Q(expires_at__lt=Now()) | where_late() | Q(last_synced_at__isnull=True)
        connections = list(
            Connection.objects.visible_to(user)
            .filter(BROKEN | (where_live() & wrong))
            .defer("access_token", "refresh_token")
            .annotate(cause=Case(When(FAILING, then=find_last_cause())))
            .order_by("label", "pk")
        )
        causes = {connection.pk: vars(connection)["cause"] for connection in connections}
        counts = count_accounts([connection.pk for connection in connections], only_live=True)
        return cls(connections, counts, causes)

    @property
    def not_updated(self) -> AtLeast:
        """The accounts whose login Amazon refuses."""
        return self.count_accounts_of([each for each in self.connections if each.is_broken])

    @property
    def in_first_sync(self) -> list[Connection]:
        return [
            each
            for each in self.connections
            if each.last_synced_at is None and not (each.is_broken or each.is_failing or each.paused)
        ]

    def count_accounts_of(self, connections: list[Connection]) -> AtLeast:
        return self.accounts.of(*(connection.pk for connection in connections))


def find_problems(
    user: User, standings: Standings, consents: EndingConsents, troubled: TroubledConnections
) -> list[Problem]:
    """Return the problems that this person may see: one for each cause. Costs one query."""
    now = approximate_now()
    broken = [c for c in troubled.connections if c.is_broken]
    active = [c for c in troubled.connections if not c.is_broken]
    return [
        # Accounts without ads cost their owners sales in this hour.
        *report_suspended(standings),
        *_report_refused_logins(user, broken, troubled),
        *_report_expired_tokens([c for c in active if c.expires_at is not None and c.expires_at < now]),
        *_report_failing_syncs([c for c in active if c.is_failing], troubled),
        *report_at_risk(standings),
        *_report_ending_consents(user, consents),
        *report_unfinished(standings),
        *_report_unsent_alerts(user),
        *_report_late_syncs([c for c in active if c.is_late], troubled),
        *report_untold(standings),
    ]


def _report_refused_logins(
    user: User, connections: list[Connection], troubled: TroubledConnections
) -> Iterator[Problem]:
    if not connections:
        return
    accounts = troubled.count_accounts_of(connections)
    number = len(connections)
    since = min((c.last_error_at for c in connections if c.last_error_at), default=None)
    begin = f"{'Since' if number == 1 else 'The first since'} {format_moment(since)}. " if since else ""
    are = "is" if accounts.number == 1 else "are"
    logins = "1 login" if number == 1 else f"{number:,} logins"
    only = connections[0] if number == 1 else None
    yield Problem(
        tone="bad",
        word="Login refused",
        name=f"{only.label if only else logins} must be reconnected",
        cause=f"{begin}{'Its' if only else 'Their'} {accounts} {are} not updated.",
        action="Reconnect" if only else f"Reconnect {logins}",
        address=reverse("connect-amazon")
        if only
        else f"{reverse('connections')}?state=reauthorization_required",
        reconnect=only.pk if only else None,
        links_query="" if only else _select_connections(user, state="reauthorization_required"),
        is_main=True,
    )


def _report_expired_tokens(connections: list[Connection]) -> Iterator[Problem]:
    if connections:
        yield Problem(
            tone="bad",
            word="Token expired",
            name=_join_labels(connections),
            cause="The access token ended before a new one came. The next refresh starts by itself.",
            action="See the refreshes",
            address=f"{reverse('activity')}?kind=refresh&outcome=failed",
        )


def _report_failing_syncs(connections: list[Connection], troubled: TroubledConnections) -> Iterator[Problem]:
    groups: dict[str, list[Connection]] = defaultdict(list)
    for connection in connections:
        groups[troubled.causes.get(connection.pk) or Cause.OTHER].append(connection)
    for cause, failing in sorted(groups.items(), key=lambda group: -len(group[1])):
        explanation = explain(cause)
        accounts = troubled.count_accounts_of(failing)
        are = "is" if accounts.number == 1 else "are"
        yield Problem(
            tone="bad",
            word=REASON[HealthReason.SYNC_FAILING].word,
            name=f"{explanation.word}: {_join_labels(failing)}",
            cause=f"{accounts} {are} not updated. {explanation.sentence}",
            details=failing[0].sync_error,
            action="See the accounts",
            address=f"{reverse('accounts')}?health_reason=sync_failing",
        )


def _report_ending_consents(user: User, consents: EndingConsents) -> Iterator[Problem]:
    if not (number := consents.number):
        return
    without = consents.without_contact
    nobody = (
        f" {without:,} {'has' if without == 1 else 'have'} no contact to send a link to." if without else ""
    )
    yield Problem(
        tone="attention",
        word="Consent ends",
        name=f"{number:,} login{' ends' if number == 1 else 's end'} within {AHEAD_DAYS} days",
        cause=f"{'On' if number == 1 else 'First on'} {consents.days[0].day:%-d %b}.{nobody}",
        action="See renewals",
        address=f"{reverse('renewals')}?consent=ends_in_30",
        links_query=_select_connections(user, state="active", consent="ends_in_30")
        if number > without
        else "",
    )


def _report_late_syncs(connections: list[Connection], troubled: TroubledConnections) -> Iterator[Problem]:
    if connections:
        yield Problem(
            tone="attention",
            word=REASON[HealthReason.LATE].word,
            name=f"{troubled.count_accounts_of(connections)}: {_join_labels(connections)}",
            cause="The last sync is longer ago than two intervals. Is a worker running?",
            action="See the accounts",
            address=f"{reverse('accounts')}?health_reason=late",
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
        name=f"{len(errors)}{or_more} alert{'' if len(errors) == 1 else 's'} could not be delivered",
        cause=remedy,
        details=errors[0],
        action="See the alerts",
        address=f"{reverse('admin:tokens_alert_changelist')}?sent_at__isnull=True",
    )


def _select_connections(user: User, **filters: str) -> str:
    """Return the filters as a query string, limited to the team that the person looks at."""
    team_id = read_limits(user).team_id
    return urlencode(filters | ({"team": str(team_id)} if team_id else {}))


def _join_labels(connections: list[Connection]) -> str:
    labels = ", ".join(connection.label for connection in connections[:2])
    rest = len(connections) - 2
    return f"{labels} and {rest:,} more" if rest > 0 else labels
