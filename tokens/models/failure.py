"""What the watcher remembers: the failures that last, and when it looked."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.models.connection import Connection


class FailureQuerySet(models.QuerySet["Failure"]):
    def lasting(self) -> Self:
        return self.filter(ended_at__isnull=True)


class Failure(models.Model):
    """Something that does not work: one login, many logins at once, or a part of the console."""

    class Kind(models.TextChoices):
        LOGIN = "login"
        MANY_LOGINS = "many_logins", "many logins at once"
        SERVICE = "service", "a part of the console"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # The id of the connection, the cause that many logins share, or the name of the part.
    subject = models.CharField(max_length=64)
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    began_at = models.DateTimeField(db_default=Now())
    logins = models.PositiveIntegerField(default=0, help_text="How many logins failed at most")
    told_at = models.DateTimeField(null=True, blank=True, help_text="When people were told that it lasts")
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = FailureQuerySet.as_manager()

    class Meta:
        ordering = ["-began_at", "-id"]
        constraints = [
            # Of several processes that see a failure at once, one stores it.
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=Q(ended_at__isnull=True),
                name="one_lasting_failure_per_subject",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["login", "many_logins", "service"]), name="failure_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(kind="login", connection__isnull=False)
                | (~Q(kind="login") & Q(connection__isnull=True)),
                name="failure_of_a_login_has_a_connection",
            ),
        ]
        indexes = [models.Index(fields=["ended_at"], name="failure_by_end")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} since {self.began_at:%Y-%m-%d %H:%M} UTC"


class Watch(models.Model):
    """The only row tells when a process last looked for failures. So one of all processes looks each time."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    looked_at = models.DateTimeField(db_default=Now())
    called_at = models.DateTimeField(null=True, blank=True, help_text="When HEARTBEAT_URL was called last")
    # When the disk is full, a row that exists can be changed, and no row can be added.
    full_disk_told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_watch")]

    def __str__(self) -> str:
        return f"looked at {self.looked_at:%Y-%m-%d %H:%M:%S} UTC"
