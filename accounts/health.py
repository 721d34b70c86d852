"""How everything stands, in one look: the tokens, the accounts, the syncs, the pace that Amazon allows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import CharField, Count, IntegerField, Max, Min, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import Account
from amazon_accounts.amazon_ads.models import ApplicationRefusal, RateLimit, RateLimitHour
from tokens.models import BROKEN, FAILING, Connection, Heartbeat, TokenRefresh, where_late, where_live
from tokens.processes.heartbeats import SILENCE

State = Literal["healthy", "degraded", "error"]


@dataclass(frozen=True)
class Reason:
    """Why not all is well, in a sentence."""

    state: State
    text: str


def health(user: User) -> dict[str, Any]:
    """Return the state of what this person sees, worst reasons first. Costs four queries.

    Keys: `state` (`healthy`, `degraded`, `error`), `reasons` (each `state`, `text`), `tokens`, `accounts` by status,
    `syncs`, and `pacing`, a list.
    """
    now = timezone.now()
    connections = _connections(user, now)
    told = _told(user, now)
    pacing = _pacing(now)
    reasons = sorted(_reasons(connections, told, pacing), key=lambda reason: reason.state != "error")
    return {
        "state": reasons[0].state if reasons else "healthy",
        "reasons": [{"state": reason.state, "text": reason.text} for reason in reasons],
        "tokens": {
            "valid": connections["valid"],
            "expiring": connections["expiring"],
            "expired": connections["expired"],
            "broken": connections["broken"],
            "next_expiry": connections["next_expiry"],
            "success_rate_24h": _success_rate(told),
        },
        "accounts": _accounts(user),
        "syncs": {
            "last_synced_at": connections["last_synced_at"],
            "failing": connections["failing"],
            "late": connections["late"],
            "next_sync_at": connections["next_sync_at"],
        },
        "pacing": pacing,
    }


def _connections(user: User, now: datetime) -> dict[str, Any]:
    live = where_live()
    soon = now + timedelta(seconds=settings.TOKEN_REFRESH_LEAD_SECONDS)
    return Connection.objects.visible_to(user).aggregate(
        valid=Count("pk", filter=live & Q(expires_at__gt=soon)),
        expiring=Count("pk", filter=live & Q(expires_at__gt=now, expires_at__lte=soon)),
        expired=Count("pk", filter=live & (Q(expires_at__isnull=True) | Q(expires_at__lte=now))),
        broken=Count("pk", filter=BROKEN),
        next_expiry=Min("expires_at", filter=live & Q(expires_at__gt=now)),
        failing=Count("pk", filter=live & FAILING),
        late=Count("pk", filter=live & where_late(now)),
        last_synced_at=Max("last_synced_at"),
        next_sync_at=Min("next_sync_at", filter=live),
    )


def _accounts(user: User) -> dict[str, int]:
    rows = Account.objects.visible_to(user).order_by().values_list("status").annotate(number=Count("pk"))
    return dict.fromkeys(Account.Status.values, 0) | dict(rows)


def _told(user: User, now: datetime) -> dict[str, int]:
    """Count by one word each: living workers and leading schedulers, refusals of our application, the last day's
    refreshes that tell something about us, and those of them that left a valid token."""
    alive = Heartbeat.objects.filter(beat_at__gt=now - SILENCE)
    judged = TokenRefresh.objects.visible_to(user).since(now - timedelta(days=1)).judged()
    # A refused application is probed at each check; one that has not been refused for two was mended.
    recently = now - timedelta(seconds=2 * settings.TOKEN_REFRESH_CHECK_SECONDS + 60)
    refusals = ApplicationRefusal.objects.filter(
        client_id=settings.AMAZON_CLIENT_ID, last_refused_at__gt=recently
    )
    counts: QuerySet[Any, Any] = _counted(judged, "judged").union(
        _counted(judged.filter(left_fresh=True), "fresh"),
        _counted(alive.filter(kind=Heartbeat.Kind.WORKER), "worker"),
        _counted(alive.filter(kind=Heartbeat.Kind.SCHEDULER, leads=True), "scheduler"),
        _counted(refusals, "refused"),
    )
    return dict(counts)


def _counted(rows: QuerySet[Any], word: str) -> QuerySet[Any, Any]:
    """Count rows under this word; no row, no count."""
    named = rows.order_by().annotate(word=Value(word, output_field=CharField()))
    counted: QuerySet[Any, Any] = named.values("word").annotate(number=Count("pk"))
    return counted.values_list("word", "number")


def _success_rate(told: dict[str, int]) -> float | None:
    """Return what `TokenRefreshQuerySet.success_rate` does, of what is counted already."""
    return round(told.get("fresh", 0) / told["judged"], 4) if told.get("judged") else None


def _pacing(now: datetime) -> list[dict[str, Any]]:
    hour = now.replace(minute=0, second=0, microsecond=0)
    before = RateLimitHour.objects.filter(rate_limit=OuterRef("pk"), hour=hour - timedelta(hours=1))
    limits = RateLimit.objects.order_by("family", "region").annotate(
        throttled_before=Coalesce(Subquery(before.values("throttled")[:1], output_field=IntegerField()), 0)
    )
    return [_pace(limit, now, hour) for limit in limits]


def _pace(limit: Any, now: datetime, hour: datetime) -> dict[str, Any]:
    this_hour, before = (limit.throttled, limit.throttled_before) if limit.hour == hour else (0, 0)
    if limit.hour == hour - timedelta(hours=1):
        before = limit.throttled
    # Counted by the hours of the clock: of the last one, as much as lies within sixty minutes.
    share = 1 - (now - hour) / timedelta(hours=1)
    return {
        "region": limit.region or None,
        "family": limit.family,
        "requests_per_second": round(limit.pace, 3),
        "throttled_last_hour": this_hour + round(before * share),
        "blocked_until": _ahead(limit.blocked_until, now),
        "circuit_open_until": _ahead(limit.circuit_open_until, now),
    }


def _ahead(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment and moment > now else None


def _reasons(connections: dict[str, Any], told: dict[str, int], pacing: list[dict[str, Any]]) -> list[Reason]:
    reasons = []
    if told.get("refused"):
        reasons.append(
            Reason(
                "error",
                "Amazon refuses our application: check its client id and secret. No login is at fault.",
            )
        )
    if not told.get("worker"):
        reasons.append(Reason("error", "No worker is running, so nothing is refreshed or synced."))
    if not told.get("scheduler"):
        reasons.append(
            Reason("error", "No scheduler is running, so nothing is refreshed or synced by itself.")
        )
    if number := connections["broken"]:
        reasons.append(Reason("error", f"Amazon no longer accepts {_logins(number)}; to be connected again."))
    if number := connections["expired"]:
        reasons.append(Reason("error", f"No valid access token at the moment: {_logins(number)}."))
    if number := connections["failing"]:
        reasons.append(Reason("degraded", f"The last sync of {_logins(number)} failed."))
    if number := connections["late"]:
        reasons.append(Reason("degraded", f"The sync of {_logins(number)} is late."))
    for row in pacing:
        place = " ".join(part for part in (row["family"], row["region"]) if part)
        if row["circuit_open_until"]:
            reasons.append(Reason("degraded", f"Amazon does not answer ({place}); the next try is soon."))
        elif row["blocked_until"]:
            reasons.append(Reason("degraded", f"Amazon asked us to wait ({place})."))
    return reasons


def _logins(number: int) -> str:
    return "1 login" if number == 1 else f"{number:,} logins"
