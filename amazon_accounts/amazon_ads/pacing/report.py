"""How the pace is kept, for the health page, the API and the metrics."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import Prefetch
from django.utils.timezone import now

from amazon_accounts.amazon_ads.models import Family, RateLimit, RateLimitHour

Circuit = Literal["closed", "open", "probing"]


@dataclass(frozen=True)
class PacingReport:
    """One row's state, and its last sixty minutes: of the hour before this one, the share that lies in them."""

    region: str
    family: Family
    name: str
    pace: float  # requests a second
    is_learned: bool
    requests: int
    throttled: int
    failures: int
    waited_seconds: float
    blocked_until: datetime | None
    circuit: Circuit
    circuit_open_until: datetime | None
    parked_logins: int
    used_at: datetime


def pacing_report() -> list[PacingReport]:
    """All rows, in three queries, by region and family."""
    moment = now()
    this_hour = moment.replace(minute=0, second=0, microsecond=0)
    hour_before = RateLimitHour.objects.filter(hour=this_hour - timedelta(hours=1))
    limits = RateLimit.objects.order_by("region", "family").prefetch_related(
        Prefetch("hours", hour_before, to_attr="hour_before"), "parked_logins"
    )
    return [_report(limit, moment, this_hour) for limit in limits]


def _report(limit: RateLimit, moment: datetime, this_hour: datetime) -> PacingReport:
    share_before = 1 - (moment - this_hour) / timedelta(hours=1)
    counts = {name: _last_sixty_minutes(limit, name, this_hour, share_before) for name in COUNTS}
    is_blocked = limit.blocked_until is not None and limit.blocked_until > moment
    return PacingReport(
        region=limit.region,
        family=Family(limit.family),
        name=str(limit),
        pace=limit.pace,
        is_learned=not limit.growing,
        requests=round(counts["requests"]),
        throttled=round(counts["throttled"]),
        failures=round(counts["failures"]),
        waited_seconds=counts["waited_seconds"],
        blocked_until=limit.blocked_until if is_blocked else None,
        circuit=_circuit(limit, moment),
        circuit_open_until=limit.circuit_open_until,
        parked_logins=sum(parked.until > moment for parked in limit.parked_logins.all()),
        used_at=limit.used_at,
    )


COUNTS = ("requests", "throttled", "failures", "waited_seconds")


def _last_sixty_minutes(limit: RateLimit, name: str, this_hour: datetime, share_before: float) -> float:
    # The row's own counts are of the hour of its last request, which need not be this one.
    counts = {before.hour: float(getattr(before, name)) for before in getattr(limit, "hour_before", [])}
    counts[limit.hour] = counts.get(limit.hour, 0.0) + float(getattr(limit, name))
    return counts.get(this_hour, 0.0) + share_before * counts.get(this_hour - timedelta(hours=1), 0.0)


def _circuit(limit: RateLimit, moment: datetime) -> Circuit:
    if limit.circuit_open_until is None:
        return "closed"
    return "open" if limit.circuit_open_until > moment else "probing"
