"""The arithmetic of pacing: numbers in, numbers out, no database and no clock.

Each row starts slowly and grows fast while callers wait and no limit was met. The first burst of refusals ends
that. From then on the pace is held just under what Amazon was seen to allow, and raised a little now and then.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from amazon_accounts.amazon_ads.models import Family

#: How long a call waits for slots, unless its caller sets another limit.
MAX_WAIT_SECONDS = 60.0
#: Requests per second that each waiting request adds while no limit was met: doubles in about three seconds.
GROWTH = 0.25
#: A slot is used within so many seconds, or another one is reserved.
STALE_SLOT_SECONDS = 0.5
#: The share of the ceiling that is really used. Slots may be used a little late, and so bunch up: in any ten
#: seconds at most burst + 0.95 * (10 + 0.5) * ceiling requests go out, which is below burst + 10 * ceiling.
CEILING_SHARE = 0.95
MIN_PACE = 0.05  # requests per second

#: After so long without a call, what was learned begins to fade.
FORGET_AFTER = timedelta(days=1)
PROBE_EVERY = timedelta(seconds=30)
FIRST_PROBE_STEP = 0.02
MAX_PROBE_STEP = 0.16

#: Two logins refused within this time: it is not about one of them.
REFUSALS_TOGETHER = timedelta(seconds=10)
#: A login that has not called for so long does not count as a second one.
LOGIN_MEMORY = timedelta(minutes=10)
#: Longer than this no header blocks everybody; a single login may be parked for a day.
MAX_BLOCK_SECONDS = 3600.0

FAILURES_TO_OPEN = 5
FIRST_CIRCUIT_SECONDS = 30
MAX_CIRCUIT_SECONDS = 600
MAX_LWA_CIRCUIT_SECONDS = 60


@dataclass(frozen=True)
class Bounds:
    """What the settings allow a row."""

    start: float
    ceiling: float
    burst: int


@dataclass(frozen=True)
class Since:
    """What happened since the pace was last slowed."""

    #: Those that Amazon did not refuse.
    requests: int
    seconds: float
    #: Of these, the seconds of long pauses.
    idle: float


def bounds(family: str) -> Bounds:
    highest = settings.AMAZON_MAX_REQUESTS_PER_SECOND
    start = settings.AMAZON_REQUESTS_PER_SECOND
    if family == Family.LWA:
        start = settings.LWA_REQUESTS_PER_SECOND
        # The ceiling is meant for the Ads API; whoever sets a faster start for LwA means it.
        highest = max(highest, start)
    ceiling = highest * CEILING_SHARE
    return Bounds(start=min(start, ceiling), ceiling=ceiling, burst=settings.AMAZON_BURST)


def slowed(pace: float, *, growing: bool, since: Since | None) -> float:
    """The pace after a burst of refusals.

    Between two bursts Amazon's bucket went from empty to empty, so what it served in between is its rate; a pause
    counts for a second at most, as by then a bucket is full and runs over. Before the first burst, and when too
    little happened since the last, only a guess is left.
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


def probed(pace: float, probes: int) -> float:
    """The pace raised a little: by more with each probe in a row that went well, up to a sixth."""
    return pace * (1 + min(FIRST_PROBE_STEP * 2.0 ** min(probes, 10), MAX_PROBE_STEP))


def forgotten(pace: float, allowed: Bounds, *, unused: timedelta) -> float:
    """A pace that was not used halves its distance from the start with every day."""
    left: float = 0.5 ** min(unused / timedelta(days=1), 1000.0)
    return min(allowed.start + (pace - allowed.start) * left, allowed.ceiling)


def circuit_seconds(family: str, before: int) -> int:
    """How long a circuit stays open that was open for `before` seconds the last time (0: it was closed)."""
    longest = MAX_LWA_CIRCUIT_SECONDS if family == Family.LWA else MAX_CIRCUIT_SECONDS
    return min(2 * before or FIRST_CIRCUIT_SECONDS, longest)


def max_backoff_seconds(attempt: int) -> float:
    """The most that may be waited after the attempt of this number (from 1), before jitter."""
    doublings = min(attempt - 1, 60)
    seconds = settings.AMAZON_BACKOFF_BASE_SECONDS * math.ldexp(1.0, doublings)
    return min(seconds, settings.AMAZON_BACKOFF_MAX_SECONDS)
