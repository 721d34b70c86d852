"""When a token is refreshed next."""

import random
from datetime import timedelta

from django.conf import settings

# A share of the lead. It spreads tokens that were given at the same time.
JITTER = 0.1
MAX_RETRY_SECONDS = 30.0
MIN_DELAY_SECONDS = 1.0


def choose_refresh_delay(life: float) -> timedelta:
    """Return how long a token that lives for `life` seconds is left alone.

    It is refreshed TOKEN_REFRESH_LEAD_SECONDS before its end, or at half of its life if that is later. Jitter
    only makes the refresh earlier.
    """
    lead = min(settings.TOKEN_REFRESH_LEAD_SECONDS, life / 2)
    jitter = random.random() * min(lead * JITTER, life / 2 - lead)
    return timedelta(seconds=max(life - lead - jitter, MIN_DELAY_SECONDS))


def choose_retry_delay() -> timedelta:
    return longest_retry_delay() * random.uniform(0.5, 1)


def longest_retry_delay() -> timedelta:
    # A failed refresh is due again before the next check, after an outage of any length.
    return timedelta(seconds=min(MAX_RETRY_SECONDS, settings.TOKEN_REFRESH_CHECK_SECONDS / 2))
