"""Connections: the Amazon logins that people connected."""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Self, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Lower, Now
from uuid_utils.compat import uuid7

from amazon_accounts.amazon_ads.causes import Cause
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.postgresql.trigrams import Trigrams
from tokens.encryption import EncryptedTextField
from tokens.models.team import Team, TeamRowsQuerySet

ACTIVE = Q(state="active")
DISCONNECTED = Q(state="disconnected")
# Amazon refuses the login until its owner reconnects it.
BROKEN = Q(state="reauthorization_required")
FAILING = Q(sync_failures__gt=0, paused=False)
PAUSED = Q(paused=True)
# A connection is late when it has missed two syncs.
INTERVALS_UNTIL_LATE = 2
# A refresh changes a connection often. Each change waits in a list of the index, which a search reads whole.
MAX_PENDING_KILOBYTES = 256


class ConsentState(StrEnum):
    """How long the consent of a login that is not disconnected holds."""

    ENDS_IN_7 = "ends_in_7"
    ENDS_IN_30 = "ends_in_30"
    ENDS_IN_60 = "ends_in_60"
    ENDED = "ended"
    # Nobody knows when the login consented.
    UNKNOWN = "unknown"
    # It holds for more than 60 days, or was given before consents had an end.
    GOOD = "good"


CONSENT_DAYS_LEFT: dict[ConsentState, int] = {
    ConsentState.ENDS_IN_7: 7,
    ConsentState.ENDS_IN_30: 30,
    ConsentState.ENDS_IN_60: 60,
}


def all_regions() -> list[str]:
    return list(Region.values)


def time_until_late() -> timedelta:
    return INTERVALS_UNTIL_LATE * timedelta(seconds=settings.SYNC_INTERVAL_SECONDS)


def where_live() -> Q:
    return ACTIVE & Q(client_id=settings.AMAZON_CLIENT_ID)


def where_late() -> Q:
    # A connection whose syncs fail is failing, and not late. One that is paused is neither.
    return Q(sync_failures=0, paused=False, last_synced_at__lt=Now() - time_until_late())


def first_consent_with_end() -> datetime:
    """Return the first moment whose consents end: from then on `Connection.consent_ends_at` is known."""
    return datetime.combine(settings.CONSENT_EFFECTIVE_DATE, time.min, UTC)


def where_consent(word: ConsentState) -> Q:
    first = first_consent_with_end()
    # Consents that were given then end now.
    ends_now = Now() - timedelta(days=settings.CONSENT_DAYS)
    match word:
        case ConsentState.UNKNOWN:
            condition = Q(consented_at=None)
        case ConsentState.ENDED:
            condition = Q(consented_at__gte=first, consented_at__lte=ends_now)
        case ConsentState.GOOD:
            lasts = Q(consented_at__gt=ends_now + timedelta(days=CONSENT_DAYS_LEFT[ConsentState.ENDS_IN_60]))
            condition = Q(consented_at__lt=first) | lasts
        case _:
            last = ends_now + timedelta(days=CONSENT_DAYS_LEFT[word])
            condition = Q(consented_at__gte=first, consented_at__gt=ends_now, consented_at__lte=last)
    return condition & ~DISCONNECTED


class ConnectionQuerySet(TeamRowsQuerySet["Connection"]):
    def active(self) -> Self:
        return self.filter(ACTIVE)

    def live(self) -> Self:
        # Amazon may be called with these connections.
        return self.filter(where_live())

    def broken(self) -> Self:
        return self.filter(BROKEN)

    def failing(self) -> Self:
        return self.filter(FAILING)

    def late(self) -> Self:
        return self.filter(where_late())


class Connection(models.Model):
    """One authorized Amazon login of one Login with Amazon application."""

    class State(models.TextChoices):
        ACTIVE = "active"
        REAUTHORIZATION_REQUIRED = "reauthorization_required"
        DISCONNECTED = "disconnected"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Indexed by the lists below.
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="connections", db_index=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="connections",
        help_text="The person responsible",
    )
    label = models.CharField(max_length=200)
    labels = models.JSONField(default=dict, db_default={}, blank=True, help_text="What operators say")
    contact_email = models.EmailField(
        blank=True, default="", db_default="", help_text="Whom to ask to renew the login"
    )
    client_id = models.CharField(max_length=100)
    regions = ArrayField(models.CharField(max_length=2, choices=Region.choices), default=all_regions)
    state = models.CharField(max_length=32, choices=State.choices, default=State.ACTIVE)

    # A paused connection is not synced; its token is still refreshed.
    paused = models.BooleanField(default=False, db_default=False)
    # The number of the newest request that changed a field, by field: see tokens/request_order.py.
    request_numbers = models.JSONField(default=dict, db_default={}, blank=True, editable=False)

    # Known only when the `profile` scope was granted.
    amazon_user_id = models.TextField(null=True, blank=True)
    amazon_user_name = models.TextField(blank=True, default="")
    amazon_user_email = models.TextField(blank=True, default="")

    # Amazon was asked who the login is and gave no answer; it is asked again after each refresh.
    is_identity_pending = models.BooleanField(default=False, db_default=False, editable=False)

    access_token = EncryptedTextField(null=True, editable=False)
    refresh_token = EncryptedTextField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    consented_at = models.DateTimeField(null=True, blank=True, help_text="When the login consented, if known")
    grant_version = models.PositiveIntegerField(default=1, help_text="Grows with every new grant")

    # Refreshes that Amazon answered with invalid_grant since the last success. The second makes the refusal final.
    grant_refusals = models.PositiveSmallIntegerField(default=0)

    # When the refresh check may claim this connection. A claim moves this time forward: that is the lease.
    next_refresh_at = models.DateTimeField(null=True, blank=True)
    lease_id = models.UUIDField(null=True, blank=True, editable=False, help_text="The TokenRefresh under way")
    refresh_count = models.PositiveBigIntegerField(default=0)
    last_refreshed_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    last_error_at = models.DateTimeField(null=True, blank=True)

    # Kept here and not on each account: a sync that finds nothing new writes no account.
    last_synced_at = models.DateTimeField(null=True, blank=True)
    next_sync_at = models.DateTimeField(null=True, blank=True)
    sync_failures = models.PositiveIntegerField(default=0, help_text="Failed syncs since the last good one")
    sync_error = models.TextField(blank=True, default="")
    # Amazon's lists that the last sync could not read, by their names in SyncRun.sources. What
    # these lists hold is taken from another connection that can read them.
    unread_lists = ArrayField(models.TextField(), default=list, db_default=[], blank=True, editable=False)

    # What a search looks into, in small letters.
    search_text = models.GeneratedField(
        expression=Lower(
            Concat(
                *("label", Value("\n"), "amazon_user_email", Value("\n"), "amazon_user_name", Value("\n")),
                *("amazon_user_id", Value("\n"), "contact_email"),
                output_field=models.TextField(),
            )
        ),
        output_field=models.TextField(),
        db_persist=True,
    )

    created_at = models.DateTimeField(db_default=Now())
    disconnected_at = models.DateTimeField(null=True, blank=True)
    disconnected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # When the names of the login were erased, and by whom. A forgotten login is never reconnected.
    forgotten_at = models.DateTimeField(null=True, blank=True)
    forgotten_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["label", "id"]
        permissions = [
            ("connect_amazon", "Can connect an Amazon login"),
            ("refresh_connection", "Can refresh a connection's token"),
            ("disconnect_connection", "Can disconnect a connection"),
            ("move_connection", "Can move a connection to another team"),
            ("use_access_token", "Can ask for a connection's access token"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["active", "reauthorization_required", "disconnected"]),
                name="connection_state_is_known",
            ),
            models.CheckConstraint(
                condition=~ACTIVE | Q(refresh_token__isnull=False),
                name="active_connection_has_refresh_token",
            ),
            models.CheckConstraint(
                condition=~DISCONNECTED
                | Q(refresh_token__isnull=True, access_token__isnull=True, disconnected_at__isnull=False),
                name="disconnected_connection_has_no_tokens",
            ),
            models.CheckConstraint(
                condition=Q(access_token__isnull=True) | Q(expires_at__isnull=False),
                name="access_token_has_an_expiry",
            ),
            models.CheckConstraint(
                condition=Q(next_refresh_at__isnull=True, lease_id__isnull=True) | ACTIVE,
                name="only_active_connections_are_due",
            ),
            models.CheckConstraint(
                condition=Q(regions__len__gt=0) & Q(regions__contained_by=Region.values),
                name="connection_regions_are_known",
            ),
            models.CheckConstraint(
                condition=Q(refresh_count__gte=0, sync_failures__gte=0, grant_version__gte=1),
                name="connection_counts_are_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(disconnected_at__isnull=True) | Q(disconnected_at__gte=F("created_at")),
                name="connection_ends_after_it_began",
            ),
            models.CheckConstraint(
                condition=Q(forgotten_at__isnull=True)
                | Q(
                    state="disconnected",
                    amazon_user_id__isnull=True,
                    amazon_user_name="",
                    amazon_user_email="",
                    contact_email="",
                ),
                name="forgotten_connection_names_nobody",
            ),
            models.UniqueConstraint(
                fields=["team", "client_id", "amazon_user_id"],
                condition=~DISCONNECTED,
                name="one_connection_per_team_client_and_login",
            ),
        ]
        indexes = [
            # The refresh check claims the connections of our application whose time has come, the oldest first.
            models.Index(
                fields=["client_id", "next_refresh_at"],
                condition=Q(next_refresh_at__isnull=False),
                name="connection_refresh_due",
            ),
            # The scheduler looks for the live connections whose next sync is due.
            models.Index(fields=["next_sync_at"], condition=ACTIVE, name="connection_sync_due"),
            # The watcher looks for the connections whose syncs fail.
            models.Index(
                fields=["client_id"], condition=ACTIVE & ~Q(sync_error=""), name="connection_sync_failing"
            ),
            # A team's list of connections, and the filters of the accounts list that go through them.
            models.Index(fields=["team", "label", "id"], name="connection_of_team"),
            # The orderings of the list of all teams.
            models.Index(fields=["label", "id"], name="connection_label"),
            models.Index(fields=["last_synced_at", "id"], name="connection_last_synced"),
            models.Index(fields=["expires_at", "id"], name="connection_expires"),
            # The same, and `?consent=`.
            models.Index(fields=["consented_at", "id"], name="connection_consented"),
            # A rare state, in the list's first ordering.
            models.Index(fields=["state", "label", "id"], name="connection_state_label"),
            models.Index(fields=["label", "id"], condition=PAUSED, name="connection_paused"),
            # `?labels={...}` and `?search=`.
            GinIndex(
                fields=["labels"],
                opclasses=["jsonb_path_ops"],
                gin_pending_list_limit=MAX_PENDING_KILOBYTES,
                name="connection_labels",
            ),
            GinIndex(
                Trigrams("search_text"),
                gin_pending_list_limit=MAX_PENDING_KILOBYTES,
                name="connection_search",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def amazon_user(self) -> str:
        return self.amazon_user_email or self.amazon_user_name or self.amazon_user_id or ""

    def set_login(self, user_id: str | None, name: str, email: str) -> None:
        self.amazon_user_id = user_id
        self.amazon_user_name = name
        self.amazon_user_email = email

    @property
    def is_of_this_application(self) -> bool:
        return self.client_id == settings.AMAZON_CLIENT_ID

    @property
    def reason_unusable(self) -> str:
        """Why Amazon may not be called with this connection, in one sentence; "" when it may be called."""
        if self.state == self.State.DISCONNECTED:
            return "The connection is disconnected."
        if self.state != self.State.ACTIVE:
            return "Amazon refuses this login. It must be reconnected."
        if not self.is_of_this_application:
            return f"The connection belongs to another Login with Amazon application, {self.client_id}."
        return ""

    @property
    def reason_not_synced(self) -> str:
        """Why the connection may not be synced, in one sentence; "" when it may be."""
        if self.paused and not self.reason_unusable:
            return "The connection is paused. Resume it first."
        return self.reason_unusable

    @property
    def cause_not_synced(self) -> Cause:
        """The cause of `reason_not_synced`."""
        if self.state == self.State.DISCONNECTED:
            return Cause.DISCONNECTED
        if self.is_broken:
            return Cause.LOGIN_REFUSED
        if not self.is_of_this_application:
            return Cause.OTHER_APPLICATION
        return Cause.PAUSED if self.paused else Cause.OTHER

    @property
    def is_forgotten(self) -> bool:
        return self.forgotten_at is not None

    @property
    def is_broken(self) -> bool:
        return self.state == self.State.REAUTHORIZATION_REQUIRED

    @property
    def is_failing(self) -> bool:
        return self.sync_failures > 0 and not self.paused

    @property
    def is_late(self) -> bool:
        # The same rule as `where_late`.
        if self.is_failing or self.paused or self.last_synced_at is None:
            return False
        return self.last_synced_at < approximate_now() - time_until_late()

    @property
    def consented_on(self) -> date | None:
        """The day of the consent, as people give it: in UTC."""
        return self.consented_at.date() if self.consented_at else None

    @consented_on.setter
    def consented_on(self, day: date | None) -> None:
        self.consented_at = datetime.combine(day, time.min, UTC) if day else None

    @property
    def is_consent_given_by_people(self) -> bool:
        """Whether the day of the consent is unknown, or a person gave it: then it is a midnight.

        A consent that came about here has its moment.
        """
        return self.consented_at is None or self.consented_at.time() == time.min

    @property
    def consent_ends_at(self) -> datetime | None:
        """When Amazon ends this grant; None when the consent's date is unknown or before the rule took effect.

        The rule is Amazon's policy of 2026: a refresh token ends a fixed number of days after the consent.
        """
        if self.consented_at is None or self.consented_at.date() < settings.CONSENT_EFFECTIVE_DATE:
            return None
        return self.consented_at + timedelta(days=settings.CONSENT_DAYS)


Part = TypeVar("Part", bound=models.Model)


class ConnectionPartQuerySet(TeamRowsQuerySet[Part]):
    """Rows that belong to a connection, and so to its team."""

    def of_teams(self, teams: frozenset[UUID]) -> Q:
        return Q(connection__in=Connection.objects.filter(team__in=teams))
