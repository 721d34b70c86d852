"""When a person gets mail about alerts, and the alerts that wait for that time."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.models.alert import Alert


class AlertTimes(models.Model):
    """Quiet hours and the time of the daily mail of a person. A person without a row gets each mail at once."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    # All times of day are times in this zone.
    zone = models.CharField(max_length=64)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    digest_at = models.TimeField(null=True, blank=True)
    # When the next mail with what waits is due. A claim moves it forward.
    next_mail_at = models.DateTimeField(null=True, blank=True)
    # A mail that failed is sent again under its id, with what waited until then.
    message_id = models.UUIDField(null=True, blank=True)
    message_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    # Until when the last daily mail told what had changed.
    told_until = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "alert times"
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | (Q(quiet_from__isnull=False, quiet_until__isnull=False) & ~Q(quiet_from=F("quiet_until"))),
                name="quiet_hours_begin_and_end",
            ),
            models.CheckConstraint(
                condition=Q(digest_at__isnull=True) | Q(next_mail_at__isnull=False),
                name="daily_mail_has_a_next_time",
            ),
            models.CheckConstraint(
                condition=Q(message_id__isnull=True, message_until__isnull=True)
                | Q(message_id__isnull=False, message_until__isnull=False),
                name="mail_of_alerts_has_an_end",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_mail_at"], condition=Q(next_mail_at__isnull=False), name="alert_mail_due"
            )
        ]

    def __str__(self) -> str:
        return f"alert times of {self.user}"


class WaitingAlert(models.Model):
    """An alert that waits for the next mail to a person."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexed by the constraint below.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "alert"], name="alert_waits_once_for_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} for {self.user}"
