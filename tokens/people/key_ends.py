"""Warnings before an API key ends."""

from datetime import timedelta
from typing import Final

from django.db import IntegrityError
from django.db.models import F
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from tokens.alerts.create import create_alert
from tokens.models import Alert, ApiKey
from tokens.queues import UPKEEP

WARNED_BEFORE: Final = timedelta(days=14)


@app.task(queue=UPKEEP, name="tokens.warn_of_ending_keys")
def warn_of_ending_keys() -> int:
    """Create one alert for each API key that ends soon; return how many keys end soon."""
    # Whoever makes a key for some days knows its end.
    lasting = ApiKey.objects.live().filter(expires_at__gt=F("created_at") + WARNED_BEFORE)
    warned = 0
    for key in lasting.filter(expires_at__lte=Now() + WARNED_BEFORE).iterator():
        try:
            create_alert(
                Alert.Kind.API_KEY_ENDING,
                str(key.pk),
                f"The API key “{key.name}” ({key.beginning}…) ends on {key.expires_at:%Y-%m-%d}. Make another key and give it to "
                "the programs that use this one.",
                api_key=key,
            )
        except IntegrityError:
            # The key was revoked meanwhile.
            continue
        warned += 1
    return warned
