"""Links by which somebody without a login here connects or renews an Amazon login."""

from datetime import timedelta
from typing import Any, Final, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, Count, F, Q, Value, When
from django.db.models.functions import Now, Upper
from uuid_utils.compat import uuid7

from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.configuration.languages import CLIENT_LANGUAGES
from amazon_accounts.postgresql.clock import approximate_now
from tokens.models.connection import Connection, all_regions
from tokens.models.renewal_mail import RenewalMail
from tokens.models.team import Team, TeamRowsQuerySet

MAX_LIFE: Final = timedelta(days=30)
# For so long the browser that used the link sees what came of it.
RESULT_LIFE: Final = timedelta(hours=1)
MAX_ADDRESS_LENGTH: Final = 254  # characters, as RFC 5321 allows


class Progress(models.TextChoices):
    """How far it is with a link that renews a login: the furthest of these that holds."""

    # By the link, or in another way since it was made.
    RENEWED = "renewed"
    WRONG_LOGIN = "wrong_login"
    OPENED = "opened"
    SENT = "sent"
    FAILED = "failed"
    ENDED = "ended"
    WAITING = "waiting"


def _tell_progress() -> Case:
    renewed = Q(used_at__isnull=False) | Q(connection__consented_at__gte=F("created_at"))
    words = {
        Progress.RENEWED: renewed,
        Progress.WRONG_LOGIN: ~Q(came_back_as=""),
        Progress.OPENED: Q(opened_at__isnull=False),
        Progress.SENT: Q(mailed_at__isnull=False),
        Progress.FAILED: Q(mail__failed_at__isnull=False),
        Progress.ENDED: Q(revoked_at__isnull=False) | Q(ends_at__lte=Now()),
    }
    chosen = [When(condition, then=Value(word)) for word, condition in words.items()]
    return Case(*chosen, default=Value(Progress.WAITING), output_field=models.CharField())


class ConnectLinkQuerySet(TeamRowsQuerySet["ConnectLink"]):
    def with_progress(self) -> Self:
        """Give each link its `progress`."""
        return self.annotate(progress=_tell_progress())

    def count_progress(self) -> models.QuerySet["ConnectLink", Any]:
        """Return rows with a word of Progress and the number of links that have it."""
        counted = self.order_by().values(word=_tell_progress()).annotate(number=Count("pk"))
        return counted.values_list("word", "number")

    def open(self) -> Self:
        return self.filter(used_at=None, revoked_at=None, ends_at__gt=Now())

    def revoke(self) -> int:
        """End the links that nobody has used and nobody has revoked; return how many."""
        return self.filter(used_at=None, revoked_at=None).update(revoked_at=Now())


class ConnectLink(models.Model):
    """A link for a client: it opens a page that leads to Amazon's consent page, and is used up by one connection.

    Whoever has the link needs no login here. Only the digest of its token is stored.
    """

    class State(models.TextChoices):
        OPEN = "open"
        USED = "used"
        EXPIRED = "expired"
        REVOKED = "revoked"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexed with the time below.
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+", db_index=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who made it, and will be responsible for what it connects",
    )
    label = models.CharField(max_length=200)
    connection = models.ForeignKey(
        Connection,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Which one to renew",
    )
    email = models.EmailField(max_length=MAX_ADDRESS_LENGTH, blank=True, default="")
    language = models.CharField(max_length=2, choices=CLIENT_LANGUAGES, default="en", help_text="Of the mail")
    regions = ArrayField(models.CharField(max_length=2, choices=Region.choices), default=all_regions)
    # Null until the worker has made the token of a link that is mailed.
    digest = models.CharField(max_length=64, unique=True, null=True, editable=False)
    mailed_at = models.DateTimeField(null=True, blank=True)
    # What made it together with others: the operation that sends renewal links.
    mailing = models.UUIDField(null=True, blank=True, editable=False)
    # Null for a link that has a mail of its own. Indexed by the constraint below.
    mail = models.ForeignKey(
        RenewalMail,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="links",
        db_index=False,
        help_text="With which it was sent to its contact",
    )
    # Since the page was first shown, maybe by a program that looks into mails.
    opened_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    # Of the cookie of the browser that used the link.
    browser_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    connected = models.ForeignKey(
        Connection,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Which one it gave",
    )
    has_renewed = models.BooleanField(
        default=False, db_default=False, help_text="Whether the connection was there before the link was used"
    )
    came_back_as = models.TextField(
        blank=True, default="", db_default="", help_text="The other login with which the last try came back"
    )

    objects = ConnectLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__lte=F("created_at") + MAX_LIFE), name="connect_link_ends_in_time"
            ),
            models.CheckConstraint(
                condition=Q(used_at=None, connected=None, browser_digest="")
                | (Q(used_at__isnull=False, connected__isnull=False) & ~Q(browser_digest="")),
                name="used_connect_link_has_a_connection",
            ),
            models.CheckConstraint(
                condition=Q(used_at=None) | Q(revoked_at=None), name="used_connect_link_is_not_revoked"
            ),
            models.CheckConstraint(
                condition=Q(mailed_at=None) | (Q(digest__isnull=False) & ~Q(email="")),
                name="mailed_connect_link_has_a_digest",
            ),
            models.UniqueConstraint(
                fields=["mail", "connection"],
                condition=Q(mail__isnull=False),
                name="one_link_per_renewal_mail_and_connection",
            ),
            models.CheckConstraint(
                condition=Q(regions__len__gt=0) & Q(regions__contained_by=Region.values),
                name="connect_link_regions_are_known",
            ),
            models.CheckConstraint(
                condition=Q(language__in=dict(CLIENT_LANGUAGES)), name="connect_link_language_is_known"
            ),
        ]
        indexes = [
            # The list.
            models.Index(fields=["team", "-created_at", "-id"], name="connect_link_of_team"),
            # How many were sent to one address.
            models.Index(
                Upper("email"), "created_at", condition=~Q(email=""), name="connect_link_by_address"
            ),
            # What became of the links of a mailing.
            models.Index(
                fields=["mailing"], condition=Q(mailing__isnull=False), name="connect_link_of_mailing"
            ),
            # Pruning.
            models.Index(fields=["ends_at"], name="connect_link_by_end"),
        ]

    def __str__(self) -> str:
        # Without the label and the address, which name a client.
        return f"Client link of {self.team}"

    @property
    def state(self) -> State:
        if self.used_at is not None:
            return self.State.USED
        if self.revoked_at is not None:
            return self.State.REVOKED
        return self.State.OPEN if self.ends_at > approximate_now() else self.State.EXPIRED
