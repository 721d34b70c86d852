"""The health of the tokens, accounts and syncs that a person sees, and of the pace that Amazon allows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import CharField, Count, Max, Min, Q, QuerySet, Value
from django.db.models.functions import Now

from accounts.models import Account
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.amazon_ads.models import ApplicationRefusal, Family
from amazon_accounts.amazon_ads.pacing.report import PacingReport, report_pacing
from tokens.models import BROKEN, FAILING, Connection, Heartbeat, TokenRefresh, where_late, where_live
from tokens.people.groups import describe_missing, find_teams_of_groups
from tokens.permissions import may_everything
from tokens.processes.heartbeats import SILENCE

State = Literal["healthy", "degraded", "error"]


class Reason(TypedDict):
    state: Literal["degraded", "error"]
    # A sentence for people.
    text: str


class TokenHealth(TypedDict):
    valid: int
    expiring: int
    expired: int
    broken: int
    next_expiry: datetime | None
    success_rate_24h: float | None


class SyncHealth(TypedDict):
    last_synced_at: datetime | None
    # The last good sync of the login that waits longest, also of one that Amazon refuses.
    oldest_synced_at: datetime | None
    failing: int
    late: int
    next_sync_at: datetime | None


class PaceHealth(TypedDict):
    region: str | None
    family: str
    requests_per_second: float
    throttled_last_hour: int
    blocked_until: datetime | None
    circuit_open_until: datetime | None


class ServiceHealth(TypedDict):
    state: State
    # Errors come first.
    reasons: list[Reason]
    # The reasons that are about no login.
    own_reasons: list[Reason]
    tokens: TokenHealth
    syncs: SyncHealth
    pacing: list[PaceHealth]


class Health(ServiceHealth):
    # The number of accounts for each status.
    accounts: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class _ConnectionCounts:
    valid: int
    expiring: int
    expired: int
    broken: int
    failing: int
    late: int
    next_expiry: datetime | None
    last_synced_at: datetime | None
    oldest_synced_at: datetime | None
    next_sync_at: datetime | None


def check_health(user: User) -> Health:
    return {**check_services(user), "accounts": _count_accounts(user)}


def check_services(user: User) -> ServiceHealth:
    """Check all but the accounts, whose number decides the cost.

    Costs three queries, and for superusers one more for each team that OIDC_TEAM_ROLES names.
    """
    connections = _count_connections(user)
    counts = _count_processes_and_refreshes(user)
    pacing = report_pacing()
    own = _explain_processes(counts) + _explain_pacing(pacing) + _explain_settings(user)
    reasons = sorted(_explain_connections(connections) + own, key=lambda reason: reason["state"] != "error")
    return {
        "state": reasons[0]["state"] if reasons else "healthy",
        "reasons": reasons,
        "own_reasons": own,
        "tokens": {
            "valid": connections.valid,
            "expiring": connections.expiring,
            "expired": connections.expired,
            "broken": connections.broken,
            "next_expiry": connections.next_expiry,
            "success_rate_24h": _compute_success_rate(counts),
        },
        "syncs": {
            "last_synced_at": connections.last_synced_at,
            "oldest_synced_at": connections.oldest_synced_at,
            "failing": connections.failing,
            "late": connections.late,
            "next_sync_at": connections.next_sync_at,
        },
        "pacing": [_describe_pace(report) for report in pacing],
    }


def _count_connections(user: User) -> _ConnectionCounts:
    live = where_live()
    soon = Now() + timedelta(seconds=settings.TOKEN_REFRESH_LEAD_SECONDS)
    counts = Connection.objects.visible_to(user).aggregate(
        valid=Count("pk", filter=live & Q(expires_at__gt=soon)),
        expiring=Count("pk", filter=live & Q(expires_at__gt=Now(), expires_at__lte=soon)),
        expired=Count("pk", filter=live & (Q(expires_at__isnull=True) | Q(expires_at__lte=Now()))),
        broken=Count("pk", filter=BROKEN),
        next_expiry=Min("expires_at", filter=live & Q(expires_at__gt=Now())),
        failing=Count("pk", filter=live & FAILING),
        late=Count("pk", filter=live & where_late()),
        # Before the other one, whose name hides the column.
        oldest_synced_at=find_oldest_sync(),
        last_synced_at=Max("last_synced_at"),
        next_sync_at=Min("next_sync_at", filter=live & Q(paused=False)),
    )
    return _ConnectionCounts(**counts)


def find_oldest_sync() -> Min:
    """Return, for an aggregate of connections, the last good sync of the login that waits longest."""
    return Min("last_synced_at", filter=(where_live() | BROKEN) & Q(paused=False))


def _count_accounts(user: User) -> dict[str, int]:
    rows = Account.objects.visible_to(user).order_by().values_list("status").annotate(number=Count("pk"))
    return dict.fromkeys(Account.Status.values, 0) | dict(rows)


def _count_processes_and_refreshes(user: User) -> dict[str, int]:
    """Count in one query the workers that are alive, leading schedulers, refusals of our application, and refreshes.

    "judged" is the number of the last day's refreshes that count for the success rate, "valid" the number of those
    refreshes that left a valid token.
    """
    alive = Heartbeat.objects.filter(beat_at__gt=Now() - SILENCE)
    judged = TokenRefresh.objects.visible_to(user).since(Now() - timedelta(days=1)).judged()
    # Each check probes a refused application. Two checks without a refusal mean that Amazon accepts it again.
    recently = Now() - timedelta(seconds=2 * settings.TOKEN_REFRESH_CHECK_SECONDS + 60)
    refusals = ApplicationRefusal.objects.filter(
        client_id=settings.AMAZON_CLIENT_ID, last_refused_at__gt=recently
    )
    counts: QuerySet[Any, Any] = _count_as("judged", judged).union(
        _count_as("valid", judged.filter(token_valid_after=True)),
        _count_as("workers", alive.filter(kind=Heartbeat.Kind.WORKER)),
        _count_as("schedulers", alive.filter(kind=Heartbeat.Kind.SCHEDULER, leads=True)),
        _count_as("refusals", refusals),
    )
    # Django 6.1 gives a union the order of its model.
    counts = counts.order_by()
    return dict.fromkeys(("judged", "valid", "workers", "schedulers", "refusals"), 0) | dict(counts)


def _count_as(word: str, rows: QuerySet[Any]) -> QuerySet[Any, Any]:
    named = rows.order_by().annotate(word=Value(word, output_field=CharField()))
    counted: QuerySet[Any, Any] = named.values("word").annotate(number=Count("pk"))
    return counted.values_list("word", "number")


def _compute_success_rate(counts: dict[str, int]) -> float | None:
    # TokenRefreshQuerySet.success_rate would need a query of its own.
    return round(counts["valid"] / counts["judged"], 4) if counts["judged"] else None


def _describe_pace(report: PacingReport) -> PaceHealth:
    return {
        "region": report.region or None,
        "family": report.family,
        "requests_per_second": round(report.requests_per_second, 3),
        "throttled_last_hour": report.throttled_last_hour,
        "blocked_until": report.blocked_until,
        "circuit_open_until": report.circuit_open_until,
    }


def _explain_processes(counts: dict[str, int]) -> list[Reason]:
    texts = []
    if counts["refusals"]:
        texts.append("Amazon refuses our application: check its client id and secret. No login is at fault.")
    if not counts["workers"]:
        texts.append("No worker is running, so nothing is refreshed or synced.")
    if not counts["schedulers"]:
        texts.append("No scheduler is running, so nothing is refreshed or synced by itself.")
    return [{"state": "error", "text": text} for text in texts]


def _explain_connections(counts: _ConnectionCounts) -> list[Reason]:
    reasons: list[Reason] = []
    if number := counts.broken:
        text = f"Amazon refuses {_name_logins(number)}. Reconnect {'it' if number == 1 else 'them'}."
        reasons.append({"state": "error", "text": text})
    if number := counts.expired:
        text = (
            f"{_name_logins(number)} {'has' if number == 1 else 'have'} no valid access token at the moment."
        )
        reasons.append({"state": "error", "text": text})
    if number := counts.failing:
        reasons.append({"state": "degraded", "text": f"The last sync of {_name_logins(number)} failed."})
    if number := counts.late:
        reasons.append({"state": "degraded", "text": f"The sync of {_name_logins(number)} is late."})
    return reasons


def _explain_pacing(reports: list[PacingReport]) -> list[Reason]:
    # Several kinds of calls wait in one region for the same cause.
    texts: dict[str, None] = {}
    for report in reports:
        if report.family == Family.BILLING:
            # Without it only the standing of accounts gets older. Nothing else is worse.
            continue
        place = f" in {Region(report.region).label}" if report.region else ""
        if report.circuit_open_until:
            texts[f"Amazon does not answer{place}. We try again by ourselves."] = None
        elif report.blocked_until:
            texts[f"Amazon asked us to wait{place}. We go on by ourselves."] = None
    return [{"state": "degraded", "text": text} for text in texts]


def _explain_settings(user: User) -> list[Reason]:
    # The setting may have the name that a team had before, which other people need not know. A team that is missing
    # when web starts stops the start, so this is one that was renamed since.
    if not settings.OIDC_TEAM_ROLES or not may_everything(user):
        return []
    problem = describe_missing(find_teams_of_groups())
    return [{"state": "degraded", "text": problem}] if problem else []


def _name_logins(number: int) -> str:
    return "1 login" if number == 1 else f"{number:,} logins"
