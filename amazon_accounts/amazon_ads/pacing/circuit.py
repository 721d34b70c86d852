"""The circuit of a region that does not answer: five failed calls open it, the answer to one probe closes it.

Answers are recorded only after a failure.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.amazon_ads.pacing import pace
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, lock_rate_limit

logger = logging.getLogger(__name__)

CIRCUIT_FIELDS = ["failures_in_a_row", "circuit_open_until", "circuit_seconds", "probe_until"]


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
    concerns_everybody = limit.several_failing or not pace.is_shared(limit, now)
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
    was_open = limit.circuit_open_until is not None
    limit.circuit_seconds = pace.next_circuit_seconds(limit.family, limit.circuit_seconds)
    limit.circuit_open_until = now + timedelta(seconds=limit.circuit_seconds)
    limit.probe_until = None
    logger.log(
        # An outage may last for hours, and a probe fails every few seconds.
        logging.INFO if was_open else logging.WARNING,
        "Amazon does not answer at %s; calls wait for %d seconds, then one call tries again.",
        limit,
        limit.circuit_seconds,
        extra={"action": "circuit_opened", "region": limit.region, "family": limit.family},
    )
