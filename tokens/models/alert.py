"""Alerts: messages that the console sends to people."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.models.connection import Connection, ConnectionPartQuerySet


class AlertQuerySet(ConnectionPartQuerySet["Alert"]):
    # An alert without a connection is shown to superusers.

    def erase_texts(self) -> int:
        """Erase what the alerts say; an alert that waits is not sent."""
        return self.update(text="Erased, because the login was forgotten.", error="", next_try_at=None)

    def undelivered(self) -> Self:
        return self.filter(next_try_at__isnull=False).exclude(error="")


class Alert(models.Model):
    """One event that people are told about. Its key makes sure that they are told once."""

    class Kind(models.TextChoices):
        CONNECTION_BROKEN = "connection_broken"
        CONNECTION_HEALED = "connection_healed"
        APPLICATION_REFUSED = "application_refused"
        APPLICATION_ACCEPTED = "application_accepted", "application accepted again"
        CONSENT_ENDING = "consent_ending"
        ACCOUNT_SUSPENDED = "account_suspended"
        ACCOUNT_RESTORED = "account_restored"
        SUSPENSION_ANNOUNCED = "suspension_announced"
        PAYMENT_METHOD_ENDING = "payment_method_ending"
        API_KEY_ENDING = "api_key_ending", "API key ending"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=32, choices=Kind.choices)
    key = models.CharField(max_length=200, unique=True)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="alerts")
    text = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    # Alerts of one kind that are claimed together are one message. Its id stays when it is sent again.
    message_id = models.UUIDField(null=True, blank=True)
    next_try_at = models.DateTimeField(db_default=Now(), null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    # Keyed digests of the addresses in ALERT_URLS that have the message: the addresses themselves hold secrets.
    taken_by = ArrayField(models.CharField(max_length=64), default=list, db_default=[], editable=False)
    told_at = models.DateTimeField(
        null=True, blank=True, help_text="When the first of several addresses took it"
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(next_try_at__isnull=True), name="sent_alert_is_not_due"
            ),
        ]
        indexes = [
            # What is to be sent next.
            models.Index(
                fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name="alert_to_send"
            ),
            models.Index(fields=["created_at"], name="alert_by_age"),
        ]

    def __str__(self) -> str:
        return self.text
