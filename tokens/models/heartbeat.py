"""Heartbeats of worker and scheduler processes."""

from django.db import models
from django.db.models.functions import Now
from uuid_utils.compat import uuid7


class Heartbeat(models.Model):
    """A worker or scheduler process that says it is alive."""

    class Kind(models.TextChoices):
        WORKER = "worker"
        SCHEDULER = "scheduler"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    leads = models.BooleanField(default=False, help_text="Whether this scheduler is the one at work")
    started_at = models.DateTimeField(db_default=Now())
    beat_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["kind", "-beat_at"]
        indexes = [
            models.Index(fields=["kind", "beat_at"], name="heartbeat_by_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.host}:{self.pid}"
