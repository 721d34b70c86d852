"""What Amazon's answers change: the pace, the paused logins, and the circuit of a region that does not answer.

Answers are recorded only when something goes wrong, or goes well again afterwards.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from amazon_accounts.amazon_ads.models import ParkedLogin, RateLimit
from amazon_accounts.amazon_ads.pacing import pace
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, Reservation, lock_rate_limit

logger = logging.getLogger(__name__)

CIRCUIT_FIELDS = ["failures_in_a_row", "circuit_open_until", "circuit_seconds", "probe_until"]


@transaction.atomic
def record_throttled(
    key: RateLimitKey, subject: str, reservation: Reservation, *, pause_seconds: float
) -> None:
    """Record that Amazon refused a request of this login. Pause the login, or everybody if the limit is common.

    The limit is common if Amazon refuses a second login within ten seconds, or if only one login makes calls.
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
    if another_refused or not _is_shared(limit, now):
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
    # The slots had not caught up with the clock, so the burst was too large rather than the pace too fast.
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


@transaction.atomic
def record_failure(key: RateLimitKey, subject: str) -> None:
    """Record a call that ended without an answer after all its attempts.

    Five such calls in a row open the circuit. If two logins make calls, both must have failed.
    """
    limit, now = lock_rate_limit(key)
    if limit is None:
        return
    limit.failures += 1
    limit.failures_in_a_row += 1
    if limit.failures_in_a_row == 1:
        limit.failing_subject, limit.several_failing = subject, False
    elif subject != limit.failing_subject:
        limit.several_failing = True
    concerns_everybody = limit.several_failing or not _is_shared(limit, now)
    is_enough = limit.failures_in_a_row >= pace.FAILURES_TO_OPEN
    if is_enough and concerns_everybody and limit.circuit_open_until is None:
        _open_circuit(limit, now)
    limit.save(update_fields=["failures", "failing_subject", "several_failing", *CIRCUIT_FIELDS])


@transaction.atomic
def record_failed_probe(key: RateLimitKey) -> None:
    limit, now = lock_rate_limit(key)
    if limit is None or limit.circuit_open_until is None:
        return
    limit.failures += 1
    _open_circuit(limit, now)
    limit.save(update_fields=["failures", *CIRCUIT_FIELDS])


def give_probe_back(key: RateLimitKey) -> None:
    # The call that took the probe was not made. The next call probes the open circuit.
    RateLimit.objects.filter(**key._asdict()).update(probe_until=None)


@transaction.atomic
def record_answer(key: RateLimitKey, *, is_probe: bool) -> None:
    # An answer ends the failures in a row. The answer to a probe closes the circuit.
    limit, _ = lock_rate_limit(key)
    if limit is None:
        return
    limit.failures_in_a_row = 0
    if is_probe and limit.circuit_open_until is not None:
        limit.circuit_open_until = limit.probe_until = None
        limit.circuit_seconds = 0
        logger.warning(
            "Amazon answers again at %s; calls continue.",
            limit,
            extra={"action": "circuit_closed", "region": limit.region, "family": limit.family},
        )
    limit.save(update_fields=CIRCUIT_FIELDS)


def _open_circuit(limit: RateLimit, now: datetime) -> None:
    limit.circuit_seconds = pace.next_circuit_seconds(limit.family, limit.circuit_seconds)
    limit.circuit_open_until = now + timedelta(seconds=limit.circuit_seconds)
    limit.probe_until = None
    logger.warning(
        "Amazon does not answer at %s; calls wait for %d seconds, then one call tries again.",
        limit,
        limit.circuit_seconds,
        extra={"action": "circuit_opened", "region": limit.region, "family": limit.family},
    )


def _is_shared(limit: RateLimit, now: datetime) -> bool:
    return limit.other_login_at is not None and limit.other_login_at > now - pace.LOGIN_MEMORY
