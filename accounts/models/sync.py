"""Sync runs: each reads the lists of one connection from Amazon and stores them."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.models import Connection
from tokens.models.connection import ConnectionPartQuerySet

UNFINISHED = ["waiting", "running"]


class SyncRunQuerySet(ConnectionPartQuerySet["SyncRun"]):
    def unfinished(self) -> Self:
        return self.filter(state__in=UNFINISHED)


class SyncRun(models.Model):
    class Trigger(models.TextChoices):
        SCHEDULED = "scheduled"
        MANUAL = "manual"
        BATCH = "batch"
        CONNECT = "connect"
        API = "api", "API"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        PARTIAL = "partial"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="sync_runs")
    trigger = models.CharField(max_length=12, choices=Trigger.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # The key by which the person spoke. It may have been revoked.
    asked_by_key = models.UUIDField(null=True, blank=True, editable=False)
    # Nobody waits for it but the person, whose right is checked again when it begins.
    checks_asker = models.BooleanField(default=False, db_default=False, editable=False)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # Per source, and per region where the source is regional: outcome, counts and errors.
    sources = models.JSONField(default=list, blank=True)
    seen = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    gone = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    throttled = models.PositiveIntegerField(default=0)
    postponed = models.PositiveSmallIntegerField(
        default=0, help_text="Times it was put back in the queue because Amazon asked to wait"
    )
    postponed_at = models.DateTimeField(
        null=True, blank=True, help_text="When Amazon asked to wait for the first time"
    )
    error = models.TextField(blank=True, default="")
    # Of amazon_accounts.amazon_ads.causes, if not all could be read.
    cause = models.CharField(max_length=24, blank=True, default="", db_default="", editable=False)

    objects = SyncRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=Q(state="running"), name="one_running_sync_per_connection"
            ),
            models.UniqueConstraint(
                fields=["connection"], condition=Q(state="waiting"), name="one_waiting_sync_per_connection"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "succeeded", "partial", "failed"]),
                name="sync_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting") | Q(started_at__isnull=False) | Q(state="failed"),
                name="begun_sync_has_a_start",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(finished_at__gte=F("created_at")),
                name="sync_ends_after_it_began",
            ),
        ]
        indexes = [
            # A connection's history, newest first, and everybody's.
            models.Index(fields=["connection", "-created_at", "-id"], name="sync_of_connection"),
            models.Index(fields=["-created_at", "-id"], name="sync_by_time"),
            # Everybody's failures, newest first.
            models.Index(
                fields=["-created_at", "-id"],
                condition=Q(state__in=["failed", "partial"]),
                name="sync_failed_by_time",
            ),
            # The rescue of runs whose worker died.
            models.Index(fields=["heartbeat_at"], condition=Q(state="running"), name="sync_running"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.created_at:%Y-%m-%d %H:%M} UTC {self.state}"
