"""The arithmetic of pacing, without database and clock.

A rate limit starts slowly, and grows fast while callers wait and Amazon refuses nothing. The first burst of refusals
ends this growth. Afterwards the pace stays just below what Amazon served, and is raised a little now and then.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from amazon_accounts.amazon_ads.models import Family, RateLimit

# How long a call waits for slots, unless its caller sets another limit.
MAX_WAIT_SECONDS = 60.0
# Requests per second that each waiting request adds until the first refusal. The pace doubles in about 3 seconds.
GROWTH = 0.25
# A slot that is not used within this time is given up, and another one is reserved.
STALE_SLOT_SECONDS = 0.5
# The share of the ceiling that is really used. Slots that are used a little late bunch up: in any ten seconds at
# most burst + 0.95 * (10 + 0.5) * ceiling requests go out, which is less than burst + 10 * ceiling.
CEILING_SHARE = 0.95
# Requests per second.
MIN_PACE = 0.05

# After this time without a call, the learned pace begins to fade.
FORGET_AFTER = timedelta(days=1)
PROBE_EVERY = timedelta(seconds=30)
FIRST_PROBE_STEP = 0.02
MAX_PROBE_STEP = 0.16

# When Amazon refuses two logins within this time, the refusals do not concern one login.
REFUSALS_TOGETHER = timedelta(seconds=10)
# A login that made no call for this time does not count as a second login.
LOGIN_MEMORY = timedelta(minutes=10)
# No header blocks everybody for longer. One login may be parked for a day.
MAX_BLOCK_SECONDS = 3600.0

FAILURES_TO_OPEN = 5
FIRST_CIRCUIT_SECONDS = 30
MAX_CIRCUIT_SECONDS = 600
# While this circuit is open no token is refreshed, and some may be near their end. One call of all processes together
# every few seconds burdens nobody.
FIRST_LWA_CIRCUIT_SECONDS = 2
MAX_LWA_CIRCUIT_SECONDS = 5

# A probe whose process died never reports. After this time another call may probe.
PROBE_SECONDS = 90.0
# Login with Amazon is asked in one request. It has a timeout, and its outcome is written within this time.
LWA_RECORD_SECONDS = 5.0


@dataclass(frozen=True)
class Bounds:
    """What the settings allow a rate limit, in requests per second; `burst` is a number of requests."""

    start: float
    ceiling: float
    burst: int


@dataclass(frozen=True)
class SinceSlowed:
    """What happened since the pace was last slowed."""

    # Only the requests that Amazon served.
    requests: int
    seconds: float
    # The part of `seconds` that was spent in long pauses.
    idle: float


def bounds_of(family: str) -> Bounds:
    highest = settings.AMAZON_MAX_REQUESTS_PER_SECOND
    start = settings.AMAZON_REQUESTS_PER_SECOND
    if family == Family.LWA:
        start = settings.LWA_REQUESTS_PER_SECOND
        # AMAZON_MAX_REQUESTS_PER_SECOND is for the Ads API. A higher LWA_REQUESTS_PER_SECOND is its own ceiling.
        highest = max(highest, start)
    ceiling = highest * CEILING_SHARE
    return Bounds(start=min(start, ceiling), ceiling=ceiling, burst=settings.AMAZON_BURST)


def slow_down(pace: float, *, growing: bool, since: SinceSlowed | None) -> float:
    """Return the pace after a burst of refusals.

    Amazon's token bucket is empty at each burst, so the requests served between two bursts, divided by the seconds
    between them, are its rate. A pause counts as one second at most, because the bucket is full after one second.
    Before the first burst, and after fewer than ten requests, the rate cannot be measured, and the pace is lowered
    by a fixed share.
    """
    if since and since.requests >= 10 and 1 <= since.seconds - since.idle <= 120:
        served = since.requests / (since.seconds - since.idle)
        slower = min(max(0.95 * served, 0.5 * pace), 0.95 * pace)
    elif growing:
        # Fast growth overshoots while it empties Amazon's bucket.
        slower = 0.7 * pace
    else:
        slower = 0.9 * pace
    return max(slower, MIN_PACE)


def probe_faster(pace: float, probes: int) -> float:
    # From 2% up to 16%: more after each probe in a row that went well.
    return pace * (1 + min(FIRST_PROBE_STEP * 2.0 ** min(probes, 10), MAX_PROBE_STEP))


def fade(pace: float, allowed: Bounds, *, unused: timedelta) -> float:
    # Halves the distance between an unused pace and its start for each day.
    left: float = 0.5 ** min(unused / timedelta(days=1), 1000.0)
    return min(allowed.start + (pace - allowed.start) * left, allowed.ceiling)


def next_circuit_seconds(family: str, last_seconds: int) -> int:
    """Return how long a circuit stays open. `last_seconds` is how long it was open before, 0 if it was closed."""
    first, longest = FIRST_CIRCUIT_SECONDS, MAX_CIRCUIT_SECONDS
    if family == Family.LWA:
        first, longest = FIRST_LWA_CIRCUIT_SECONDS, MAX_LWA_CIRCUIT_SECONDS
    return min(2 * last_seconds or first, longest)


def probe_seconds(family: str) -> float:
    """Return how long after its slot a probe may take, until it counts as lost."""
    if family != Family.LWA:
        return PROBE_SECONDS
    seconds: float = settings.LWA_TIMEOUT_SECONDS
    return seconds + LWA_RECORD_SECONDS


def max_backoff_seconds(attempt: int) -> float:
    """Return the longest wait after this attempt, counted from 1, before jitter."""
    doublings = min(attempt - 1, 60)
    seconds = settings.AMAZON_BACKOFF_BASE_SECONDS * math.ldexp(1.0, doublings)
    return min(seconds, settings.AMAZON_BACKOFF_MAX_SECONDS)


def is_shared(limit: RateLimit, now: datetime) -> bool:
    """Return whether more than one login made calls under this limit lately."""
    return limit.other_login_at is not None and limit.other_login_at > now - LOGIN_MEMORY
