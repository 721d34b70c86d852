"""When a token is refreshed next."""

import random
from datetime import timedelta

from django.conf import settings

# Of the lead, so that tokens that came at once are not due at once.
JITTER = 0.1


def refresh_in(life: float) -> timedelta:
    """Say how long a token that lives so many more seconds is left alone: until the lead before its end.

    The lead is at most half of the life; jitter only makes it earlier.
    """
    lead = min(settings.TOKEN_REFRESH_LEAD_SECONDS, life / 2)
    jitter = random.random() * min(lead * JITTER, life / 2 - lead)
    return timedelta(seconds=max(life - lead - jitter, 1.0))


def retry_in() -> timedelta:
    """Say when a failed refresh is due again: in time for the next check, whatever the outage."""
    return timedelta(seconds=min(30.0, settings.TOKEN_REFRESH_CHECK_SECONDS / 2) * random.uniform(0.5, 1))
