"""Ad accounts, who sees them, their profiles and the managers above them."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from accounts.models.health import HealthReason, find_health_reason
from amazon_accounts.amazon_ads.hosts import Region
from tokens.models import Connection, Team, TeamRowsQuerySet


class Standing(models.TextChoices):
    """Whether an account can advertise, by what Amazon says about its billing. The worst comes first."""

    # Amazon has stopped its campaigns in at least one marketplace.
    SUSPENDED = "suspended"
    # Amazon announces that it will stop them, or names a problem with the payment.
    AT_RISK = "at_risk", "at risk"
    # Billing, payment or tax registration is missing.
    SET_UP = "set_up", "billing not set up"
    GOOD = "good"
    # Amazon was not asked yet, or does not tell the connected logins.
    UNKNOWN = "unknown"


# Amazon uses a word that we do not know, or has not told whether the account can advertise.
NOT_KNOWN = Q(status="unknown") | Q(
    status="active", standing="unknown", source__in=["ads_accounts", "profiles"]
)


class AccountQuerySet(TeamRowsQuerySet["Account"]):
    pass


class Account(models.Model):
    """One ad account that a team can reach."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        PENDING = "pending"
        INACTIVE = "inactive"
        # Amazon uses a word that we do not know.
        UNKNOWN = "unknown"

    class InactiveReason(models.TextChoices):
        DISCONNECTED = "disconnected", "disconnected here"
        NOT_VISIBLE = "not_visible", "no longer visible at Amazon"
        REGISTRATION_FAILED = "registration_failed", "registration failed"

    class Type(models.TextChoices):
        SELLER = "seller"
        VENDOR = "vendor"
        AGENCY = "agency"
        MANAGER = "manager"
        ADVERTISER = "advertiser", "DSP advertiser"
        UNKNOWN = "unknown"

    class Source(models.TextChoices):
        """The list at Amazon that decides whether the account is still there."""

        ADS_ACCOUNTS = "ads_accounts", "ads accounts"
        PROFILES = "profiles"
        MANAGER_ACCOUNTS = "manager_accounts", "manager accounts"
        DSP_ADVERTISERS = "dsp_advertisers", "DSP advertisers"

    class SyncStatus(models.TextChoices):
        NEVER = "never"
        SYNCED = "synced"
        STALE = "stale", "late"
        FAILING = "failing"
        OFF = "off"

    class SyncOffReason(models.TextChoices):
        DISCONNECTED = "disconnected", "disconnected here"
        NOT_VISIBLE = "not_visible", "no longer visible at Amazon"
        TURNED_OFF = "turned_off", "turned off"
        REGION_NOT_READ = "region_not_read", "its region is not read"
        CONNECTION_PAUSED = "connection_paused", "its connection is paused"

    class Health(models.TextChoices):
        OK = "ok"
        ATTENTION = "attention"
        PROBLEM = "problem"
        OFF = "off"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="amazon_accounts",
        db_index=False,
        help_text="Who connected it",
    )
    # Indexed by the lists below.
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="amazon_accounts", db_index=False)
    amazon_account_id = models.TextField()
    # The connection that syncs the account. It changes only when that connection breaks or no longer sees the account.
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="accounts", db_index=False
    )
    source = models.CharField(max_length=16, choices=Source.choices)
    name = models.TextField(blank=True, default="")
    account_type = models.CharField(max_length=12, choices=Type.choices, default=Type.UNKNOWN)
    status = models.CharField(max_length=12, choices=Status.choices)
    inactive_reason = models.CharField(max_length=20, choices=InactiveReason.choices, null=True, blank=True)
    amazon_status = models.TextField(null=True, blank=True, help_text="Amazon's own word, where it gives one")
    standing = models.CharField(
        max_length=10, choices=Standing.choices, default=Standing.UNKNOWN, db_default=Standing.UNKNOWN
    )
    suspended_in = ArrayField(
        models.TextField(),
        default=list,
        db_default=[],
        blank=True,
        help_text="Countries where Amazon stopped it",
    )
    suspension_at = models.DateTimeField(
        null=True, blank=True, help_text="The earliest suspension that Amazon announces"
    )
    countries = ArrayField(models.TextField(), default=list, blank=True)
    # The agency of a DSP advertiser. Managers are linked by AccountManager, because an account may have several.
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children"
    )
    errors = models.JSONField(default=dict, blank=True, help_text="What Amazon reports, by country")
    metadata = models.JSONField(default=dict, blank=True, help_text="What Amazon says; rewritten by a sync")
    labels = models.JSONField(default=dict, blank=True, help_text="What operators say; no sync touches it")
    is_default = models.BooleanField(default=False)
    sync_enabled = models.BooleanField(default=True)
    # The number of the newest request that changed a field, by field: see tokens/request_order.py.
    request_numbers = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    # The regions that show the account, when its connection reads none of them any more. A sync sets this, and so does
    # a change of the connection's regions.
    unread_regions = ArrayField(
        models.CharField(max_length=2, choices=Region.choices),
        default=list,
        db_default=[],
        blank=True,
        editable=False,
    )
    first_seen_at = models.DateTimeField(db_default=Now())
    connected_at = models.DateTimeField(db_default=Now())
    disconnected_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now(), help_text="Last change of this row, by anybody")

    objects = AccountQuerySet.as_manager()

    class Meta:
        db_table = "user_accounts"
        ordering = ["name", "id"]
        permissions = [
            ("sync_account", "Can sync accounts"),
            ("disconnect_account", "Can disconnect and reconnect accounts"),
            ("update_account", "Can change labels and settings of accounts"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "amazon_account_id"], name="one_account_per_team_and_amazon_id"
            ),
            models.UniqueConstraint(
                fields=["team"], condition=Q(is_default=True), name="one_default_account_per_team"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["active", "suspended", "pending", "inactive", "unknown"]),
                name="account_status_is_known",
            ),
            models.CheckConstraint(
                # A check that compares NULL is neither true nor false, and counts as met.
                condition=Q(
                    status="inactive",
                    inactive_reason__isnull=False,
                    inactive_reason__in=["disconnected", "not_visible", "registration_failed"],
                )
                | (~Q(status="inactive") & Q(inactive_reason__isnull=True)),
                name="inactive_account_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(
                    account_type__in=["seller", "vendor", "agency", "manager", "advertiser", "unknown"]
                ),
                name="account_type_is_known",
            ),
            models.CheckConstraint(
                condition=Q(source__in=["ads_accounts", "profiles", "manager_accounts", "dsp_advertisers"]),
                name="account_source_is_known",
            ),
            models.CheckConstraint(
                condition=Q(standing__in=["suspended", "at_risk", "set_up", "good", "unknown"]),
                name="account_standing_is_known",
            ),
            models.CheckConstraint(condition=~Q(amazon_account_id=""), name="account_has_an_amazon_id"),
            models.CheckConstraint(
                condition=Q(disconnected_at__isnull=True) | Q(disconnected_at__gte=F("connected_at")),
                name="account_ends_after_it_began",
            ),
        ]
        indexes = [
            models.Index(fields=["amazon_account_id"], name="account_amazon_id"),
            # The orderings of the list, of one team and of all.
            models.Index(fields=["team", "name", "id"], name="account_team_name"),
            models.Index(fields=["team", "status", "id"], name="account_team_status"),
            models.Index(fields=["team", "connection", "id"], name="account_team_connection"),
            models.Index(fields=["team", "status", "name", "id"], name="account_team_status_name"),
            models.Index(fields=["name", "id"], name="account_name"),
            models.Index(fields=["status", "id"], name="account_status"),
            models.Index(fields=["connection", "id"], name="account_connection"),
            # Exports and batches, which go by id.
            models.Index(fields=["team", "id"], name="account_team"),
            # A rare status or type, in the list's first ordering.
            models.Index(fields=["status", "name", "id"], name="account_status_name"),
            models.Index(fields=["account_type", "name", "id"], name="account_type_name"),
            # A status and a type together, in the other orderings, and the figures of the overview: small, because it
            # names no account.
            models.Index(
                fields=["status", "account_type", "standing", "inactive_reason"], name="account_figures"
            ),
            # `?standing=` for what needs somebody: few accounts.
            models.Index(
                fields=["standing", "suspension_at", "id"],
                condition=Q(standing__in=["suspended", "at_risk", "set_up"]),
                name="account_trouble",
            ),
            # `?health_reason=`, for what few accounts have. PostgreSQL guesses that many are not known, and would read all
            # active accounts in the order of the list.
            models.Index(fields=["name", "id"], condition=NOT_KNOWN, name="account_not_known"),
            models.Index(fields=["status", "id"], condition=NOT_KNOWN, name="account_not_known_status"),
            models.Index(
                fields=["name", "id"],
                condition=Q(status="inactive", inactive_reason="registration_failed"),
                name="account_unregistered",
            ),
            models.Index(fields=["id"], condition=Q(sync_enabled=False), name="account_sync_off"),
            # The same, and the marks that a sync may clear.
            models.Index(fields=["connection"], condition=~Q(unread_regions=[]), name="account_unread"),
            # `?country=`.
            GinIndex(fields=["countries"], name="account_countries"),
            # `?metadata={...}` and `?labels={...}`.
            GinIndex(fields=["metadata"], opclasses=["jsonb_path_ops"], name="account_metadata"),
            GinIndex(fields=["labels"], opclasses=["jsonb_path_ops"], name="account_labels"),
        ]

    def __str__(self) -> str:
        return self.name or f"(no name) {self.amazon_account_id}"

    @property
    def last_synced_at(self) -> datetime | None:
        # A sync that finds nothing new writes no account, so the connection holds the time.
        return self.connection.last_synced_at

    @property
    def sync_error(self) -> str:
        return self.connection.sync_error if self.sync_status == self.SyncStatus.FAILING else ""

    @property
    def is_followed(self) -> bool:
        """Whether a sync keeps the account correct: it was not disconnected here, and a login sees it."""
        return self.inactive_reason not in {self.InactiveReason.DISCONNECTED, self.InactiveReason.NOT_VISIBLE}

    @property
    def sync_off_reason(self) -> "Account.SyncOffReason | None":
        # `accounts/lists/by_connection.py` has the same rule in SQL.
        if not self.is_followed:
            return self.SyncOffReason(self.inactive_reason or self.InactiveReason.NOT_VISIBLE)
        if not self.sync_enabled:
            return self.SyncOffReason.TURNED_OFF
        if self.unread_regions:
            return self.SyncOffReason.REGION_NOT_READ
        if self.connection.paused:
            return self.SyncOffReason.CONNECTION_PAUSED
        return None

    @property
    def sync_status(self) -> "Account.SyncStatus":
        if self.sync_off_reason is not None:
            return self.SyncStatus.OFF
        if self.connection.is_failing:
            return self.SyncStatus.FAILING
        if self.last_synced_at is None:
            return self.SyncStatus.NEVER
        if self.connection.is_late:
            return self.SyncStatus.STALE
        return self.SyncStatus.SYNCED

    @property
    def has_billing(self) -> bool:
        """Whether Amazon's billing knows such an account: it knows no managers and no DSP advertisers."""
        return self.source in {self.Source.ADS_ACCOUNTS, self.Source.PROFILES}

    @property
    def health_reason(self) -> HealthReason | None:
        return find_health_reason(self)

    @property
    def health(self) -> "Account.Health":
        match self.health_reason:
            case None | HealthReason.PAUSED:
                return self.Health.OK
            case HealthReason.INACTIVE:
                return self.Health.OFF
            case HealthReason.SUSPENDED | HealthReason.LOGIN_REFUSED | HealthReason.SYNC_FAILING:
                return self.Health.PROBLEM
            case HealthReason.UNKNOWN if self.status != self.Status.UNKNOWN:
                # That Amazon does not tell about its billing makes no account worse.
                return self.Health.OK
            case _:
                return self.Health.ATTENTION


Part = TypeVar("Part", bound=models.Model)


class AccountPartQuerySet(TeamRowsQuerySet[Part]):
    """Rows that belong to an account, and so to its team."""

    def of_teams(self, teams: frozenset[UUID]) -> Q:
        return Q(account__in=Account.objects.filter(team__in=teams))


def in_the_list_of_ads_accounts() -> list[str]:
    return [str(Account.Source.ADS_ACCOUNTS)]


class AccountAccessQuerySet(AccountPartQuerySet["AccountAccess"]):
    pass


class AccountAccess(models.Model):
    """Which connection sees which account."""

    # Indexed by the constraint below.
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="accesses", db_index=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="accesses")
    # The lists that show the account, such as `ads_accounts`, `profiles:EU` or `dsp_advertisers:NA:<profile id>`.
    # A complete listing that misses the account removes its entry. Without any entry the access ends.
    seen_in = ArrayField(models.TextField(), default=in_the_list_of_ads_accounts)
    since = models.DateTimeField(db_default=Now())
    # A list that moves while it is read may miss an account that is there. Where no second source tells that the account
    # is gone, the access ends only when several complete readings in a row have missed it.
    missing_since = models.DateTimeField(null=True, blank=True)
    missed_readings = models.PositiveSmallIntegerField(default=0, db_default=0)

    objects = AccountAccessQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "account accesses"
        constraints = [
            models.UniqueConstraint(
                fields=["account", "connection"], name="one_access_per_account_and_connection"
            ),
            models.CheckConstraint(condition=Q(seen_in__len__gt=0), name="access_is_seen_somewhere"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} sees {self.account_id}"


class AccountManagerQuerySet(TeamRowsQuerySet["AccountManager"]):
    def of_teams(self, teams: frozenset[UUID]) -> Q:
        # A link tells about both accounts.
        accounts = Account.objects.filter(team__in=teams)
        return Q(manager__in=accounts, account__in=accounts)


class AccountManager(models.Model):
    """A manager account's link to an account."""

    # Indexed by the constraint below.
    manager = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="links", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="manager_links")
    # The host of each region reports the links of its own marketplaces.
    regions = ArrayField(models.CharField(max_length=2, choices=Region.choices), default=list)

    objects = AccountManagerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["manager", "account"], name="one_link_per_manager_and_account"),
            models.CheckConstraint(condition=~Q(manager=F("account")), name="no_account_manages_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.manager_id} manages {self.account_id}"


class ProfileQuerySet(AccountPartQuerySet["Profile"]):
    pass


class Profile(models.Model):
    """One Amazon Ads profile: an account in one marketplace."""

    class AccessLevel(models.TextChoices):
        VIEW = "view"
        EDIT = "edit"

    id = models.BigAutoField(primary_key=True)
    # Indexed by the constraint below.
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="profiles", db_index=False)
    # A 64-bit unsigned number at Amazon. Several ads accounts may name the same profile.
    profile_id = models.TextField()
    # Empty when only an ads account names the profile, in a country we do not know.
    region = models.CharField(max_length=2, choices=Region.choices, blank=True, default="")
    country_code = models.TextField(blank=True, default="")
    marketplace_id = models.TextField(blank=True, default="")
    currency_code = models.TextField(blank=True, default="")
    timezone = models.TextField(blank=True, default="")
    type = models.TextField(blank=True, default="")
    subtype = models.TextField(blank=True, default="")
    name = models.TextField(blank=True, default="")
    entity_id = models.TextField(blank=True, default="", help_text="Seller id or ENTITY… of accountInfo")
    ads_entity_id = models.TextField(
        blank=True, default="", help_text="ENTITY… that the ads account names for this country"
    )
    access_level = models.CharField(max_length=4, choices=AccessLevel.choices, default=AccessLevel.VIEW)
    valid_payment_method = models.BooleanField(null=True, blank=True)
    daily_budget = models.DecimalField(max_digits=20, decimal_places=2, null=True, blank=True)
    # What Amazon says about the billing of this advertiser in this marketplace: see accounts/standing.
    standing = models.CharField(
        max_length=10, choices=Standing.choices, default=Standing.UNKNOWN, db_default=Standing.UNKNOWN
    )
    suspension_at = models.DateTimeField(
        null=True, blank=True, help_text="The earliest suspension that Amazon announces"
    )
    billing_status = models.TextField(blank=True, default="", db_default="", help_text="Amazon's code")
    billing_message = models.TextField(blank=True, default="", db_default="")
    billing_asked_at = models.DateTimeField(null=True, blank=True, help_text="When Amazon told the code")
    # A list of objects with name, severity, impact, title, description, due_at and suspension_at; null: Amazon never
    # answered.
    notices = models.JSONField(null=True, blank=True)
    notices_asked_at = models.DateTimeField(null=True, blank=True)
    billing_connection = models.ForeignKey(
        Connection,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="The login that Amazon told",
    )
    # By id of the connection that Amazon does not tell: {"code", "at"}.
    billing_refusals = models.JSONField(default=dict, db_default={}, blank=True, editable=False)

    objects = ProfileQuerySet.as_manager()

    class Meta:
        ordering = ["country_code", "profile_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "profile_id"], name="one_profile_per_account_and_amazon_id"
            ),
            models.CheckConstraint(condition=~Q(profile_id=""), name="profile_has_an_amazon_id"),
            models.CheckConstraint(
                condition=Q(standing__in=["suspended", "at_risk", "set_up", "good", "unknown"]),
                name="profile_standing_is_known",
            ),
        ]
        indexes = [
            # `?marketplace=` and `?country=` of the accounts list; a profile by Amazon's id.
            models.Index(fields=["profile_id"], name="profile_amazon_id"),
            models.Index(fields=["marketplace_id", "account"], name="profile_marketplace"),
            # The accounts that Amazon's billing does not tell, on the overview: few.
            models.Index(fields=["account"], condition=~Q(billing_refusals={}), name="profile_refused"),
        ]

    def __str__(self) -> str:
        return f"{self.country_code} {self.profile_id}"
