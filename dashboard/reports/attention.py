"""The connections and accounts that need a person, worst first: each one line, with the button that mends it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from dashboard.reports.account_counts import AccountCounts, AtLeast, count_accounts
from dashboard.status import Tone
from tokens.models import BROKEN, FAILING, Alert, Connection, where_late, where_live
from tokens.permissions import may

# Beyond so many of a kind one line tells of the rest.
NAMED = 5


@dataclass(frozen=True)
class Matter:
    tone: Tone
    word: str
    name: str
    cause: str
    action: str = ""
    address: str = ""
    permission: str = ""


@dataclass(frozen=True)
class Troubled:
    """The connections of one person that are not in order, and how many accounts each has."""

    connections: list[Connection]
    accounts: AccountCounts

    @classmethod
    def of(cls, user: User, now: datetime) -> "Troubled":
        wrong = FAILING | Q(expires_at__lt=now) | where_late(now)
        connections = list(
            Connection.objects.visible_to(user)
            .filter(BROKEN | (where_live() & wrong))
            .defer("access_token", "refresh_token")
            .order_by("label", "pk")
        )
        return cls(connections, count_accounts([connection.pk for connection in connections], only_live=True))

    def accounts_of(self, connections: list[Connection]) -> AtLeast:
        return self.accounts.of(*(connection.pk for connection in connections))


def matters(user: User, *, suspended: int, pending: int) -> list[Matter]:
    """Return what this person may see of it; so many accounts in two states are told of, too. Costs three queries."""
    now = timezone.now()
    troubled = Troubled.of(user, now)
    broken = [c for c in troubled.connections if c.is_broken]
    active = [c for c in troubled.connections if not c.is_broken]
    return [
        *_reconnects(broken, troubled),
        *_expired([c for c in active if c.expires_at is not None and c.expires_at < now]),
        *_failed_syncs([c for c in active if c.is_failing], troubled),
        *_untold(user),
        *_late([c for c in active if c.is_late], troubled),
        *_suspended(suspended),
        *_pending(pending),
    ]


def _reconnects(connections: list[Connection], troubled: Troubled) -> Iterator[Matter]:
    for connection in connections[:NAMED]:
        number = troubled.accounts_of([connection])
        yield Matter(
            "bad",
            "Reconnect",
            connection.label,
            f"Amazon no longer accepts this login. {number} {'is' if number.number == 1 else 'are'} not updated.",
            "Reconnect",
            f"{reverse('connect-amazon')}?connection={connection.pk}",
            "tokens.connect_amazon",
        )
    if rest := connections[NAMED:]:
        yield Matter(
            "bad",
            "Reconnect",
            f"{len(rest):,} more connection{'' if len(rest) == 1 else 's'}",
            "Amazon no longer accepts these logins.",
            "See them",
            f"{reverse('connections')}?state=attention",
        )


def _expired(connections: list[Connection]) -> Iterator[Matter]:
    if connections:
        yield Matter(
            "bad",
            "Token expired",
            _names(connections),
            "The access token ended before a new one came. The next refresh is tried by itself.",
            "See the refreshes",
            f"{reverse('history')}?kind=refresh&outcome=failed",
        )


def _failed_syncs(connections: list[Connection], troubled: Troubled) -> Iterator[Matter]:
    if connections:
        number = troubled.accounts_of(connections)
        reasons = {connection.sync_error for connection in connections if connection.sync_error}
        cause = reasons.pop() if len(reasons) == 1 else "The last sync failed. It is tried again by itself."
        yield Matter(
            "bad",
            "Sync failed",
            f"Failed syncs of {number}: {_names(connections)}",
            cause,
            "See the accounts",
            f"{reverse('accounts')}?sync=failing",
        )


def _late(connections: list[Connection], troubled: Troubled) -> Iterator[Matter]:
    if connections:
        number = troubled.accounts_of(connections)
        yield Matter(
            "attention",
            "Late",
            f"{number}: {_names(connections)}",
            "The last sync is longer ago than two intervals. Is a worker running?",
            "See the accounts",
            f"{reverse('accounts')}?sync=stale",
        )


def _untold(user: User) -> Iterator[Matter]:
    alerts = Alert.objects.visible_to(user).undelivered()
    if may(user, "tokens.view_alert") and (errors := list(alerts.values_list("error", flat=True)[:100])):
        number = f"{len(errors)}{'+' if len(errors) == 100 else ''} alert{'' if len(errors) == 1 else 's'}"
        mend = (
            "Check ALERT_URLS."
            if settings.ALERT_URLS
            else "Give a staff user an e-mail address and check EMAIL_URL, or set ALERT_URLS."
        )
        yield Matter(
            "attention",
            "Nobody told",
            f"{number} could not be sent",
            f"{errors[0]} {mend}",
            "See the alerts",
            f"{reverse('admin:tokens_alert_changelist')}?sent_at__isnull=True",
        )


def _suspended(number: int) -> Iterator[Matter]:
    if number:
        yield Matter(
            "bad",
            "Suspended",
            str(AtLeast(number)),
            "Amazon has suspended them: it lets nobody advertise there until the advertiser has settled it with Amazon.",
            "See the accounts",
            f"{reverse('accounts')}?status=suspended",
        )


def _pending(number: int) -> Iterator[Matter]:
    if number:
        yield Matter(
            "attention",
            "Pending",
            str(AtLeast(number)),
            "Amazon has not finished their registration. Each account's page says what it waits for, if Amazon does.",
            "See the accounts",
            f"{reverse('accounts')}?status=pending",
        )


def _names(connections: list[Connection]) -> str:
    names = ", ".join(connection.label for connection in connections[:2])
    rest = len(connections) - 2
    return f"{names} and {rest:,} more" if rest > 0 else names
