"""Making, changing, testing and deleting webhooks. Administrators of a team do this."""

import base64
import secrets
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now

from amazon_accounts.outgoing.guarded import AddressError, check_url
from tokens.models import Event, Team, Webhook, WebhookDelivery
from tokens.models.webhook import ALL_EVENTS, MAX_URL_CHARACTERS, OVERLAP
from tokens.people.audit import Action, AuditedObject, record_audit
from tokens.permissions import System, require
from tokens.webhooks.sending import queue_webhook

MANAGE: Final = "tokens.manage_webhooks"
MAX_WEBHOOKS: Final = 20
# In the order in which pages offer them.
OFFERED: Final = [str(type_) for type_ in Event.Type if type_ != Event.Type.WEBHOOK_TEST]
State = WebhookDelivery.State


class WebhookOffError(Exception):
    """The webhook is switched off. Switch it on first."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class StillWaitingError(Exception):
    """The event still waits for its next try. It can be sent again when its tries have ended."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@transaction.atomic
def make_webhook(
    user: User | System, team: Team, *, url: str, events: Collection[str]
) -> tuple[Webhook, str]:
    """Make a webhook; return it and its secret, which is shown this once.

    Raises PermissionDenied, and ValidationError for an address or events that are not allowed.
    """
    require(user, MANAGE, team)
    # Of two requests at once, the second counts the webhook of the first.
    Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    if Webhook.objects.filter(team=team).count() >= MAX_WEBHOOKS:
        raise ValidationError(f"“{team}” has {MAX_WEBHOOKS} webhooks. Delete one that is not needed first.")
    secret = _make_secret()
    webhook = Webhook(team=team, url=_clean_url(url), events=_clean_events(events))
    webhook.secret = secret
    webhook.save(force_insert=True)
    webhook.refresh_from_db()
    record_audit(user, Action.WEBHOOK_MAKE, webhook, after=_describe(webhook))
    return webhook, secret


@transaction.atomic
def update_webhook(
    user: User | System,
    webhook: Webhook,
    *,
    url: str | None = None,
    events: Collection[str] | None = None,
    is_active: bool | None = None,
) -> bool:
    """Change what is given; return whether that changed anything. Raises as `make_webhook`.

    What waits for a webhook that is switched off fails, and can be sent again.
    """
    require(user, MANAGE, webhook)
    stored = Webhook.objects.select_for_update().get(pk=webhook.pk)
    before, was = _describe(stored), (stored.url, stored.events, stored.is_active)
    if url is not None:
        stored.url = _clean_url(url)
    if events is not None:
        stored.events = _clean_events(events)
    if is_active is not None and is_active != stored.is_active:
        stored.is_active = is_active
        stored.failing_since = stored.switched_off_at = None
        if not is_active:
            WebhookDelivery.objects.filter(webhook=stored).fail_waiting()
    if was == (stored.url, stored.events, stored.is_active):
        return False
    stored.save(update_fields=["url", "events", "is_active", "failing_since", "switched_off_at"])
    webhook.refresh_from_db()
    record_audit(user, Action.WEBHOOK_UPDATE, webhook, before=before, after=_describe(webhook))
    return True


@transaction.atomic
def delete_webhook(user: User | System, webhook: Webhook) -> None:
    """Delete the webhook with its log; nothing more is sent. Raises PermissionDenied."""
    require(user, MANAGE, webhook)
    named, before = AuditedObject.of(webhook), _describe(webhook)
    # Whoever locks a webhook and its deliveries locks the webhook first.
    Webhook.objects.select_for_update().filter(pk=webhook.pk).first()
    Webhook.objects.filter(pk=webhook.pk).delete()
    record_audit(user, Action.WEBHOOK_DELETE, named, before=before)


@transaction.atomic
def rotate_secret(user: User | System, webhook: Webhook) -> str:
    """Give the webhook a new secret and return it. The old one signs as well for a day. Raises PermissionDenied."""
    require(user, MANAGE, webhook)
    stored = Webhook.objects.select_for_update().get(pk=webhook.pk)
    secret, old = _make_secret(), stored.secret
    stored.old_secret = old.reveal() if old is not None else None
    stored.old_secret_ends_at = Now() + OVERLAP
    stored.secret = secret
    stored.save(update_fields=["secret", "old_secret", "old_secret_ends_at"])
    webhook.refresh_from_db()
    record_audit(user, Action.WEBHOOK_ROTATE_SECRET, webhook)
    return secret


@transaction.atomic
def send_test(user: User | System, webhook: Webhook) -> WebhookDelivery:
    """Send the event `webhook.test` to this webhook alone. Raises PermissionDenied or WebhookOffError."""
    require(user, MANAGE, webhook)
    _lock_active(webhook)
    event = Event.objects.create(
        team=webhook.team,
        type=Event.Type.WEBHOOK_TEST,
        object_id=webhook.pk,
        data={"team": {"id": str(webhook.team_id), "name": webhook.team.name}},
    )
    delivery = WebhookDelivery.objects.create(webhook=webhook, event=event, object_id=webhook.pk, place=0)
    delivery.refresh_from_db()
    record_audit(user, Action.WEBHOOK_TEST, webhook)
    queue_webhook(webhook.pk)
    return delivery


@transaction.atomic
def redeliver(user: User | System, delivery: WebhookDelivery) -> None:
    """Send the event once more, under its old id, as often as the schedule of the tries says.

    Raises PermissionDenied, WebhookOffError, or StillWaitingError while it still waits.
    """
    webhook = delivery.webhook
    require(user, MANAGE, webhook)
    _lock_active(webhook)
    changed = (
        WebhookDelivery.objects.filter(pk=delivery.pk)
        .exclude(state=State.WAITING)
        .update(state=State.WAITING, next_try_at=Now(), tries=0, is_replay=True, claim=None)
    )
    if not changed:
        raise StillWaitingError
    delivery.refresh_from_db()
    record_audit(user, Action.WEBHOOK_REDELIVER, webhook, after={"event": str(delivery.event_id)})
    queue_webhook(webhook.pk)


def _lock_active(webhook: Webhook) -> None:
    if not Webhook.objects.select_for_update(no_key=True).filter(pk=webhook.pk, is_active=True).exists():
        raise WebhookOffError


def _make_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _clean_url(url: str) -> str:
    if len(url) > MAX_URL_CHARACTERS:
        raise ValidationError({"url": f"It has more than {MAX_URL_CHARACTERS} characters."})
    try:
        check_url(url)
    except AddressError as error:
        raise ValidationError({"url": str(error)}) from None
    return url


def _clean_events(events: Collection[str]) -> list[str]:
    if ALL_EVENTS in events:
        return [ALL_EVENTS]
    if not events or not set(events) <= set(OFFERED):
        raise ValidationError({"events": f"Name some of: {ALL_EVENTS} (all), {', '.join(OFFERED)}."})
    return [type_ for type_ in OFFERED if type_ in events]


def _describe(webhook: Webhook) -> Mapping[str, Any]:
    # Path and query of an address may be a secret.
    return {
        "host": urlsplit(webhook.url).hostname,
        "events": webhook.events,
        "is_active": webhook.is_active,
    }
