"""When a consent ends, and the warnings before it.

Amazon's policy of 2026: a refresh token ends a fixed number of days after the consent, used or not.
"""

from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day

from django.conf import settings
from django.db import transaction
from procrastinate.contrib.django import app

from amazon_accounts.postgresql.clock import database_now
from tokens.alerts import create as alerts
from tokens.models import Connection, Event
from tokens.queues import TOKENS
from tokens.webhooks.events import record_connection_event

WARNING_DAYS = (1, 7, 30)
# Where a person withdraws the consent at Amazon. The addresses of the other regions are not known for certain.
CONSENT_PAGES = {"NA": "https://www.amazon.com/ap/adam"}


@app.task(queue=TOKENS, name="tokens.warn_of_consent_ends")
def warn_of_consent_ends() -> int:
    """Create an alert for each consent that ends soon, one for each of WARNING_DAYS; return how many end soon."""
    now = database_now()
    life = timedelta(days=settings.CONSENT_DAYS)
    rule_began = datetime.combine(settings.CONSENT_EFFECTIVE_DATE, time_of_day.min, UTC)
    ending = Connection.objects.live().filter(
        consented_at__gte=max(rule_began, now - life),
        consented_at__lte=now - life + timedelta(days=max(WARNING_DAYS)),
    )
    warned = 0
    for connection in ending.iterator():
        ends_at = connection.consent_ends_at
        if ends_at is None:
            continue
        days = next(days for days in WARNING_DAYS if ends_at - now <= timedelta(days=days))
        with transaction.atomic():
            if alerts.alert_consent_ending(connection, ends_at, days):
                record_connection_event(
                    Event.Type.CONNECTION_CONSENT_ENDING,
                    connection,
                    more={"consent_ends_at": ends_at.isoformat()},
                )
        warned += 1
    return warned
