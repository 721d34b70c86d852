"""Webhooks of teams, and the events that are sent to them."""

from datetime import timedelta
from typing import Final, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.encryption.fields import EncryptedTextField
from tokens.models.event import Event
from tokens.models.team import Team, TeamRowsQuerySet

MAX_URL_CHARACTERS: Final = 1000
# Asks for every event.
ALL_EVENTS: Final = "*"
# How long the old secret signs too after a rotation.
OVERLAP: Final = timedelta(days=1)


class WebhookQuerySet(TeamRowsQuerySet["Webhook"]):
    """Administrators see the webhooks of their teams."""


class Webhook(models.Model):
    """An address to which the events of a team are sent."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    url = models.CharField("address", max_length=MAX_URL_CHARACTERS)
    events = ArrayField(models.CharField(max_length=64))
    secret = EncryptedTextField(editable=False)
    old_secret = EncryptedTextField(null=True, blank=True, editable=False)
    old_secret_ends_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(db_default=Now())
    # Since when every try has failed.
    failing_since = models.DateTimeField(null=True, blank=True)
    # Set when it was switched off because it failed too long.
    switched_off_at = models.DateTimeField(null=True, blank=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [("manage_webhooks", "Can manage the webhooks of a team")]
        constraints = [
            models.CheckConstraint(condition=~Q(events=[]), name="webhook_asks_for_events"),
            models.CheckConstraint(
                condition=Q(old_secret__isnull=True, old_secret_ends_at__isnull=True)
                | Q(old_secret__isnull=False, old_secret_ends_at__isnull=False),
                name="old_webhook_secret_ends",
            ),
            models.CheckConstraint(
                condition=Q(is_active=False) | Q(switched_off_at=None),
                name="active_webhook_is_not_switched_off",
            ),
        ]

    def __str__(self) -> str:
        # The address may hold a secret.
        return f"Webhook of {self.team}"


class WebhookDeliveryQuerySet(TeamRowsQuerySet["WebhookDelivery"]):
    def of_teams(self, teams: frozenset[UUID]) -> Q:
        return Q(webhook__in=Webhook.objects.filter(team__in=teams))

    def waiting(self) -> Self:
        return self.filter(state=WebhookDelivery.State.WAITING)

    def sendable(self) -> Self:
        """Keep what can be sent now: an event waits for the earlier ones of its object."""
        earlier = WebhookDelivery.objects.waiting().filter(
            webhook=OuterRef("webhook"),
            object_id=OuterRef("object_id"),
            place__lt=OuterRef("place"),
            is_replay=False,
        )
        due = self.waiting().filter(next_try_at__lte=Now(), webhook__is_active=True)
        return due.filter(Q(is_replay=True) | ~Exists(earlier))

    def fail_waiting(self) -> int:
        """End what waits for a webhook that is switched off; return how much has failed by this."""
        return self.waiting().update(
            state=WebhookDelivery.State.FAILED,
            next_try_at=None,
            claim=None,
            error="The webhook was switched off.",
        )


class WebhookDelivery(models.Model):
    """One event that one webhook gets, and the answer to the last try."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexed with the time below.
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+")
    # Of the event: what is sent in order.
    object_id = models.UUIDField()
    # The number of the event; 0 for a test.
    place = models.BigIntegerField()
    # A replay holds nothing back, and nothing holds it back.
    is_replay = models.BooleanField(default=False, db_default=False)
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(db_default=Now())
    # While a worker sends it, when another one may take it over.
    next_try_at = models.DateTimeField(db_default=Now(), null=True, blank=True)
    # Names the worker that may record the answer.
    claim = models.UUIDField(null=True, blank=True, editable=False)
    tries = models.PositiveIntegerField(default=0, db_default=0)
    tried_at = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="The status of the last answer; empty if none came"
    )
    milliseconds = models.PositiveIntegerField(null=True, blank=True, help_text="How long the last try took")
    error = models.CharField(max_length=300, blank=True, default="", db_default="")

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="waiting", next_try_at__isnull=False)
                | Q(state__in=["delivered", "failed"], next_try_at=None),
                name="only_a_waiting_delivery_is_tried",
            ),
        ]
        indexes = [
            # The log.
            models.Index(fields=["webhook", "-created_at", "-id"], name="delivery_of_webhook"),
            # What is sent next, and what holds it back.
            models.Index(fields=["webhook", "place"], condition=Q(state="waiting"), name="delivery_to_send"),
            models.Index(
                fields=["webhook", "object_id", "place"],
                condition=Q(state="waiting", is_replay=False),
                name="delivery_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.webhook_id}"

    @property
    def team_id(self) -> UUID:
        return self.webhook.team_id
