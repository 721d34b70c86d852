"""The record of who asked for access tokens."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.models.connection import Connection, ConnectionPartQuerySet


class AccessTokenRequestQuerySet(ConnectionPartQuerySet["AccessTokenRequest"]):
    pass


class AccessTokenRequest(models.Model):
    """Who asked for an access token of a connection, when and from where. The token itself is not stored."""

    class Outcome(models.TextChoices):
        GIVEN = "given"
        UNAVAILABLE = "unavailable", "not available in time"
        REFUSED = "refused", "connection not usable"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="token_requests")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    remote_addr = models.GenericIPAddressField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    requested_at = models.DateTimeField(db_default=Now())

    objects = AccessTokenRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-id"]
        indexes = [
            # A connection's audit, newest first.
            models.Index(fields=["connection", "-requested_at", "-id"], name="token_request_of_connection"),
            models.Index(fields=["requested_at"], name="token_request_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.requested_at:%Y-%m-%d %H:%M} UTC {self.outcome}"
