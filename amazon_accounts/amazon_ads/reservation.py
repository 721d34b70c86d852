"""Slots: when may the next request go? One statement, so that all workers on all machines keep one pace.

This is GCRA: slots lie 1/pace apart; after a pause up to `burst` of them lie in the past and may be used at once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from django.db import connection

from amazon_accounts.amazon_ads import pace
from amazon_accounts.amazon_ads.models import Family


class Row(NamedTuple):
    """Which RateLimit: a family of endpoints in a region. Login with Amazon has none."""

    region: str
    family: Family


#: Why there is no slot: the login or everybody was sent away, the circuit is open or being probed, or the next
#: slot lies further away than the caller can wait.
Obstacle = Literal["", "parked", "circuit", "probing", "far"]


@dataclass(frozen=True)
class Reservation:
    """A slot in `seconds`, or, with an `obstacle`, none: the time until it is worth asking again."""

    obstacle: Obstacle
    seconds: float
    until: datetime
    interval: float  # seconds between two slots
    is_probe: bool
    #: The row had failures, or its circuit is open: a success has to be recorded.
    is_ailing: bool
    #: When the pace had last slowed. A refusal of this request slows it again only if that did not change.
    slowed_at: datetime | None


# synchronous_commit is off for this statement: after a crash of the database some slots are given twice, which is
# cheaper than a disk flush for each request. clock_timestamp() is the time now; now() is that of the transaction,
# from before it waited for its turn.
RESERVE = """
WITH locked AS (
    SELECT *, clock_timestamp() AS now, set_config('synchronous_commit', 'off', true)
    FROM amazon_ads_ratelimit
    WHERE region = %(region)s AND family = %(family)s
    FOR UPDATE
), remembered AS (
    -- What was learned loses half its distance from the start for every day without use.
    SELECT *, used_at < now - interval '1 day' AS is_forgetting,
        least(%(ceiling)s::float8, CASE WHEN used_at < now - interval '1 day'
            THEN %(start)s::float8 + (pace - %(start)s::float8)
                * power(0.5, least(extract(epoch FROM now - used_at) / 86400, 1000))
            ELSE pace END) AS todays_pace
    FROM locked
), due AS (
    SELECT remembered.*, parked.until AS parked_until,
        greatest(
            slot_at + make_interval(secs => 1 / todays_pace),
            now - make_interval(secs => (burst - 1) / todays_pace),
            blocked_until
        ) AS slot
    FROM remembered
    LEFT JOIN amazon_ads_parkedlogin AS parked
        ON parked.rate_limit_id = remembered.id AND parked.subject = %(subject)s AND parked.until > now
), decided AS (
    SELECT *,
        slot > now AS is_saturated,
        -- The pace has been in use for a while and nobody refused: a little more may do.
        slot > now AND NOT growing AND probed_at < now - %(probe_every)s
            AND requests_since_probed > pace * %(probe_seconds)s / 2 AS is_probing_pace,
        CASE
            WHEN parked_until IS NOT NULL THEN 'parked'
            WHEN circuit_open_until > now THEN 'circuit'
            WHEN circuit_open_until IS NOT NULL AND probe_until > now THEN 'probing'
            WHEN slot > now + make_interval(secs => %(wait)s) THEN 'far'
            ELSE ''
        END AS obstacle
    FROM due
), counted AS (
    INSERT INTO amazon_ads_ratelimithour
        (rate_limit_id, hour, requests, throttled, failures, waited_seconds, pace)
    SELECT id, hour, requests, throttled, failures, waited_seconds, pace
    FROM decided
    WHERE obstacle = '' AND hour < date_trunc('hour', now) AND requests + throttled + failures > 0
    ON CONFLICT (rate_limit_id, hour) DO NOTHING
), reserved AS (
    UPDATE amazon_ads_ratelimit AS row
    SET slot_at = decided.slot,
        used_at = decided.now,
        pace = least(%(ceiling)s::float8, CASE
            WHEN NOT decided.is_saturated THEN todays_pace
            WHEN row.growing OR decided.is_forgetting THEN todays_pace + %(growth)s
            WHEN decided.is_probing_pace THEN todays_pace
                * (1 + least(%(first_step)s * power(2, least(row.probes, 10)), %(largest_step)s))
            ELSE todays_pace END),
        burst = CASE WHEN decided.is_forgetting THEN %(burst)s ELSE least(row.burst, %(burst)s) END,
        growing = row.growing OR decided.is_forgetting,
        probes = CASE WHEN decided.is_probing_pace THEN least(row.probes + 1, 100) ELSE row.probes END,
        probed_at = CASE WHEN decided.is_probing_pace THEN decided.now ELSE row.probed_at END,
        requests_since_probed = CASE
            WHEN decided.is_probing_pace THEN 0 ELSE row.requests_since_probed + 1 END,
        requests_since_slowed = row.requests_since_slowed + 1,
        other_login_at = CASE
            WHEN row.last_subject NOT IN ('', %(subject)s) THEN decided.now
            ELSE row.other_login_at END,
        last_subject = %(subject)s,
        probe_until = CASE
            WHEN row.circuit_open_until IS NOT NULL THEN decided.now + %(probe_lasts)s
            ELSE row.probe_until END,
        hour = date_trunc('hour', decided.now),
        requests = 1 + CASE WHEN row.hour < date_trunc('hour', decided.now) THEN 0 ELSE row.requests END,
        throttled = CASE WHEN row.hour < date_trunc('hour', decided.now) THEN 0 ELSE row.throttled END,
        failures = CASE WHEN row.hour < date_trunc('hour', decided.now) THEN 0 ELSE row.failures END,
        waited_seconds = greatest(0, extract(epoch FROM decided.slot - decided.now))
            + CASE WHEN row.hour < date_trunc('hour', decided.now) THEN 0 ELSE row.waited_seconds END
    FROM decided
    WHERE row.id = decided.id AND decided.obstacle = ''
)
SELECT obstacle,
    greatest(0, extract(epoch FROM until - now))::float8 AS seconds,
    until,
    (1 / todays_pace)::float8 AS interval,
    circuit_open_until IS NOT NULL AS is_probe,
    failures_in_a_row > 0 OR circuit_open_until IS NOT NULL AS is_ailing,
    slowed_at
FROM decided, LATERAL (
    SELECT CASE obstacle
        WHEN 'parked' THEN parked_until
        WHEN 'circuit' THEN circuit_open_until
        -- Somebody is trying; how that went is known soon.
        WHEN 'probing' THEN now + interval '1 second'
        ELSE slot
    END AS until
) AS next
"""

FIRST_USE = """
INSERT INTO amazon_ads_ratelimit (
    region, family, pace, burst, slot_at, used_at, growing, requests_since_slowed, probed_at,
    requests_since_probed, probes,
    last_subject, refused_subject, failures_in_a_row, failing_subject, several_failing, circuit_seconds,
    hour, requests, throttled, failures, waited_seconds
)
SELECT %(region)s, %(family)s, %(start)s, %(burst)s, now - interval '1 hour', now, true, 0, now, 0, 0,
    '', '', 0, '', false, 0, date_trunc('hour', now), 0, 0, 0, 0
FROM clock_timestamp() AS now
ON CONFLICT (region, family) DO NOTHING
"""

STILL_OPEN = """
SELECT NOT EXISTS (
    SELECT FROM amazon_ads_ratelimit AS row
    LEFT JOIN amazon_ads_parkedlogin AS parked
        ON parked.rate_limit_id = row.id AND parked.subject = %(subject)s
    WHERE row.region = %(region)s AND row.family = %(family)s
        AND greatest(row.blocked_until, parked.until,
            CASE WHEN NOT %(is_probe)s THEN row.circuit_open_until END) > clock_timestamp()
)
"""

#: A probe that never reports (its process died) holds others back for so long.
PROBE_LASTS = timedelta(seconds=90)


def reserve(row: Row, subject: str, *, wait: float) -> Reservation:
    """Reserve the next slot of the row, unless something stands in the way for longer than `wait` seconds.

    Every slot is given away once. One that is not used is lost, and harmless.
    """
    allowed = pace.bounds(row.family)
    values = {
        "region": row.region,
        "family": row.family,
        "subject": subject,
        "wait": max(wait, 0.0),
        "start": allowed.start,
        "ceiling": allowed.ceiling,
        "burst": allowed.burst,
        "growth": pace.GROWTH,
        "probe_every": pace.PROBE_EVERY,
        "probe_seconds": pace.PROBE_EVERY.total_seconds(),
        "first_step": pace.FIRST_PROBE_STEP,
        "largest_step": pace.LARGEST_PROBE_STEP,
        "probe_lasts": PROBE_LASTS,
    }
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, values)
        found = cursor.fetchone()
        if found is None:
            cursor.execute(FIRST_USE, values)
            cursor.execute(RESERVE, values)
            found = cursor.fetchone()
    return Reservation(*found)


def still_open(row: Row, subject: str, *, is_probe: bool) -> bool:
    """The look after waiting: False if the row or this login was sent away meanwhile."""
    values = {"region": row.region, "family": row.family, "subject": subject, "is_probe": is_probe}
    with connection.cursor() as cursor:
        cursor.execute(STILL_OPEN, values)
        return bool(cursor.fetchone()[0])
