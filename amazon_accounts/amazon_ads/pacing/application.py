"""Whether Amazon accepts our application: this client id with this secret.

While Amazon refuses the pair, no grant is to blame. Callers then send one probe at each check and nothing else, and an
accepted answer ends the refusal.
"""

import logging
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Greatest, Now
from django.utils.crypto import salted_hmac

from amazon_accounts.amazon_ads.errors import ApplicationRefusedError
from amazon_accounts.amazon_ads.models import ApplicationRefusal

logger = logging.getLogger(__name__)


def get_refusal(client_id: str, secret: str) -> ApplicationRefusal | None:
    return ApplicationRefusal.objects.filter(client_id=client_id, secret_digest=_digest(secret)).first()


def record_refusal(client_id: str, secret: str, error: ApplicationRefusedError) -> ApplicationRefusal:
    refusal, is_new = ApplicationRefusal.objects.get_or_create(
        client_id=client_id,
        secret_digest=_digest(secret),
        defaults={"code": error.code, "message": str(error), "request_id": error.request_id},
    )
    if is_new:
        logger.error(
            "Amazon refuses the application %s; tokens are not refreshed until Amazon accepts it again. %s",
            client_id,
            error,
            extra={"action": "application_refused", "client_id": client_id, "code": error.code},
        )
    else:
        ApplicationRefusal.objects.filter(pk=refusal.pk).update(
            refusals=F("refusals") + 1,
            last_refused_at=Greatest(Now(), F("refused_since")),
            code=error.code,
            message=str(error),
            request_id=error.request_id,
        )
    return refusal


def take_probe(refusal: ApplicationRefusal, *, pause: float) -> bool:
    """Return whether the caller may probe the refusal. One caller may in `pause` seconds."""
    taken = ApplicationRefusal.objects.filter(
        pk=refusal.pk, probed_at__lt=Now() - timedelta(seconds=pause)
    ).update(probed_at=Now())
    return bool(taken)


def record_acceptance(client_id: str, secret: str) -> bool:
    lifted, _ = ApplicationRefusal.objects.filter(client_id=client_id, secret_digest=_digest(secret)).delete()
    if lifted:
        logger.warning(
            "Amazon accepts the application %s again.",
            client_id,
            extra={"action": "application_accepted", "client_id": client_id},
        )
    return bool(lifted)


def _digest(secret: str) -> str:
    return salted_hmac("amazon_ads.application", secret, algorithm="sha256").hexdigest()
