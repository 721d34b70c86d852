"""What needs a person, worst first: each one line, with the button that mends it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account
from accounts.pagination import capped_count
from amazon_accounts.amazon_ads.application import is_refused
from amazon_accounts.amazon_ads.models import RateLimit
from dashboard.status import Tone
from tokens.models import Connection

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


def matters(user: User, now: datetime | None = None) -> list[Matter]:
    """Return what this person may see of it. Costs at most four queries."""
    now = now or timezone.now()
    late = now - timedelta(seconds=2 * settings.SYNC_INTERVAL_SECONDS)
    troubled = list(_troubled(user, now, late))
    accounts = dict(
        Account.objects.filter(connection__in=[connection.pk for connection in troubled])
        .exclude(status=Account.Status.INACTIVE)
        .order_by()
        .values_list("connection")
        .annotate(Count("pk"))
    )
    return [
        *_application_refused(),
        *_reconnects([c for c in troubled if c.state == Connection.State.REAUTHORIZATION_REQUIRED], accounts),
        *_expired([c for c in troubled if _is_expired(c, now)]),
        *_failed_syncs(
            [c for c in troubled if c.state == Connection.State.ACTIVE and c.sync_failures], accounts
        ),
        *_waiting(now),
        *_late([c for c in troubled if _is_late(c, late)], accounts),
        *_pending(user),
    ]


def _troubled(user: User, now: datetime, late: datetime) -> Iterator[Connection]:
    live = Q(state=Connection.State.ACTIVE, client_id=settings.AMAZON_CLIENT_ID)
    wrong = Q(sync_failures__gt=0) | Q(expires_at__lt=now) | Q(last_synced_at__lt=late)
    broken = Q(state=Connection.State.REAUTHORIZATION_REQUIRED)
    connections = Connection.objects.visible_to(user).filter(broken | (live & wrong))
    return connections.defer("access_token", "refresh_token").order_by("label", "pk").iterator()


def _is_expired(connection: Connection, now: datetime) -> bool:
    return (
        connection.state == Connection.State.ACTIVE
        and connection.expires_at is not None
        and connection.expires_at < now
    )


def _is_late(connection: Connection, late: datetime) -> bool:
    return (
        connection.state == Connection.State.ACTIVE
        and not connection.sync_failures
        and connection.last_synced_at is not None
        and connection.last_synced_at < late
    )


def _application_refused() -> Iterator[Matter]:
    refusal = is_refused(settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET)
    if refusal is not None:
        yield Matter(
            "bad",
            "Application refused",
            "Our own application",
            f"Amazon refused it ({refusal.code}). No connection is at fault. Check the client id and secret; all "
            "refreshes are paused.",
        )


def _reconnects(connections: list[Connection], accounts: dict[object, int]) -> Iterator[Matter]:
    for connection in connections[:NAMED]:
        number = accounts.get(connection.pk, 0)
        yield Matter(
            "bad",
            "Reconnect",
            connection.label,
            f"Amazon no longer accepts this login. {_accounts(number)} {'is' if number == 1 else 'are'} not updated.",
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


def _failed_syncs(connections: list[Connection], accounts: dict[object, int]) -> Iterator[Matter]:
    if connections:
        number = sum(accounts.get(connection.pk, 0) for connection in connections)
        reasons = {connection.sync_error for connection in connections if connection.sync_error}
        cause = reasons.pop() if len(reasons) == 1 else "The last sync failed. It is tried again by itself."
        yield Matter(
            "bad",
            "Sync failed",
            f"Failed syncs of {_accounts(number)}: {_names(connections)}",
            cause,
            "See the accounts",
            f"{reverse('accounts')}?sync=failing",
        )


def _waiting(now: datetime) -> Iterator[Matter]:
    for limit in RateLimit.objects.filter(Q(blocked_until__gt=now) | Q(circuit_open_until__gt=now)):
        is_open = limit.circuit_open_until is not None and limit.circuit_open_until > now
        until = limit.circuit_open_until if is_open else limit.blocked_until
        cause = (
            "Amazon did not answer several times. Calls are held back and tried again by themselves"
            if is_open
            else "Amazon is busy and asked us to wait. Syncs go on by themselves"
        )
        yield Matter("attention", "Waiting", str(limit), f"{cause} at {until:%H:%M} UTC.")


def _late(connections: list[Connection], accounts: dict[object, int]) -> Iterator[Matter]:
    if connections:
        number = sum(accounts.get(connection.pk, 0) for connection in connections)
        yield Matter(
            "attention",
            "Late",
            f"{_accounts(number)}: {_names(connections)}",
            "The last sync is longer ago than two intervals. Is a worker running?",
            "See the accounts",
            f"{reverse('accounts')}?sync=stale",
        )


def _pending(user: User) -> Iterator[Matter]:
    pending = Account.objects.visible_to(user).filter(status=Account.Status.PENDING).exclude(errors={})
    count = capped_count(pending)
    if count.number:
        number = f"{count.number:,}{'+' if count.capped else ''} account{'' if count.number == 1 else 's'}"
        yield Matter(
            "attention",
            "Pending",
            number,
            "Amazon waits for something from the advertiser, by country.",
            "See the accounts",
            f"{reverse('accounts')}?status=pending",
        )


def _accounts(number: int) -> str:
    return f"{number:,} account{'' if number == 1 else 's'}"


def _names(connections: list[Connection]) -> str:
    names = ", ".join(connection.label for connection in connections[:2])
    rest = len(connections) - 2
    return f"{names} and {rest:,} more" if rest > 0 else names
