"""Sending events to webhooks: at least once, and those of one object in order.

A worker claims some deliveries of a webhook for a while, sends them without a transaction, and records each answer under
its claim. If it dies, the claim runs out and another worker sends them again, under the same ids.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from procrastinate.contrib.django import app
from standardwebhooks import Webhook as Signer

from amazon_accounts import __version__
from amazon_accounts.outgoing.guarded import MAX_SECONDS, CallError, post
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.postgresql.threads import in_thread
from tokens.alerts.create import create_alert
from tokens.encryption import DecryptionError
from tokens.models import Alert, Webhook, WebhookDelivery
from tokens.queues import MAX_TASK_SECONDS, WEBHOOKS, defer_once

logger = logging.getLogger(__name__)

# Longer than a try can take.
CLAIM: Final = timedelta(seconds=MAX_SECONDS * 2)
SENT_AT_ONCE: Final = 20
# A try that follows so soon does not wait for the scheduler.
SOON_SECONDS: Final = 60
SWITCHED_OFF_AFTER: Final = timedelta(days=5)
State = WebhookDelivery.State


@dataclass(frozen=True)
class Target:
    url: str = field(repr=False)
    # The new one, and the old one for a while.
    secrets: Sequence[str] = field(repr=False)


@dataclass(frozen=True)
class Result:
    """What became of one try. Without a status no answer came."""

    status: int | None
    error: str
    milliseconds: int

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@app.task(queue=WEBHOOKS, name="tokens.send_to_webhook")
async def send_to_webhook(webhook_id: str) -> None:
    """Send what is due, for a few seconds; then let the other webhooks have their turn."""
    began = time.monotonic()
    while claimed := await in_thread(claim)(UUID(webhook_id)):
        await _send_all(UUID(webhook_id), claimed)
        if time.monotonic() - began > MAX_TASK_SECONDS:
            await in_thread(queue_webhook)(UUID(webhook_id))
            return


@app.task(queue=WEBHOOKS, name="tokens.queue_webhooks")
def queue_due_webhooks() -> int:
    """Queue one job for each webhook that has something to send; return how many were queued."""
    due = WebhookDelivery.objects.sendable().order_by("webhook").values_list("webhook", flat=True)
    return sum(queue_webhook(webhook_id) for webhook_id in due.distinct())


def deliveries_are_due() -> bool:
    return WebhookDelivery.objects.sendable().exists()


def queue_webhook(webhook_id: UUID, *, at: datetime | None = None) -> bool:
    # A job for later does not keep one for now out of the queue.
    lock = f"tokens.send_to_webhook:{webhook_id}" + (":later" if at else "")
    return defer_once(send_to_webhook, lock, at=at, webhook_id=str(webhook_id))


@transaction.atomic
def claim(webhook_id: UUID, *, number: int = SENT_AT_ONCE) -> list[WebhookDelivery]:
    """Return what is sent now. Nobody else sends it until the claim runs out."""
    sendable = WebhookDelivery.objects.sendable().filter(webhook=webhook_id).order_by("place", "id")
    found = list(sendable.select_related("event").select_for_update(skip_locked=True, of=("self",))[:number])
    claimed_as = uuid4()
    WebhookDelivery.objects.filter(pk__in=[delivery.pk for delivery in found]).update(
        claim=claimed_as, next_try_at=Now() + CLAIM, tries=F("tries") + 1
    )
    for delivery in found:
        delivery.claim = claimed_as
        delivery.tries += 1
    return found


async def _send_all(webhook_id: UUID, claimed: Sequence[WebhookDelivery]) -> None:
    try:
        target = await in_thread(_read_target)(webhook_id)
    except DecryptionError as error:
        target = str(error)
    if target is not None:
        await asyncio.gather(*(_send(target, delivery) for delivery in claimed))


def _read_target(webhook_id: UUID) -> Target | str | None:
    """Return None when the webhook was deleted meanwhile."""
    webhook = Webhook.objects.filter(pk=webhook_id).first()
    if webhook is None:
        return None
    sealed = [webhook.secret]
    ends_at = webhook.old_secret_ends_at
    if ends_at is not None and ends_at > approximate_now():
        sealed.append(webhook.old_secret)
    return Target(webhook.url, [secret.reveal() for secret in sealed if secret is not None])


async def _send(target: Target | str, delivery: WebhookDelivery) -> None:
    began = time.monotonic()
    status, problem = None, ""
    if isinstance(target, str):
        problem = target
    else:
        body = compose(delivery)
        try:
            status = await post(target.url, body, sign(target.secrets, delivery.event_id, body))
        except CallError as error:
            problem = str(error)
    result = Result(status, problem, round((time.monotonic() - began) * 1000))
    await in_thread(record)(delivery, result)


def compose(delivery: WebhookDelivery) -> bytes:
    event = delivery.event
    return msgspec.json.encode(
        {"type": event.type, "timestamp": event.created_at.astimezone(UTC), "data": event.data}
    )


def sign(secrets: Sequence[str], event_id: UUID, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks, with a signature by each secret."""
    now = datetime.fromtimestamp(int(approximate_now().timestamp()), UTC)
    signatures = [Signer(secret).sign(str(event_id), now, body.decode()) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": f"amazon-accounts/{__version__}",
        "webhook-id": str(event_id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def find_next_wait(tries: int, waits: Sequence[int]) -> int | None:
    """Return how many seconds after this try the next one follows; None if this was the last one."""
    return waits[tries - 1] if tries <= len(waits) else None


@transaction.atomic
def record(delivery: WebhookDelivery, result: Result) -> bool:
    """Record one try; return False if the claim has run out, and somebody else has sent it since."""
    # Whoever locks both locks the webhook first.
    webhooks = Webhook.objects.filter(pk=delivery.webhook_id)
    changes: dict[str, Any] = {"claim": None, "next_try_at": None}
    if result.is_success:
        webhooks.filter(failing_since__isnull=False).update(failing_since=None)
        changes["state"] = State.DELIVERED
    else:
        webhooks.update(failing_since=Coalesce("failing_since", Now()))
        wait = find_next_wait(delivery.tries, settings.WEBHOOK_RETRY_SECONDS)
        changes["state"] = State.FAILED if wait is None else State.WAITING
        if wait is not None:
            changes["next_try_at"] = Now() + timedelta(seconds=wait)
            if wait <= SOON_SECONDS:
                queue_webhook(delivery.webhook_id, at=approximate_now() + timedelta(seconds=wait))
    changed = WebhookDelivery.objects.filter(pk=delivery.pk, claim=delivery.claim).update(
        **changes,
        tried_at=Now(),
        status=result.status,
        milliseconds=result.milliseconds,
        error=result.error[:300],
    )
    if not result.is_success:
        logger.warning(
            "The event %s did not reach the webhook %s: %s",
            delivery.event_id,
            delivery.webhook_id,
            result.error or f"status {result.status}",
            extra={"action": "webhook_failed"},
        )
        _switch_off_failing(delivery.webhook_id)
    return bool(changed)


def _switch_off_failing(webhook_id: UUID) -> None:
    switched_off = Webhook.objects.filter(
        pk=webhook_id, is_active=True, failing_since__lt=Now() - SWITCHED_OFF_AFTER
    ).update(is_active=False, switched_off_at=Now())
    if not switched_off:
        return
    webhook = Webhook.objects.select_related("team").get(pk=webhook_id)
    WebhookDelivery.objects.filter(webhook=webhook).fail_waiting()
    create_alert(
        Alert.Kind.WEBHOOK_SWITCHED_OFF,
        f"{webhook.pk}:{webhook.switched_off_at}",
        f"The webhook of the team “{webhook.team}” to {urlsplit(webhook.url).hostname} was switched off, because every "
        f"try of the last {SWITCHED_OFF_AFTER.days} days has failed. Switch it on when the host works again. The events "
        "of the last 30 days can be sent again one by one, and are listed by the API.",
        webhook=webhook,
    )
