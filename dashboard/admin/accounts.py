"""Accounts, their profiles and managers, and what the syncs found."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesCheckboxFilter
from unfold.decorators import display

from accounts.models import Account, AccountAccess, AccountChange, AccountManager, Profile, SyncRun
from dashboard.admin.base import AccountPartAdmin, ConnectionPartAdmin, ReadOnlyAdmin, ReadOnlyInline

STATUS_LABELS = {
    Account.Status.ACTIVE: "success",
    Account.Status.PENDING: "info",
    Account.Status.SUSPENDED: "danger",
    Account.Status.INACTIVE: None,
}
RUN_LABELS = {
    SyncRun.State.WAITING: None,
    SyncRun.State.RUNNING: "info",
    SyncRun.State.SUCCEEDED: "success",
    SyncRun.State.PARTIAL: "warning",
    SyncRun.State.FAILED: "danger",
}


class ProfileInline(ReadOnlyInline):
    model = Profile
    fields = ["profile_id", "region", "country_code", "currency_code", "timezone", "type", "access_level"]
    readonly_fields = fields


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ["name_or_id", "amazon_account_id", "status_label", "account_type", "connection"]
    list_filter = [
        ("status", ChoicesCheckboxFilter),
        ("account_type", ChoicesCheckboxFilter),
        ("inactive_reason", ChoicesCheckboxFilter),
    ]
    list_select_related = ["connection"]
    search_fields = ["name", "amazon_account_id"]
    ordering = ["name", "id"]
    inlines = [ProfileInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        rows = Account.objects.visible_to(request.user)
        return rows.defer("metadata", "errors", "connection__access_token", "connection__refresh_token")

    @display(description="Account", ordering="name")
    def name_or_id(self, account: Account) -> str:
        return str(account)

    @display(description="Status", label=STATUS_LABELS, ordering="status")
    def status_label(self, account: Account) -> tuple[str, str]:
        return account.status, account.get_status_display()


@admin.register(Profile)
class ProfileAdmin(AccountPartAdmin):
    list_display = ["profile_id", "account", "region", "country_code", "currency_code", "type"]
    list_filter = [("region", ChoicesCheckboxFilter)]
    list_select_related = ["account"]
    search_fields = ["=profile_id"]
    ordering = ["-id"]


@admin.register(AccountAccess)
class AccountAccessAdmin(AccountPartAdmin):
    list_display = ["account", "connection", "since", "missing_since"]
    list_select_related = ["account", "connection"]
    ordering = ["-id"]


@admin.register(AccountManager)
class AccountManagerAdmin(AccountPartAdmin):
    list_display = ["manager", "account"]
    list_select_related = ["manager", "account"]
    ordering = ["-id"]


@admin.register(AccountChange)
class AccountChangeAdmin(AccountPartAdmin):
    list_display = ["changed_at", "account", "kind", "old", "new"]
    list_filter = [("kind", ChoicesCheckboxFilter)]
    list_select_related = ["account"]


@admin.register(SyncRun)
class SyncRunAdmin(ConnectionPartAdmin):
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
    list_filter = [("state", ChoicesCheckboxFilter), ("trigger", ChoicesCheckboxFilter)]
    list_select_related = ["connection"]

    @display(description="State", label=RUN_LABELS)
    def state_label(self, run: SyncRun) -> tuple[str, str]:
        return run.state, run.get_state_display()
