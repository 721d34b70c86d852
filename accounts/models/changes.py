"""What changed on an account: written by triggers in the database, so that no write path can skip it."""

from typing import Self

from django.conf import settings
from django.db import connection as database
from django.db import models
from django.db.models import Func, OuterRef, Q, Subquery
from django.db.models.functions import Now

from accounts.models.account import Account, AccountPartQuerySet
from accounts.models.sync import SyncRun
from tokens.permissions import Actor


def change_in_the_name_of(user_id: int | None) -> None:
    """Name who changes accounts in this transaction; None is a command."""
    with database.cursor() as cursor:
        cursor.execute("SELECT set_config('amazon_accounts.changed_by', %s, true)", [str(user_id or "")])


class AccountChangeQuerySet(AccountPartQuerySet["AccountChange"]):
    def with_visible_run(self, user: Actor) -> Self:
        """Add `visible_run`: the id of the run, or None if the person does not see it.

        The connection may be in another team now: then its runs are there, and the account may be here.
        """
        runs = SyncRun.objects.visible_to(user).filter(pk=OuterRef("run_id")).order_by()
        return self.annotate(visible_run=Subquery(runs.values("pk")))


class AccountChange(models.Model):
    """One change of one account. A new account is no change: `Account.first_seen_at` tells when it was found."""

    class Kind(models.TextChoices):
        NAME = "name"
        STATUS = "status"
        STANDING = "standing"
        COUNTRIES = "countries"
        ERRORS = "errors", "errors at Amazon"
        PAYMENT = "payment", "payment method"
        APPEARED = "appeared", "appeared again"
        VANISHED = "vanished"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="changes")
    # None: a person changed it, or the run was pruned.
    run = models.ForeignKey(SyncRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="changes")
    # None: a sync or a command changed it, or the person was deleted.
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_default=Func(function="accounts_current_person"),
    )
    changed_at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=12, choices=Kind.choices)
    profile_id = models.TextField(
        blank=True, default="", help_text="The profile whose payment method changed"
    )
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)
    # Its place among the committed changes; null until `place_changes` has found it, 0 if it is older than the numbers.
    number = models.BigIntegerField(null=True, editable=False)

    objects = AccountChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-changed_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "name",
                        "status",
                        "standing",
                        "countries",
                        "errors",
                        "payment",
                        "appeared",
                        "vanished",
                    ]
                ),
                name="change_kind_is_known",
            ),
        ]
        indexes = [
            # An account's timeline, newest first, and everybody's changes since a time.
            models.Index(fields=["account", "-changed_at", "-id"], name="change_of_account"),
            models.Index(fields=["changed_at", "id"], name="change_by_time"),
            # The activity: few of all changes are new names, or were made by a person.
            models.Index(fields=["changed_at", "id"], condition=Q(kind="name"), name="change_of_name"),
            models.Index(
                fields=["changed_at", "id"], condition=Q(changed_by__isnull=False), name="change_by_person"
            ),
            # The ascending list, and what has no place in it yet.
            models.Index(fields=["number"], condition=Q(number__gt=0), name="change_by_number"),
            models.Index(fields=["id"], condition=Q(number=None), name="change_to_place"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.kind} {self.changed_at:%Y-%m-%d %H:%M} UTC"
