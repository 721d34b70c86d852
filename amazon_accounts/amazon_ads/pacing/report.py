"""What health, overview and /metrics say about the pace and about the calls to Amazon."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import DecimalField, F, IntegerField, OuterRef, Subquery, Sum
from django.db.models.functions import Cast, Coalesce

from amazon_accounts.amazon_ads.models import Family, RateLimit, RateLimitHour
from amazon_accounts.postgresql.clock import approximate_now

HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class PacingReport:
    """The state of one rate limit. A moment in the past is None: that pause is over."""

    region: str
    family: Family
    requests_per_second: float
    throttled_last_hour: int
    blocked_until: datetime | None
    circuit_open_until: datetime | None


@dataclass(frozen=True, kw_only=True)
class CallTotals:
    """What one rate limit counted since it was made. No total ever falls while the database lives."""

    region: str
    family: Family
    requests: int
    throttled: int
    failures: int
    waited_seconds: float


def report_pacing() -> list[PacingReport]:
    moment = approximate_now()
    this_hour = moment.replace(minute=0, second=0, microsecond=0)
    hour_before = RateLimitHour.objects.filter(rate_limit=OuterRef("pk"), hour=this_hour - HOUR)
    throttled_before = Subquery(hour_before.values("throttled")[:1], output_field=IntegerField())
    limits = RateLimit.objects.annotate(throttled_before=Coalesce(throttled_before, 0))
    return [
        PacingReport(
            region=limit.region,
            family=Family(limit.family),
            requests_per_second=limit.pace,
            throttled_last_hour=_throttled_last_hour(limit, limit.throttled_before, moment, this_hour),
            blocked_until=_if_ahead(limit.blocked_until, moment),
            circuit_open_until=_if_ahead(limit.circuit_open_until, moment),
        )
        for limit in limits.order_by("family", "region")
    ]


def _throttled_last_hour(
    limit: RateLimit, throttled_before: int, moment: datetime, this_hour: datetime
) -> int:
    # Without traffic a rate limit still holds the counts of the hour of its last request.
    counts = {this_hour - HOUR: throttled_before}
    counts[limit.hour] = counts.get(limit.hour, 0) + limit.throttled
    # The counts are kept by hours of the clock. At 10:15 the last sixty minutes are all of the hour from 10:00, and
    # three quarters of the hour from 9:00.
    share = 1 - (moment - this_hour) / HOUR
    return counts.get(this_hour, 0) + round(share * counts[this_hour - HOUR])


def _if_ahead(until: datetime | None, moment: datetime) -> datetime | None:
    return until if until and until > moment else None


def count_calls() -> list[CallTotals]:
    """Count the calls of all rate limits, by family and region.

    One statement reads the current hour and all hours before it: an hour that is being closed is counted once.
    """
    # Sums of floats depend on their order, and Prometheus takes the smallest fall for a restart. Milliseconds in
    # decimals add up to the same sum in any order, also when old hours are added up into months.
    limits = RateLimit.objects.annotate(
        all_requests=F("requests") + Coalesce(Sum("hours__requests"), 0),
        all_throttled=F("throttled") + Coalesce(Sum("hours__throttled"), 0),
        all_failures=F("failures") + Coalesce(Sum("hours__failures"), 0),
        all_waited=Cast("waited_seconds", MILLISECONDS)
        + Coalesce(Sum(Cast("hours__waited_seconds", MILLISECONDS)), 0, output_field=MILLISECONDS),
    )
    return [
        CallTotals(
            region=limit.region,
            family=Family(limit.family),
            requests=limit.all_requests,
            throttled=limit.all_throttled,
            failures=limit.all_failures,
            waited_seconds=float(limit.all_waited),
        )
        for limit in limits.order_by("family", "region")
    ]


MILLISECONDS = DecimalField(max_digits=20, decimal_places=3)
