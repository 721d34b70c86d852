"""Events: what happened, for other systems. `GET events/` and webhooks tell them."""

from typing import Final, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.models.team import Team, TeamRowsQuerySet

# Numbers both what was written and what was placed.
ORDER: Final = "tokens_event_order"


class EventQuerySet(TeamRowsQuerySet["Event"]):
    def placed(self) -> Self:
        return self.filter(number__isnull=False).exclude(type=Event.Type.WEBHOOK_TEST)

    def erase_connection(self, connection_id: UUID, label: str) -> int:
        """Give the connection this label in everything that its events say."""
        events = self.filter(connection_id=connection_id, data__has_key="connection")
        return events.update(data=_set("connection", "label", label))

    def rename_team(self, name: str) -> int:
        """Give the team this name in everything that these events say."""
        return self.update(data=_set("team", "name", name))

    def erase_accounts(self, accounts: models.QuerySet[models.Model]) -> int:
        """Erase the names of these accounts in everything that their events say."""
        events = self.filter(object_id__in=accounts.values("pk"), data__has_key="account")
        return events.update(data=_set("account", "name", ""))


def _set(name: str, key: str, text: str) -> Func:
    return Func(
        "data",
        Value([name, key], output_field=ArrayField(models.TextField())),
        Value(text, output_field=models.JSONField()),
        function="jsonb_set",
        output_field=models.JSONField(),
    )


class Event(models.Model):
    """Something that happened to a connection, an account or a batch of one team.

    The operation writes it in its own transaction. `tokens/webhooks/placing.py` gives it a number when it is committed,
    so whoever has read a number never misses a smaller one.
    """

    class Type(models.TextChoices):
        CONNECTION_CONNECTED = "connection.connected"
        CONNECTION_BROKEN = "connection.broken"
        CONNECTION_HEALED = "connection.healed"
        CONNECTION_DISCONNECTED = "connection.disconnected"
        CONNECTION_CONSENT_ENDING = "connection.consent_ending"
        ACCOUNT_APPEARED = "account.appeared"
        ACCOUNT_NOT_VISIBLE = "account.not_visible"
        ACCOUNT_SUSPENDED = "account.suspended"
        ACCOUNT_RESTORED = "account.restored"
        ACCOUNT_SUSPENSION_ANNOUNCED = "account.suspension_announced"
        SYNC_ENDED = "sync.ended"
        BATCH_ENDED = "batch.ended"
        # Sent to one webhook because somebody asked for it. It is in no list.
        WEBHOOK_TEST = "webhook.test"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexed with the number below.
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=64, choices=Type.choices)
    # The connection, account or batch. Webhooks get the events of one object in order.
    object_id = models.UUIDField()
    # The connection whose label the data has. It is no foreign key, because an event changes nothing but its names.
    connection_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    # Grows with each event of one object, whose row is locked by whoever writes about it.
    written = models.BigIntegerField(
        db_default=Func(Value(ORDER), function="nextval", output_field=models.BigIntegerField())
    )
    # Null until the event is placed.
    number = models.BigIntegerField(null=True, blank=True, unique=True)
    # Holds no token and no address of a person.
    data = models.JSONField()

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.CheckConstraint(
                condition=Q(type__regex=r"^[a-z_]+\.[a-z_]+$"), name="event_type_is_an_object_and_a_verb"
            ),
        ]
        indexes = [
            models.Index(fields=["team", "number"], name="event_of_team"),
            # What is placed next.
            models.Index(fields=["written"], condition=Q(number=None), name="event_to_place"),
            models.Index(fields=["created_at"], name="event_by_age"),
            # The activity of teams, and of a connection. The second one also finds what is erased when a login is forgotten.
            models.Index(fields=["team", "type", "-created_at", "-id"], name="event_by_team_and_type"),
            models.Index(
                fields=["connection_id", "type", "-created_at", "-id"], name="event_by_connection_and_type"
            ),
            models.Index(fields=["object_id"], name="event_of_object"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.object_id}"
