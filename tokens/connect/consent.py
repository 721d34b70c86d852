"""When a login's consent ends, and who is told before.

Amazon's policy of 2026: a refresh token ends a fixed number of days after the consent, whatever is done with it.
"""

from datetime import UTC, datetime, timedelta
from datetime import time as midnight

from django.conf import settings
from django.utils import timezone

from tokens.alerts import create as alerts
from tokens.models import Connection

WARNING_DAYS = (1, 7, 30)


def warn() -> int:
    """Write down a warning for each consent that ends soon, once per term; return how many consents that are."""
    now = timezone.now()
    life = timedelta(days=settings.CONSENT_DAYS)
    in_force = datetime.combine(settings.CONSENT_EFFECTIVE_DATE, midnight.min, UTC)
    ending = Connection.objects.live().filter(
        consented_at__gte=max(in_force, now - life),
        consented_at__lte=now - life + timedelta(days=max(WARNING_DAYS)),
    )
    warned = 0
    for connection in ending.iterator():
        ends_at = connection.consent_ends_at
        if ends_at is None:
            continue
        days = next(days for days in WARNING_DAYS if ends_at - now <= timedelta(days=days))
        alerts.consent_ending(connection, ends_at, days)
        warned += 1
    return warned
