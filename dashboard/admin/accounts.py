"""Accounts with their profiles and managers, changes, syncs and operations."""

from datetime import timedelta
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from unfold.contrib.filters.admin import CheckboxFilter, ChoicesCheckboxFilter, RadioFilter
from unfold.decorators import display

from accounts.lists.by_connection import NO_REASON, select_by_connection
from accounts.lists.filters import filter_accounts
from accounts.models import (
    Account,
    AccountAccess,
    AccountChange,
    AccountManager,
    BatchOperation,
    Profile,
    SyncRun,
)
from accounts.models.changes import AccountChangeQuerySet
from dashboard.admin.batches import AccountActions
from dashboard.admin.by_team import ConnectionTeamFilter, TeamFilter
from dashboard.admin.read_only import ReadOnlyInline, VisibleRowsAdmin, color_states
from dashboard.status import ACCOUNT, BATCH, REASON, STANDING, SYNC_RUN, state_of_account

STATUS_LABELS = color_states(ACCOUNT)
REASON_LABELS = color_states(REASON)
STANDING_LABELS = color_states(STANDING)
RUN_LABELS = color_states(SYNC_RUN)
SUSPENSION_DAYS = (7, 30)


class ProfileInline(ReadOnlyInline):
    model = Profile
    fields = [
        *("profile_id", "region", "country_code", "currency_code", "timezone", "type", "access_level"),
        *("standing", "suspension_at", "billing_status", "billing_message", "billing_asked_at"),
    ]
    readonly_fields = fields


class AccessInline(ReadOnlyInline):
    """The connections that see the account."""

    model = AccountAccess
    fields = ["connection", "seen_in", "since", "missing_since", "missed_readings"]
    readonly_fields = fields
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccountAccess]:
        rows: QuerySet[AccountAccess] = super().get_queryset(request).visible_to(request.user)
        return rows.select_related("connection").defer(
            "connection__access_token", "connection__refresh_token"
        )


class ManagedByInline(ReadOnlyInline):
    model = AccountManager
    fk_name = "account"
    verbose_name_plural = "managed by"
    fields = ["manager", "regions"]
    readonly_fields = fields
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccountManager]:
        rows: QuerySet[AccountManager] = super().get_queryset(request).visible_to(request.user)
        return rows.select_related("manager").order_by("id")


class ManagesInline(ReadOnlyInline):
    model = AccountManager
    fk_name = "manager"
    verbose_name_plural = "manages"
    fields = ["account", "regions"]
    readonly_fields = fields
    per_page = 20

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccountManager]:
        rows: QuerySet[AccountManager] = super().get_queryset(request).visible_to(request.user)
        return rows.select_related("account").order_by("id")


class HealthReasonFilter(CheckboxFilter):
    title = "state"
    parameter_name = "health_reason"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(reason, state.word) for reason, state in REASON.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        chosen = [reason for reason in self.value() or () if reason in REASON]
        if not chosen:
            return queryset
        return queryset.filter(select_by_connection(cast("User", request.user), {"health_reason": chosen}))


class SuspensionFilter(RadioFilter):
    title = "announced suspension"
    parameter_name = "suspension_within"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(str(days), f"Within {days} days") for days in SUSPENSION_DAYS]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        if self.value() not in map(str, SUSPENSION_DAYS):
            return queryset
        return queryset.filter(suspension_at__lt=Now() + timedelta(days=int(self.value())))


@admin.register(Account)
class AccountAdmin(AccountActions):
    list_display = [
        *("name_or_id", "amazon_account_id", "state_label", "status_label", "standing_label"),
        *("suspension_at", "account_type", "team", "connection"),
    ]
    list_filter = [
        TeamFilter,
        HealthReasonFilter,
        SuspensionFilter,
        ("status", ChoicesCheckboxFilter),
        ("standing", ChoicesCheckboxFilter),
        ("account_type", ChoicesCheckboxFilter),
        ("inactive_reason", ChoicesCheckboxFilter),
    ]
    list_select_related = ["connection", "team"]
    # They follow from the account and its connection.
    readonly_fields = ["health_reason", "health", "sync_status"]
    search_fields = ["name", "amazon_account_id"]
    ordering = ["name", "id"]
    inlines = [ProfileInline, AccessInline, ManagedByInline, ManagesInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        rows: QuerySet[Account] = super().get_queryset(request)
        return rows.defer("metadata", "errors", "connection__access_token", "connection__refresh_token")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Account], search_term: str
    ) -> tuple[QuerySet[Account], bool]:
        # The search of the API: anywhere in the name or id, by an index.
        if not search_term.strip():
            return queryset, False
        try:
            found = filter_accounts(request.user, {"search": search_term.strip()})
        except ValidationError:
            return queryset.none(), False
        return queryset & found, False

    @display(description="Account", ordering="name")
    def name_or_id(self, account: Account) -> str:
        return Truncator(str(account)).chars(80)

    @display(description="State", label=REASON_LABELS)
    def state_label(self, account: Account) -> tuple[str, str]:
        state = state_of_account(account)
        return account.health_reason or NO_REASON, f"{state.word} {state.why}".strip()

    @display(description="Billing", label=STANDING_LABELS)
    def standing_label(self, account: Account) -> tuple[str, str]:
        return account.standing, STANDING[account.standing].word

    @display(description="Status", label=STATUS_LABELS, ordering="status")
    def status_label(self, account: Account) -> tuple[str, str]:
        return account.status, account.get_status_display()


@admin.register(Profile)
class ProfileAdmin(VisibleRowsAdmin):
    list_display = ["profile_id", "account", "region", "country_code", "currency_code", "type"]
    list_filter = [("region", ChoicesCheckboxFilter)]
    list_select_related = ["account"]
    search_fields = ["=profile_id"]
    ordering = ["-id"]


@admin.register(AccountAccess)
class AccountAccessAdmin(VisibleRowsAdmin):
    list_display = ["account", "connection", "since", "missing_since", "missed_readings"]
    list_select_related = ["account", "connection"]
    ordering = ["-id"]


@admin.register(AccountManager)
class AccountManagerAdmin(VisibleRowsAdmin):
    list_display = ["manager", "account"]
    list_select_related = ["manager", "account"]
    ordering = ["-id"]


@admin.register(AccountChange)
class AccountChangeAdmin(VisibleRowsAdmin):
    list_display = ["changed_at", "account", "kind", "old", "new", "sync", "changed_by"]
    list_filter = [("kind", ChoicesCheckboxFilter)]
    list_select_related = ["account", "run", "changed_by"]
    # Instead of the run itself, whose link would lead to 404 if its connection is in another team now.
    exclude = ["run"]
    readonly_fields = ["sync"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return cast("AccountChangeQuerySet", super().get_queryset(request)).with_visible_run(request.user)

    @display(description="run")
    def sync(self, change: AccountChange) -> str | None:
        if vars(change)["visible_run"] is None:
            return None
        address = reverse("admin:accounts_syncrun_change", args=[change.run_id])
        return format_html('<a href="{}">{}</a>', address, change.run)


@admin.register(SyncRun)
class SyncRunAdmin(VisibleRowsAdmin):
    list_display = [
        "created_at",
        "connection",
        "trigger",
        "state_label",
        "seen",
        "created",
        "changed",
        "gone",
    ]
    list_filter = [
        ConnectionTeamFilter,
        ("state", ChoicesCheckboxFilter),
        ("trigger", ChoicesCheckboxFilter),
    ]
    list_select_related = ["connection"]

    @display(description="State", label=RUN_LABELS)
    def state_label(self, run: SyncRun) -> tuple[str, str]:
        return run.state, run.get_state_display()


@admin.register(BatchOperation)
class BatchOperationAdmin(VisibleRowsAdmin):
    list_display = [
        "created_at",
        "operation",
        "subject",
        "state_label",
        "user",
        "total",
        "succeeded",
        "failed",
        "skipped",
    ]
    list_filter = [
        ("state", ChoicesCheckboxFilter),
        ("operation", ChoicesCheckboxFilter),
        ("subject", ChoicesCheckboxFilter),
    ]
    list_select_related = ["user"]

    @display(description="State", label=color_states(BATCH))
    def state_label(self, batch: BatchOperation) -> tuple[str, str]:
        return batch.state, batch.get_state_display()
