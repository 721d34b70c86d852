"""The history of token refreshes."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Count, F, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.models.connection import Connection, ConnectionPartQuerySet

# Outcomes that say nothing about how well refreshing works.
UNCOUNTED = ["reauthorise", "config", "superseded", "lost"]


class TokenRefreshQuerySet(ConnectionPartQuerySet["TokenRefresh"]):
    def since(self, moment: datetime | Combinable) -> Self:
        return self.filter(started_at__gte=moment)

    def judged(self) -> Self:
        # A dead grant or a refused application says nothing about how well refreshing works. A refresh that
        # was lost or superseded was made again by another one, and would be counted twice.
        return self.filter(token_valid_after__isnull=False).exclude(outcome__in=UNCOUNTED)

    def success_rate(self) -> float | None:
        """Return the share of the judged refreshes after which the token was valid; None if there are none."""
        counted = self.judged().aggregate(
            fresh=Count("pk", filter=Q(token_valid_after=True)), all=Count("pk")
        )
        return counted["fresh"] / counted["all"] if counted["all"] else None


class TokenRefresh(models.Model):
    """One refresh of a connection: inserted when it is claimed, closed with its outcome."""

    class Trigger(models.TextChoices):
        SCHEDULED = "scheduled"
        ON_USE = "on_use", "on use"
        MANUAL = "manual"
        CONNECT = "connect"

    class Outcome(models.TextChoices):
        SUCCEEDED = "succeeded"
        TRANSIENT = "transient"
        THROTTLED = "throttled"
        POSTPONED = "postponed", "no call made yet"
        REAUTHORIZATION_REQUIRED = "reauthorise", "login refused"
        CONFIG = "config", "application refused"
        PERMANENT = "permanent"
        SUPERSEDED = "superseded", "grant changed meanwhile"
        LOST = "lost", "process died"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="refreshes")
    grant_version = models.PositiveIntegerField()
    trigger = models.CharField(max_length=16, choices=Trigger.choices)
    tries = models.PositiveSmallIntegerField(default=0, help_text="Calls made to Amazon")
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome.choices, null=True, blank=True)
    error_code = models.TextField(blank=True, default="")
    error = models.TextField(blank=True, default="")
    request_id = models.TextField(blank=True, default="")
    new_expires_at = models.DateTimeField(null=True, blank=True)
    token_valid_after = models.BooleanField(
        null=True,
        db_column="left_fresh",
        help_text="Whether the connection had a valid token when the refresh ended",
    )

    objects = TokenRefreshQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "token refreshes"
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"],
                condition=Q(outcome__isnull=True),
                name="one_open_refresh_per_connection",
            ),
            models.CheckConstraint(
                condition=Q(outcome__isnull=True, finished_at__isnull=True)
                | Q(outcome__isnull=False, finished_at__isnull=False),
                name="closed_refresh_has_an_outcome",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(finished_at__gte=F("started_at")),
                name="refresh_ends_after_it_began",
            ),
            models.CheckConstraint(
                condition=Q(trigger__in=["scheduled", "on_use", "manual", "connect"]),
                name="refresh_trigger_is_known",
            ),
        ]
        indexes = [
            # A connection's history, newest first.
            models.Index(fields=["connection", "-started_at", "-id"], name="refresh_of_connection"),
            # Outcomes by hour, success rates and pruning.
            models.Index(fields=["started_at"], name="refresh_by_start"),
            # When Login with Amazon failed.
            models.Index(
                fields=["started_at"],
                condition=Q(outcome__in=["transient", "throttled", "postponed"]),
                name="refresh_failed_at_amazon",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.started_at:%Y-%m-%d %H:%M} UTC {self.outcome or 'running'}"
