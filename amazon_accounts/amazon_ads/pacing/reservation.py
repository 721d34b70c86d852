"""When the next request may go: one statement gives out the slots, so that all workers keep one pace.

This is GCRA (the generic cell rate algorithm): slots lie 1/pace seconds apart, and after a pause up to `burst` of
them lie in the past and may be used at once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from django.db import connection, transaction

from amazon_accounts.amazon_ads.models import Family, ParkedLogin, RateLimit, RateLimitHour
from amazon_accounts.amazon_ads.pacing import pace
from amazon_accounts.postgresql.statements import load

RESERVE_SLOT = load(__file__, "reserve_slot")
IS_STILL_OPEN = load(__file__, "is_still_open")
COMBINE_OLD_HOURS = load(__file__, "combine_old_hours")

# While a probe is on its way, callers ask again after this time.
ASK_AGAIN_AFTER = timedelta(seconds=1)
# Older hours are added up by month.
HOURS_KEPT = timedelta(days=90)


class RateLimitKey(NamedTuple):
    """Names one RateLimit: a family of endpoints in a region. Login with Amazon has an empty region."""

    region: str
    family: Family


# What is in the way of a slot. parked: Amazon paused this login. blocked: Amazon paused everybody. circuit: Amazon
# does not answer. probing: another call is finding out whether it answers again. far: the next slot is too far away.
Obstacle = Literal["", "parked", "blocked", "circuit", "probing", "far"]


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """A slot that comes in `seconds`. With an obstacle there is no slot, and the caller may ask again in `seconds`."""

    seconds: float
    until: datetime
    # Seconds between two slots.
    interval: float
    # The rate limit had failures or its circuit is open, so Amazon's answer has to be recorded.
    had_failures: bool
    # When the pace was last slowed. A refusal of this request slows the pace again only if this did not change.
    slowed_at: datetime | None
    is_probe: bool = False
    obstacle: Obstacle = ""


def reserve(key: RateLimitKey, subject: str, *, max_wait: float) -> Reservation:
    """Reserve the next slot for a login, or report the obstacle if there is no slot within `max_wait` seconds.

    Each slot is given away once. A slot that nobody uses is lost, which does no harm.
    """
    # Nearly every reservation is this one UPDATE. It changes nothing when an obstacle exists, or when an hour must
    # be closed or the pace adapted first.
    return _take_slot(key, subject, max_wait) or _update_and_take_slot(key, subject, max_wait)


def _take_slot(
    key: RateLimitKey, subject: str, max_wait: float, *, is_probe: bool = False
) -> Reservation | None:
    parameters: dict[str, str | float | bool] = {
        "region": key.region,
        "family": key.family,
        "subject": subject,
        "max_wait": max(max_wait, 0.0),
        "ceiling": pace.bounds_of(key.family).ceiling,
        "growth": pace.GROWTH,
        "probe_every": pace.PROBE_EVERY.total_seconds(),
        "is_probe": is_probe,
    }
    with connection.cursor() as cursor:
        cursor.execute(RESERVE_SLOT, parameters)
        slot = cursor.fetchone()
    if slot is None:
        return None
    seconds, until, interval, had_failures, slowed_at = slot
    return Reservation(
        seconds=seconds,
        until=until,
        interval=interval,
        had_failures=had_failures,
        slowed_at=slowed_at,
        is_probe=is_probe,
    )


@transaction.atomic
def _update_and_take_slot(key: RateLimitKey, subject: str, max_wait: float) -> Reservation:
    limit, now = _lock_or_create(key)
    _bring_up_to_date(limit, now)
    parked = ParkedLogin.objects.filter(rate_limit=limit, subject=subject, until__gt=now).first()
    if parked:
        return _report_obstacle(limit, now, "parked", parked.until)
    if limit.circuit_open_until and limit.circuit_open_until > now:
        return _report_obstacle(limit, now, "circuit", limit.circuit_open_until)
    if limit.circuit_open_until and limit.probe_until and limit.probe_until > now:
        return _report_obstacle(limit, now, "probing", now + ASK_AGAIN_AFTER)
    is_probe = limit.circuit_open_until is not None
    reservation = _take_slot(key, subject, max_wait, is_probe=is_probe)
    if reservation is None:
        next_slot = limit.slot_at + timedelta(seconds=1 / limit.pace)
        if limit.blocked_until and limit.blocked_until > now:
            return _report_obstacle(limit, now, "blocked", max(next_slot, limit.blocked_until))
        return _report_obstacle(limit, now, "far", next_slot)
    if is_probe:
        lasts = timedelta(seconds=reservation.seconds + pace.probe_seconds(key.family))
        RateLimit.objects.filter(pk=limit.pk).update(probe_until=now + lasts)
    return reservation


def _report_obstacle(limit: RateLimit, now: datetime, obstacle: Obstacle, until: datetime) -> Reservation:
    return Reservation(
        obstacle=obstacle,
        seconds=max(0.0, (until - now).total_seconds()),
        until=until,
        interval=1 / limit.pace,
        had_failures=True,
        slowed_at=limit.slowed_at,
    )


def _lock_or_create(key: RateLimitKey) -> tuple[RateLimit, datetime]:
    limit, now = lock_rate_limit(key)
    if limit is None:
        allowed = pace.bounds_of(key.family)
        first = RateLimit(
            region=key.region,
            family=key.family,
            pace=allowed.start,
            burst=allowed.burst,
            slot_at=now - timedelta(hours=1),
            used_at=now,
            probed_at=now,
            hour=_hour_of(now),
        )
        RateLimit.objects.bulk_create([first], ignore_conflicts=True)
        limit = RateLimit.objects.select_for_update().get(**key._asdict())
    return limit, now


def lock_rate_limit(key: RateLimitKey) -> tuple[RateLimit | None, datetime]:
    """Lock the rate limit. Return it with PostgreSQL's time, the only clock for its moments.

    The transaction around it does not wait for the disk. If the database crashes, what is lost is soon learned again.
    """
    limit = RateLimit.objects.filter(**key._asdict()).select_for_update().first()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), set_config('synchronous_commit', 'off', true)")
        now, _ = cursor.fetchone()
    return limit, now


def _bring_up_to_date(limit: RateLimit, now: datetime) -> None:
    # Applies what time alone changes: the hour ends, an old pace fades, a proven pace grows a little.
    allowed = pace.bounds_of(limit.family)
    if limit.hour < _hour_of(now):
        _close_hour(limit, now)
    limit.burst = min(limit.burst, allowed.burst)
    limit.pace = min(limit.pace, allowed.ceiling)
    if now - limit.used_at > pace.FORGET_AFTER:
        limit.pace = pace.fade(limit.pace, allowed, unused=now - limit.used_at)
        limit.burst = allowed.burst
        limit.growing = True
        limit.used_at = now
    elif not limit.growing and now - limit.probed_at > pace.PROBE_EVERY:
        _raise_if_proven(limit, now, allowed)
        limit.probed_at = now
    limit.save(
        update_fields=[
            "hour",
            "requests",
            "throttled",
            "failures",
            "waited_seconds",
            "pace",
            "burst",
            "growing",
            "used_at",
            "probed_at",
            "probes",
            "requests_since_probed",
        ]
    )


def _raise_if_proven(limit: RateLimit, now: datetime, allowed: pace.Bounds) -> None:
    is_asked_for = limit.slot_at + timedelta(seconds=1 / limit.pace) > now
    # Requests prove a pace only if they used at least half of it.
    if is_asked_for and limit.requests_since_probed > limit.pace * pace.PROBE_EVERY.total_seconds() / 2:
        limit.pace = min(pace.probe_faster(limit.pace, limit.probes), allowed.ceiling)
        limit.probes = min(limit.probes + 1, 100)
        limit.requests_since_probed = 0


def _close_hour(limit: RateLimit, now: datetime) -> None:
    if limit.requests or limit.throttled or limit.failures or limit.waited_seconds:
        RateLimitHour.objects.create(
            rate_limit=limit,
            hour=limit.hour,
            pace=limit.pace,
            requests=limit.requests,
            throttled=limit.throttled,
            failures=limit.failures,
            waited_seconds=limit.waited_seconds,
        )
    limit.hour = _hour_of(now)
    limit.requests = limit.throttled = limit.failures = 0
    limit.waited_seconds = 0.0
    with connection.cursor() as cursor:
        cursor.execute(COMBINE_OLD_HOURS, {"rate_limit_id": limit.pk, "kept_since": now - HOURS_KEPT})


def _hour_of(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def is_still_open(key: RateLimitKey, subject: str, *, is_probe: bool) -> bool:
    """Look again after waiting. Return False if the rate limit or this login was paused in the meantime."""
    with connection.cursor() as cursor:
        cursor.execute(IS_STILL_OPEN, {**key._asdict(), "subject": subject, "is_probe": is_probe})
        (is_open,) = cursor.fetchone()
    return bool(is_open)
