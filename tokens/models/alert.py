"""Alerts: messages that the console sends to people."""

from typing import Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from uuid_utils.compat import uuid7

from tokens.encryption import EncryptedTextField
from tokens.models.api_key import ApiKey
from tokens.models.connection import Connection, ConnectionPartQuerySet
from tokens.models.team import MAX_NAME_LENGTH, Everywhere, Team, TeamRowsQuerySet, find_teams
from tokens.models.webhook import Webhook
from tokens.permissions import Actor, may_everything


class AlertQuerySet(ConnectionPartQuerySet["Alert"]):
    def visible_to(self, user: Actor) -> Self:
        """Keep the alerts about connections, API keys and webhooks that the person sees. Superusers see every alert."""
        teams = find_teams(user, "tokens.view_alert")
        if isinstance(teams, Everywhere):
            return self
        return self.filter(
            self.of_teams(teams)
            | Q(team_ids__overlap=list(teams))
            | Q(api_key__in=ApiKey.objects.visible_to(user))
            | Q(webhook__in=Webhook.objects.visible_to(user))
        )

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
        WEBHOOK_SWITCHED_OFF = "webhook_switched_off"
        CONNECTION_FAILING = "connection_failing"
        CONNECTION_WORKING = "connection_working"
        MANY_FAILING = "many_failing", "many logins failing"
        MANY_WORKING = "many_working", "many logins working"
        SERVICE_FAILING = "service_failing", "console failing"
        SERVICE_WORKING = "service_working", "console working"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=32, choices=Kind.choices)
    key = models.CharField(max_length=200, unique=True)
    # What the alert is about. Without either it is about the installation.
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="alerts")
    # The constraint alert_ends_with_its_api_key of the database deletes it, because a trigger deletes keys too.
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.DO_NOTHING, db_constraint=False, null=True, blank=True, related_name="+"
    )
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    # The teams whose connections it is about, if it is about many connections.
    team_ids = ArrayField(models.UUIDField(), default=list, db_default=[], blank=True, editable=False)
    text = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    # Alerts of one kind that are claimed together are one message. Its id stays when it is sent again.
    message_id = models.UUIDField(null=True, blank=True)
    next_try_at = models.DateTimeField(db_default=Now(), null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    told_at = models.DateTimeField(
        null=True, blank=True, help_text="When the first of several recipients took it"
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
            models.CheckConstraint(
                condition=Q(connection__isnull=True, api_key__isnull=True)
                | Q(connection__isnull=True, webhook__isnull=True)
                | Q(api_key__isnull=True, webhook__isnull=True),
                name="alert_is_about_one_thing",
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

    @property
    def team_id(self) -> UUID | None:
        about = self.connection or self.webhook
        return about.team_id if about else None

    @property
    def all_team_ids(self) -> tuple[UUID, ...]:
        return (self.team_id,) if self.team_id is not None else tuple(self.team_ids)


class AlertDelivery(models.Model):
    """One recipient has taken a message, and does not get it again when it is sent again for others."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    message_id = models.UUIDField()
    # Names an address by a keyed digest: the address itself may hold a secret.
    recipient = models.CharField(max_length=100)
    taken_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "alert deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["message_id", "recipient"], name="recipient_takes_a_message_once"
            ),
        ]
        indexes = [models.Index(fields=["taken_at"], name="alert_delivery_by_age")]

    def __str__(self) -> str:
        return f"{self.message_id} to {self.recipient}"


class MutedAlertKindQuerySet(models.QuerySet["MutedAlertKind"]):
    def visible_to(self, user: Actor) -> Self:
        """Keep the person's own choice. Superusers see what everybody chose."""
        if may_everything(user):
            return self
        return self.filter(user=user.pk) if isinstance(user, User) and user.is_active else self.none()


class MutedAlertKind(models.Model):
    """A kind of alerts about which a person wants no mail. Who has no rows gets mail about every kind."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexed by the constraint below.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=32, choices=Alert.Kind.choices)

    objects = MutedAlertKindQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "kind"], name="person_mutes_a_kind_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.user}"


class AlertAddressQuerySet(TeamRowsQuerySet["AlertAddress"]):
    """Administrators see the addresses of their teams."""


class AlertAddress(models.Model):
    """An address of a team that gets the alerts about its connections."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexed by the constraint below.
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=MAX_NAME_LENGTH, help_text="By which people recognise the address")
    service = models.CharField(max_length=32)
    # Whoever has the address can post to it.
    address = EncryptedTextField()
    created_at = models.DateTimeField(db_default=Now())

    objects = AlertAddressQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        verbose_name_plural = "alert addresses"
        permissions = [("manage_alert_addresses", "Can manage the addresses for alerts of a team")]
        constraints = [
            models.UniqueConstraint("team", Lower("name"), name="one_alert_address_per_team_and_name"),
            models.CheckConstraint(condition=~Q(name=""), name="alert_address_has_a_name"),
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.name}"

    @property
    def audited_name(self) -> str:
        return self.name
