"""Slots: when may the next request go? One statement, so that all workers on all machines keep one pace.

This is GCRA: slots lie 1/pace apart; after a pause up to `burst` of them lie in the past and may be used at once.
Nearly every reservation is the one UPDATE of the function `amazon_ads_reserve`. Where something else has to happen
first, or nothing may be sent at all, it changes nothing, and `_considered` looks into it with the row locked.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from django.db import connection, transaction

from amazon_accounts.amazon_ads.models import Family, ParkedLogin, RateLimit, RateLimitHour
from amazon_accounts.amazon_ads.pacing import pace

#: A probe that never reports (its process died) holds others back for so long.
PROBE_LASTS = timedelta(seconds=90)
#: Somebody probes an open circuit: how that went is known soon.
LOOK_AGAIN = timedelta(seconds=1)
HOURS_KEPT = timedelta(days=90)


class RateLimitKey(NamedTuple):
    """Which RateLimit: a family of endpoints in a region. Login with Amazon has none."""

    region: str
    family: Family


#: Why there is no slot: the login or everybody was sent away, the circuit is open or being probed, or the next
#: slot lies further away than the caller can wait.
Obstacle = Literal["", "parked", "blocked", "circuit", "probing", "far"]


@dataclass(frozen=True)
class Reservation:
    """A slot in `seconds`; or, with an `obstacle`, none, and the seconds until it is worth asking again."""

    seconds: float
    until: datetime
    interval: float  # seconds between two slots
    #: The row had failures, or its circuit is open: an answer has to be recorded.
    is_ailing: bool
    #: When the pace had last slowed. A refusal of this request slows it again only if that did not change.
    slowed_at: datetime | None
    is_probe: bool = False
    obstacle: Obstacle = ""


def reserve(row: RateLimitKey, subject: str, *, max_wait: float) -> Reservation:
    """Reserve the next slot of the row, unless something stands in the way for longer than `max_wait` seconds.

    Every slot is given away once. One that is not used is lost, and harmless.
    """
    return _reserved(row, subject, max_wait) or _considered(row, subject, max_wait)


def _reserved(
    row: RateLimitKey, subject: str, max_wait: float, *, is_probe: bool = False
) -> Reservation | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seconds, until, slot_interval, is_ailing, slowed_at"
            " FROM amazon_ads_reserve(%s, %s, %s, %s, %s, %s, make_interval(secs => %s), %s)",
            (
                *(row.region, row.family, subject, max(max_wait, 0.0)),
                *(pace.bounds(row.family).ceiling, pace.GROWTH, pace.PROBE_EVERY.total_seconds(), is_probe),
            ),
        )
        found = cursor.fetchone()
    if found is None:
        return None
    seconds, until, interval, is_ailing, slowed_at = found
    return Reservation(seconds, until, interval, is_ailing, slowed_at, is_probe=is_probe)


@transaction.atomic
def _considered(row: RateLimitKey, subject: str, max_wait: float) -> Reservation:
    """Bring the row up to date, and reserve a slot or say what stands in the way."""
    limit, now = _locked(row)
    _bring_up_to_date(limit, now)
    parked = ParkedLogin.objects.filter(rate_limit=limit, subject=subject, until__gt=now).first()
    if parked:
        return _obstacle(limit, now, "parked", parked.until)
    if limit.circuit_open_until and limit.circuit_open_until > now:
        return _obstacle(limit, now, "circuit", limit.circuit_open_until)
    if limit.circuit_open_until and limit.probe_until and limit.probe_until > now:
        return _obstacle(limit, now, "probing", now + LOOK_AGAIN)
    is_probe = limit.circuit_open_until is not None
    reservation = _reserved(row, subject, max_wait, is_probe=is_probe)
    if reservation is None:
        next_slot = limit.slot_at + timedelta(seconds=1 / limit.pace)
        if limit.blocked_until and limit.blocked_until > now:
            return _obstacle(limit, now, "blocked", max(next_slot, limit.blocked_until))
        return _obstacle(limit, now, "far", next_slot)
    if is_probe:
        RateLimit.objects.filter(pk=limit.pk).update(probe_until=now + PROBE_LASTS)
    return reservation


def _obstacle(limit: RateLimit, now: datetime, obstacle: Obstacle, until: datetime) -> Reservation:
    return Reservation(
        obstacle=obstacle,
        seconds=max(0.0, (until - now).total_seconds()),
        until=until,
        interval=1 / limit.pace,
        is_ailing=True,
        slowed_at=limit.slowed_at,
    )


def _locked(row: RateLimitKey) -> tuple[RateLimit, datetime]:
    limit, now = locked(row)
    if limit is None:
        allowed = pace.bounds(row.family)
        first = RateLimit(
            region=row.region,
            family=row.family,
            pace=allowed.start,
            burst=allowed.burst,
            slot_at=now - timedelta(hours=1),
            used_at=now,
            probed_at=now,
            hour=_hour(now),
        )
        RateLimit.objects.bulk_create([first], ignore_conflicts=True)
        limit = RateLimit.objects.select_for_update().get(region=row.region, family=row.family)
    return limit, now


def locked(row: RateLimitKey) -> tuple[RateLimit | None, datetime]:
    """The row, locked, and PostgreSQL's time, by which all its moments are told.

    The transaction around it does not wait for the disk: what a crash of the database loses here is soon learned again.
    """
    limit = RateLimit.objects.filter(region=row.region, family=row.family).select_for_update().first()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), set_config('synchronous_commit', 'off', true)")
        now, _ = cursor.fetchone()
    return limit, now


def _bring_up_to_date(limit: RateLimit, now: datetime) -> None:
    """What time alone changes: another hour is counted, an old pace forgotten, a proven one raised a little."""
    allowed = pace.bounds(limit.family)
    if limit.hour < _hour(now):
        _close_hour(limit, now)
    limit.burst = min(limit.burst, allowed.burst)
    limit.pace = min(limit.pace, allowed.ceiling)
    if now - limit.used_at > pace.FORGET_AFTER:
        limit.pace = pace.forgotten(limit.pace, allowed, unused=now - limit.used_at)
        limit.burst = allowed.burst
        limit.growing = True
        limit.used_at = now
    elif not limit.growing and now - limit.probed_at > pace.PROBE_EVERY:
        seconds = pace.PROBE_EVERY.total_seconds()
        is_asked_for = limit.slot_at + timedelta(seconds=1 / limit.pace) > now
        # Only a pace that was really used is proven.
        if is_asked_for and limit.requests_since_probed > limit.pace * seconds / 2:
            limit.pace = min(pace.probed(limit.pace, limit.probes), allowed.ceiling)
            limit.probes = min(limit.probes + 1, 100)
            limit.requests_since_probed = 0
        limit.probed_at = now
    limit.save(
        update_fields=[
            *("hour", "requests", "throttled", "failures", "waited_seconds", "pace", "burst", "growing"),
            *("used_at", "probed_at", "probes", "requests_since_probed"),
        ]
    )


def _close_hour(limit: RateLimit, now: datetime) -> None:
    counted = ("requests", "throttled", "failures", "waited_seconds")
    if any(getattr(limit, name) for name in counted):
        RateLimitHour.objects.create(
            rate_limit=limit,
            hour=limit.hour,
            pace=limit.pace,
            **{name: getattr(limit, name) for name in counted},
        )
    limit.hour = _hour(now)
    limit.requests = limit.throttled = limit.failures = 0
    limit.waited_seconds = 0.0
    limit.hours.filter(hour__lt=now - HOURS_KEPT).delete()


def _hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


def is_still_open(row: RateLimitKey, subject: str, *, is_probe: bool) -> bool:
    """The look after waiting: False if the row or this login was sent away meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(STILL_OPEN, [subject, row.region, row.family, is_probe])
        (is_open,) = cursor.fetchone()
    return bool(is_open)


STILL_OPEN = """
SELECT NOT EXISTS (
    SELECT FROM amazon_ads_ratelimit AS row
    LEFT JOIN amazon_ads_parkedlogin AS parked ON parked.rate_limit_id = row.id AND parked.subject = %s
    WHERE row.region = %s AND row.family = %s AND greatest(
        row.blocked_until, parked.until, CASE WHEN NOT %s THEN row.circuit_open_until END
    ) > clock_timestamp()
)
"""
