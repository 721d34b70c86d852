"""What changed on an account: written by triggers in the database, so that no write path can skip it."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.account import Account
from accounts.models.sync import SyncRun


class AccountChange(models.Model):
    """One change of one account, old and new. The first sight of an account is `Account.first_seen_at`, no change."""

    class Kind(models.TextChoices):
        NAME = "name"
        STATUS = "status"
        COUNTRIES = "countries"
        ERRORS = "errors", "errors at Amazon"
        PAYMENT = "payment", "payment method"
        APPEARED = "appeared", "appeared again"
        VANISHED = "vanished"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="changes")
    # None: changed by people, or the run was pruned.
    run = models.ForeignKey(SyncRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="changes")
    changed_at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    profile_id = models.TextField(
        blank=True, default="", help_text="The profile whose payment method changed"
    )
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)

    class Meta:
        ordering = ["-changed_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=["name", "status", "countries", "errors", "payment", "appeared", "vanished"]
                ),
                name="change_kind_is_known",
            ),
        ]
        indexes = [
            # An account's timeline, newest first, and everybody's changes since a time.
            models.Index(fields=["account", "-changed_at", "-id"], name="change_of_account"),
            models.Index(fields=["changed_at", "id"], name="change_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.kind} {self.changed_at:%Y-%m-%d %H:%M} UTC"
