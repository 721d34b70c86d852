"""Encrypting the secrets of webhooks again with the first key."""

import logging

from django.db import transaction

from tokens.encryption import DecryptionError, Secret, context_of, reseal
from tokens.models import Webhook

logger = logging.getLogger(__name__)


def rotate_webhook_secrets() -> dict[str, int]:
    """Return how many secrets were `rotated`, are `current` already, and are `unreadable`."""
    counts = {"rotated": 0, "current": 0, "unreadable": 0}
    for pk in Webhook.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            webhook = Webhook.objects.select_for_update(no_key=True).filter(pk=pk).first()
            if webhook is not None:
                for column in ("secret", "old_secret"):
                    _rotate(webhook, column, counts)
    return counts


def _rotate(webhook: Webhook, column: str, counts: dict[str, int]) -> None:
    secret = getattr(webhook, column)
    if secret is None:
        return
    try:
        renewed = reseal(secret.ciphertext, context_of(Webhook, column, webhook.pk))
    except DecryptionError as error:
        counts["unreadable"] += 1
        logger.warning("The %s of webhook %s was left. %s", column, webhook.pk, error)
        return
    if renewed is None:
        counts["current"] += 1
        return
    setattr(webhook, column, Secret(renewed))
    webhook.save(update_fields=[column])
    counts["rotated"] += 1
