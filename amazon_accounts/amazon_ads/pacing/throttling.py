"""What a 429 changes: one login or all logins pause, and the pace slows down.

`rate_limiter.py` calls this module and chooses how long the pause is.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from amazon_accounts.amazon_ads.models import ParkedLogin, RateLimit
from amazon_accounts.amazon_ads.pacing import pace
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, Reservation, lock_rate_limit

logger = logging.getLogger(__name__)


@transaction.atomic
def record_throttled(
    key: RateLimitKey, subject: str, reservation: Reservation, *, pause_seconds: float
) -> None:
    """Record that Amazon refused a request of this login. Pause the login, or all logins if they share the limit.

    Logins share the limit if Amazon refuses a second login within ten seconds, or if only one login makes calls.
    """
    limit, now = lock_rate_limit(key)
    if limit is None:
        return
    _park(limit, subject, now, pause_seconds)
    another_refused = (
        limit.refused_at is not None
        and limit.refused_at > now - pace.REFUSALS_TOGETHER
        and limit.refused_subject not in {"", subject}
    )
    limit.throttled += 1
    limit.requests_since_slowed = max(0, limit.requests_since_slowed - 1)
    limit.refused_subject, limit.refused_at = subject, now
    if another_refused or not pace.is_shared(limit, now):
        until = now + timedelta(seconds=min(pause_seconds, pace.MAX_BLOCK_SECONDS))
        # Requests that were on their way when the pace slowed must not slow it again.
        if limit.slowed_at == reservation.slowed_at:
            _slow_down(limit, now)
        limit.blocked_until = max(until, limit.blocked_until or until)
    limit.save(
        update_fields=[
            "throttled",
            "refused_subject",
            "refused_at",
            "blocked_until",
            "pace",
            "burst",
            "growing",
            "slowed_at",
            "probed_at",
            "probes",
            "requests_since_slowed",
            "idle_since_slowed",
            "requests_since_probed",
        ]
    )


def _slow_down(limit: RateLimit, now: datetime) -> None:
    pace_before = limit.pace
    since = _get_since_slowed(limit, now)
    # The calls came in a burst and on average below the pace, so the burst was too large, not the pace too fast.
    is_burst = limit.slot_at + timedelta(seconds=1 / limit.pace) < now
    if is_burst and limit.burst > 1:
        limit.burst //= 2
    else:
        limit.pace = pace.slow_down(limit.pace, growing=limit.growing, since=since)
    limit.growing = False
    limit.slowed_at = limit.probed_at = now
    limit.requests_since_slowed = limit.requests_since_probed = limit.probes = 0
    limit.idle_since_slowed = 0.0
    logger.warning(
        "Amazon asks for fewer calls at %s: from %.2f to %.2f requests a second, at most %d at once.",
        limit,
        pace_before,
        limit.pace,
        limit.burst,
        extra={"action": "pace_slowed", "region": limit.region, "family": limit.family, "pace": limit.pace},
    )


def _get_since_slowed(limit: RateLimit, now: datetime) -> pace.SinceSlowed | None:
    if limit.slowed_at is None:
        return None
    return pace.SinceSlowed(
        requests=limit.requests_since_slowed,
        seconds=(now - limit.slowed_at).total_seconds(),
        idle=limit.idle_since_slowed,
    )


def _park(limit: RateLimit, subject: str, now: datetime, seconds: float) -> None:
    ParkedLogin.objects.filter(rate_limit=limit, until__lt=now).delete()
    until = now + timedelta(seconds=seconds)
    parked, is_new = ParkedLogin.objects.get_or_create(
        rate_limit=limit, subject=subject, defaults={"until": until}
    )
    if not is_new and parked.until < until:
        parked.until = until
        parked.save(update_fields=["until"])
