"""Mails with renewal links: one person gets one a day, with all their logins in it."""

from datetime import UTC, timedelta
from typing import Any, Final, Self

from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q
from django.db.models.functions import Now, TruncDate
from uuid_utils.compat import uuid7

# Days end at midnight of UTC, which is no midnight for most people. So two mails also have some hours between them.
PAUSE: Final = timedelta(hours=20)


def today() -> TruncDate:
    return TruncDate(Now(), tzinfo=UTC)


class AddressDigest(Func):
    """The digest of an address, without regard to capital letters."""

    template = "encode(sha256(convert_to(lower(%(expressions)s), 'UTF8')), 'hex')"
    output_field: Any = models.CharField(max_length=64)


class RenewalMailQuerySet(models.QuerySet["RenewalMail"]):
    def unsent(self) -> Self:
        """Keep the mails that no worker has begun to send."""
        return self.filter(started_at=None, failed_at=None)

    def due(self) -> Self:
        """Keep those of today that nobody has begun to send, to people who got none in the last hours."""
        recent = RenewalMail.objects.filter(
            address_digest=OuterRef("address_digest"), mailed_at__gt=Now() - PAUSE
        )
        return self.unsent().filter(~Exists(recent), day=today())


class RenewalMail(models.Model):
    """One mail to one person: the links that name it are in it.

    A worker that has begun to send it may have died before or after the mail server took it. Such a mail is not sent
    again; what was in it is in the mail of another day.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Not the address, which the links have: it is erased when a login is forgotten.
    address_digest = models.CharField(max_length=64)
    day = models.DateField()
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    # When the mail server had refused it at the last try.
    failed_at = models.DateTimeField(null=True)

    objects = RenewalMailQuerySet.as_manager()

    class Meta:
        ordering = ["-day", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["address_digest", "day"], name="one_renewal_mail_per_address_and_day"
            ),
            models.CheckConstraint(
                condition=Q(mailed_at=None) | Q(started_at__isnull=False, failed_at=None),
                name="renewal_mail_is_started_before_it_is_sent",
            ),
            models.CheckConstraint(
                condition=Q(mailed_at=None) | Q(mailed_at__gte=F("started_at")),
                name="renewal_mail_is_sent_after_it_was_started",
            ),
        ]
        indexes = [
            # What waits to be sent, and pruning.
            models.Index(fields=["day"], name="renewal_mail_by_day"),
        ]

    def __str__(self) -> str:
        return f"Mail with renewal links of {self.day}"
