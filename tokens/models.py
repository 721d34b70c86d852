"""Who let us in: connections, their tokens, and the history of each refresh."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Count, F, Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from amazon_accounts.amazon_ads.hosts import Region
from tokens.encryption import EncryptedTextField

ACTIVE = Q(state="active")
DISCONNECTED = Q(state="disconnected")
# Refreshes that say nothing about how well refreshing works.
UNCOUNTED = ["reauthorise", "config", "superseded", "lost"]


def all_regions() -> list[str]:
    return list(Region.values)


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return the connections this person may see: their own, or all with the permission."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.has_perm("tokens.view_all_connections"):
            return self
        return self.filter(owner=user)

    def active(self) -> Self:
        return self.filter(ACTIVE)

    def live(self) -> Self:
        """Return those that may be refreshed and synced: active, and of the application we run as."""
        return self.filter(ACTIVE, client_id=settings.AMAZON_CLIENT_ID)


class Connection(models.Model):
    """One authorised Amazon login of one Login with Amazon application."""

    class State(models.TextChoices):
        ACTIVE = "active"
        REAUTHORIZATION_REQUIRED = "reauthorization_required"
        DISCONNECTED = "disconnected"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="connections")
    label = models.CharField(max_length=200)
    client_id = models.CharField(max_length=100)
    regions = ArrayField(models.CharField(max_length=2, choices=Region.choices), default=all_regions)
    state = models.CharField(max_length=32, choices=State.choices, default=State.ACTIVE)

    # Known only when the `profile` scope was granted.
    amazon_user_id = models.TextField(null=True, blank=True)
    amazon_user_name = models.TextField(blank=True, default="")
    amazon_user_email = models.TextField(blank=True, default="")

    access_token = EncryptedTextField(null=True, editable=False)
    refresh_token = EncryptedTextField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    consented_at = models.DateTimeField(null=True, blank=True, help_text="When the login consented, if known")
    grant_version = models.PositiveIntegerField(default=1, help_text="Grows with every new grant")

    # Calls that Amazon answered with invalid_grant since the last good one; the second makes it final.
    grant_refusals = models.PositiveSmallIntegerField(default=0)

    # When the refresh check may claim this connection; a claim moves it forward, which is the lease.
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
    # Those of Amazon's lists, as SyncRun.sources names them, that the last sync could not read: another connection
    # that can tells what is in them.
    unread_lists = ArrayField(models.TextField(), default=list, db_default=[], blank=True, editable=False)

    created_at = models.DateTimeField(default=timezone.now)
    disconnected_at = models.DateTimeField(null=True, blank=True)
    disconnected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["label", "id"]
        permissions = [
            ("connect_amazon", "Can connect an Amazon login"),
            ("refresh_connection", "Can refresh a connection's token"),
            ("disconnect_connection", "Can disconnect a connection"),
            ("use_access_token", "Can ask for a connection's access token"),
            ("view_all_connections", "Can see everybody's connections"),
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
            models.UniqueConstraint(
                fields=["owner", "client_id", "amazon_user_id"],
                condition=~DISCONNECTED,
                name="one_connection_per_owner_client_and_login",
            ),
        ]
        indexes = [
            # The claim of the refresh check: whose turn has come, soonest first, however many wait for their
            # own application to come back.
            models.Index(
                fields=["client_id", "next_refresh_at"],
                condition=Q(next_refresh_at__isnull=False),
                name="connection_refresh_due",
            ),
            # The scheduler's question: which live connection was synced longest ago.
            models.Index(fields=["next_sync_at"], condition=ACTIVE, name="connection_sync_due"),
            # A person's list of connections, and the filters of the accounts list that go through them.
            models.Index(fields=["owner", "label", "id"], name="connection_of_owner"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def amazon_user(self) -> str:
        """Name the login as people know it, or an empty string when Amazon did not tell."""
        return self.amazon_user_email or self.amazon_user_name or self.amazon_user_id or ""

    @property
    def is_of_this_application(self) -> bool:
        return self.client_id == settings.AMAZON_CLIENT_ID

    @property
    def consent_ends_at(self) -> datetime | None:
        """Say when Amazon ends this grant, or None when unknown or before the rule took effect.

        Amazon's policy of 2026: a refresh token ends a fixed number of days after the consent.
        """
        if self.consented_at is None or self.consented_at.date() < settings.CONSENT_EFFECTIVE_DATE:
            return None
        return self.consented_at + timedelta(days=settings.CONSENT_DAYS)


class TokenRefreshQuerySet(models.QuerySet["TokenRefresh"]):
    def since(self, moment: datetime) -> Self:
        return self.filter(started_at__gte=moment)

    def judged(self) -> Self:
        """Return those that tell how well refreshing works: all but dead grants and refused applications.

        Those that another refresh went on with (lost, superseded) are not counted twice.
        """
        return self.filter(left_fresh__isnull=False).exclude(outcome__in=UNCOUNTED)

    def success_rate(self) -> float | None:
        """Return the share of the judged that left a valid token; None without any."""
        counted = self.judged().aggregate(fresh=Count("pk", filter=Q(left_fresh=True)), all=Count("pk"))
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
        REAUTHORISE = "reauthorise", "login refused"
        CONFIG = "config", "application refused"
        PERMANENT = "permanent"
        SUPERSEDED = "superseded", "grant changed meanwhile"
        LOST = "lost", "process died"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="refreshes")
    grant_version = models.PositiveIntegerField()
    trigger = models.CharField(max_length=16, choices=Trigger.choices)
    tries = models.PositiveSmallIntegerField(default=0, help_text="Calls made to Amazon")
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome.choices, null=True, blank=True)
    error_code = models.TextField(blank=True, default="")
    error = models.TextField(blank=True, default="")
    request_id = models.TextField(blank=True, default="")
    new_expires_at = models.DateTimeField(null=True, blank=True)
    left_fresh = models.BooleanField(null=True, help_text="Whether the token was valid when this ended")

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
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.started_at:%Y-%m-%d %H:%M} UTC {self.outcome or 'running'}"


class AuthorizationAttempt(models.Model):
    """One way to Amazon's consent page and, perhaps, back. Its row is deleted by the first return.

    Nothing in it opens anything: the state is a digest, and the PKCE verifier is derived from the state itself.
    """

    state_digest = models.CharField(primary_key=True, max_length=64, editable=False)
    session_digest = models.CharField(max_length=64, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, null=True, related_name="+", help_text="Which one to reconnect"
    )
    region = models.CharField(max_length=2, choices=Region.choices, default=Region.NA)
    regions = ArrayField(models.CharField(max_length=2, choices=Region.choices), default=all_regions)
    label = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            # Pruning: attempts that never returned.
            models.Index(fields=["created_at"], name="attempt_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.created_at:%Y-%m-%d %H:%M} UTC"


class AccessTokenRequest(models.Model):
    """Who asked for an access token of a connection, when and from where. The token itself is nowhere."""

    class Outcome(models.TextChoices):
        GIVEN = "given"
        UNAVAILABLE = "unavailable", "not available in time"
        REFUSED = "refused", "connection not usable"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="token_requests")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    remote_addr = models.GenericIPAddressField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    requested_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-requested_at", "-id"]
        indexes = [
            # A connection's audit, newest first.
            models.Index(fields=["connection", "-requested_at", "-id"], name="token_request_of_connection"),
            models.Index(fields=["requested_at"], name="token_request_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.requested_at:%Y-%m-%d %H:%M} UTC {self.outcome}"


class AlertQuerySet(models.QuerySet["Alert"]):
    def visible_to(self, user: User) -> Self:
        """Those about nobody's connection are for people who see everybody's."""
        if user.has_perm("tokens.view_all_connections"):
            return self
        return self.filter(connection__in=Connection.objects.visible_to(user))

    def undelivered(self) -> Self:
        """Those that were tried and not sent."""
        return self.filter(next_try_at__isnull=False).exclude(error="")


class Alert(models.Model):
    """One thing that people are to be told. Its key makes it one message, however often it is noticed."""

    class Kind(models.TextChoices):
        CONNECTION_BROKEN = "connection_broken"
        CONNECTION_HEALED = "connection_healed"
        APPLICATION_REFUSED = "application_refused"
        APPLICATION_ACCEPTED = "application_accepted", "application accepted again"
        CONSENT_ENDING = "consent_ending"
        ACCOUNT_SUSPENDED = "account_suspended"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=32, choices=Kind.choices)
    key = models.CharField(max_length=200, unique=True)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="alerts")
    text = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    # Claimed together with others of its kind: they are one message, and its id stays when it is sent again.
    message_id = models.UUIDField(null=True, blank=True)
    next_try_at = models.DateTimeField(default=timezone.now, null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    # Keyed digests of the addresses in ALERT_URLS that have the message: the addresses themselves hold secrets.
    taken_by = ArrayField(models.CharField(max_length=64), default=list, db_default=[], editable=False)
    told_at = models.DateTimeField(
        null=True, blank=True, help_text="When the first of several addresses took it"
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, default="")

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(next_try_at__isnull=True), name="sent_alert_is_not_due"
            ),
        ]
        indexes = [
            # What is to be sent next.
            models.Index(
                fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name="alert_to_send"
            ),
            models.Index(fields=["created_at"], name="alert_by_age"),
        ]

    def __str__(self) -> str:
        return self.text


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
    started_at = models.DateTimeField(default=timezone.now)
    beat_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["kind", "-beat_at"]
        indexes = [
            models.Index(fields=["kind", "beat_at"], name="heartbeat_by_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.host}:{self.pid}"
