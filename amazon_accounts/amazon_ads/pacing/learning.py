"""What the answers teach: the pace, who is sent away, and whether a region answers at all.

Each of these is written only when something went wrong, or went well again after that.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from amazon_accounts.amazon_ads.models import ParkedLogin, RateLimit
from amazon_accounts.amazon_ads.pacing import pace
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, Reservation, locked

logger = logging.getLogger(__name__)


@transaction.atomic
def record_throttled(row: RateLimitKey, subject: str, reservation: Reservation, *, seconds: float) -> None:
    """Amazon refused this login's request: leave it alone for `seconds`, or everybody if it is about everybody.

    It is about everybody when a second login is refused within ten seconds, or when there is only one. Requests
    that were already under way when the pace slowed do not slow it again.
    """
    limit, now = locked(row)
    if limit is None:
        return
    _park(limit, subject, now, seconds)
    another_refused = (
        limit.refused_at is not None
        and limit.refused_at > now - pace.REFUSALS_TOGETHER
        and limit.refused_subject not in {"", subject}
    )
    limit.throttled += 1
    limit.requests_since_slowed = max(0, limit.requests_since_slowed - 1)
    limit.refused_subject, limit.refused_at = subject, now
    if another_refused or not _is_shared(limit, now):
        until = now + timedelta(seconds=min(seconds, pace.MAX_BLOCK_SECONDS))
        if limit.slowed_at == reservation.slowed_at:
            _slow(limit, now)
        limit.blocked_until = max(until, limit.blocked_until or until)
    limit.save(
        update_fields=[
            *("throttled", "refused_subject", "refused_at", "blocked_until"),
            *("pace", "burst", "growing", "slowed_at", "probed_at", "probes"),
            *("requests_since_slowed", "idle_since_slowed", "requests_since_probed"),
        ]
    )


def _slow(limit: RateLimit, now: datetime) -> None:
    before = limit.pace
    since = _since_slowed(limit, now)
    # The slots had not caught up with the clock: it was a burst that was too much, rather than the pace.
    is_burst = limit.slot_at + timedelta(seconds=1 / limit.pace) < now
    if is_burst and limit.burst > 1:
        limit.burst //= 2
    else:
        limit.pace = pace.slowed(limit.pace, growing=limit.growing, since=since)
    limit.growing = False
    limit.slowed_at = limit.probed_at = now
    limit.requests_since_slowed = limit.requests_since_probed = limit.probes = 0
    limit.idle_since_slowed = 0.0
    logger.warning(
        "Amazon asks for less at %s: from %.2f to %.2f requests a second, at most %d at once.",
        *(limit, before, limit.pace, limit.burst),
        extra={"action": "pace_slowed", "region": limit.region, "family": limit.family, "pace": limit.pace},
    )


def _since_slowed(limit: RateLimit, now: datetime) -> pace.Since | None:
    if limit.slowed_at is None:
        return None
    return pace.Since(
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
def record_failure(row: RateLimitKey, subject: str) -> None:
    """A call ended without an answer after all its tries. Five in a row, of two logins if there are two, open
    the circuit."""
    limit, now = locked(row)
    if limit is None:
        return
    limit.failures += 1
    limit.failures_in_a_row += 1
    if limit.failures_in_a_row == 1:
        limit.failing_subject, limit.several_failing = subject, False
    elif subject != limit.failing_subject:
        limit.several_failing = True
    is_about_everybody = limit.several_failing or not _is_shared(limit, now)
    if (
        limit.failures_in_a_row >= pace.FAILURES_TO_OPEN
        and limit.circuit_open_until is None
        and is_about_everybody
    ):
        _open_circuit(limit, now)
    limit.save(update_fields=["failures", "failing_subject", "several_failing", *CIRCUIT])


@transaction.atomic
def record_failed_probe(row: RateLimitKey) -> None:
    """The probe of an open circuit failed: it opens again, for twice as long."""
    limit, now = locked(row)
    if limit is None or limit.circuit_open_until is None:
        return
    limit.failures += 1
    _open_circuit(limit, now)
    limit.save(update_fields=["failures", *CIRCUIT])


def give_probe_back(row: RateLimitKey) -> None:
    """The call that was to probe an open circuit was not made; the next one does."""
    RateLimit.objects.filter(region=row.region, family=row.family).update(probe_until=None)


@transaction.atomic
def record_answer(row: RateLimitKey, *, is_probe: bool) -> None:
    """Amazon answered: nothing failed in a row any more; if this was the probe, the circuit closes."""
    limit, _ = locked(row)
    if limit is None:
        return
    limit.failures_in_a_row = 0
    if is_probe and limit.circuit_open_until is not None:
        limit.circuit_open_until = limit.probe_until = None
        limit.circuit_seconds = 0
        logger.warning(
            "Amazon answers again at %s; calls go on.",
            limit,
            extra={"action": "circuit_closed", "region": limit.region, "family": limit.family},
        )
    limit.save(update_fields=CIRCUIT)


CIRCUIT = ["failures_in_a_row", "circuit_open_until", "circuit_seconds", "probe_until"]


def _open_circuit(limit: RateLimit, now: datetime) -> None:
    limit.circuit_seconds = pace.circuit_seconds(limit.family, limit.circuit_seconds)
    limit.circuit_open_until = now + timedelta(seconds=limit.circuit_seconds)
    limit.probe_until = None
    logger.warning(
        "Amazon does not answer at %s; calls wait for %d seconds, then one tries.",
        *(limit, limit.circuit_seconds),
        extra={"action": "circuit_opened", "region": limit.region, "family": limit.family},
    )


def _is_shared(limit: RateLimit, now: datetime) -> bool:
    """A second login has lately called here."""
    return limit.other_login_at is not None and limit.other_login_at > now - pace.LOGIN_MEMORY
