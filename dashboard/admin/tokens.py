"""Connections and the history of their tokens. The tokens themselves are never shown."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RangeDateTimeFilter
from unfold.decorators import display

from accounts.models import SyncRun
from accounts.sync.requests import request_sync
from dashboard.admin.by_team import ConnectionTeamFilter, TeamFilter
from dashboard.admin.read_only import ReadOnlyAdmin, VisibleRowsAdmin, color_states
from dashboard.overview.activity import read_activity, read_success_rates
from dashboard.status import CONNECTION, REFRESH
from dashboard.templatetags.console import duration, percent
from tokens.errors import ConnectionUnusableError
from tokens.models import (
    Alert,
    AuthorizationAttempt,
    Connection,
    Failure,
    Heartbeat,
    Membership,
    Team,
    TokenRefresh,
)
from tokens.permissions import may
from tokens.refresh.tasks import request_refresh

STATE_LABELS = color_states(CONNECTION)
OUTCOME_LABELS = color_states(REFRESH)


def _names(connections: list[Connection]) -> str:
    return ", ".join(connection.label for connection in connections)


@admin.register(Connection)
class ConnectionAdmin(VisibleRowsAdmin):
    list_display = ["label", "state_label", "team", "owner", "amazon_user", "expires_at", "last_synced_at"]
    list_filter = [TeamFilter, ("state", ChoicesCheckboxFilter)]
    list_select_related = ["owner", "team"]
    search_fields = ["label", "amazon_user_email", "=amazon_user_id"]
    exclude = ["access_token", "refresh_token"]
    ordering = ["label", "id"]
    actions = ["sync", "refresh"]

    @admin.action(description="Sync now", permissions=["sync"])
    def sync(self, request: HttpRequest, connections: QuerySet[Connection]) -> None:
        user = cast("User", request.user)
        done = self._try_each(
            request, connections, lambda each: request_sync(user, each, trigger=SyncRun.Trigger.MANUAL)
        )
        if done:
            self.message_user(request, f"On its way: the sync of {_names(done)}.")

    @admin.action(description="Refresh token", permissions=["refresh"])
    def refresh(self, request: HttpRequest, connections: QuerySet[Connection]) -> None:
        user = cast("User", request.user)
        done = self._try_each(request, connections, lambda each: request_refresh(user, each))
        if done:
            self.message_user(request, f"On its way: a new token for {_names(done)}.")

    def _try_each(
        self,
        request: HttpRequest,
        connections: QuerySet[Connection],
        operation: Callable[[Connection], object],
    ) -> list[Connection]:
        """Return the connections for which it was done, and tell the person why not for the other connections."""
        done = []
        refused: dict[str, list[Connection]] = defaultdict(list)
        for connection in connections:
            try:
                operation(connection)
            except ConnectionUnusableError as error:
                refused[str(error)].append(connection)
            else:
                done.append(connection)
        for reason, unusable in refused.items():
            self.message_user(request, f"Nothing was done for {_names(unusable)}. {reason}", messages.ERROR)
        return done

    def has_sync_permission(self, request: HttpRequest) -> bool:
        return may(request.user, "accounts.sync_account")

    def has_refresh_permission(self, request: HttpRequest) -> bool:
        return may(request.user, "tokens.refresh_connection")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        rows: QuerySet[Connection] = super().get_queryset(request)
        return rows.defer("access_token", "refresh_token")

    @display(description="State", label=STATE_LABELS)
    def state_label(self, connection: Connection) -> tuple[str, str]:
        return connection.state, connection.get_state_display()


@admin.register(TokenRefresh)
class TokenRefreshAdmin(VisibleRowsAdmin):
    list_display = ["started_at", "connection", "trigger", "tries", "outcome_label", "took", "error_code"]
    list_filter = [
        ConnectionTeamFilter,
        ("outcome", ChoicesCheckboxFilter),
        ("trigger", ChoicesCheckboxFilter),
        ("started_at", RangeDateTimeFilter),
    ]
    list_select_related = ["connection"]
    search_fields = ["=connection__label", "=request_id", "=error_code"]
    list_before_template = "dashboard/admin/outcomes.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        user = cast("User", request.user)
        _, refreshes = read_activity(user, "24h")
        rates = [(period, percent(rate)) for period, rate in read_success_rates(user).items()]
        response: HttpResponse = super().changelist_view(
            request, {**(extra_context or {}), "refreshes": refreshes, "rates": rates}
        )
        return response

    @display(description="Outcome", label=OUTCOME_LABELS)
    def outcome_label(self, refresh: TokenRefresh) -> tuple[str | None, str]:
        return refresh.outcome, refresh.get_outcome_display() or "Running"

    @display(description="Took")
    def took(self, refresh: TokenRefresh) -> str:
        if refresh.finished_at is None:
            return ""
        return duration((refresh.finished_at - refresh.started_at).total_seconds())


@admin.register(Alert)
class AlertAdmin(VisibleRowsAdmin):
    list_display = ["created_at", "kind", "text", "sent_at", "tries"]
    list_filter = [("kind", ChoicesCheckboxFilter)]
    # The overview leads to the alerts that were not sent.
    linked_lookups = ["sent_at__isnull"]


@admin.register(AuthorizationAttempt)
class AuthorizationAttemptAdmin(VisibleRowsAdmin):
    list_display = ["created_at", "user", "connection", "region"]
    list_select_related = ["user", "connection"]
    fields = ["created_at", "user", "connection", "region", "regions", "label"]
    ordering = ["-created_at"]


@admin.register(Team)
class TeamAdmin(VisibleRowsAdmin):
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    ordering = ["name", "id"]


@admin.register(Membership)
class MembershipAdmin(VisibleRowsAdmin):
    list_display = ["team", "user", "role", "source", "created_at"]
    list_filter = [TeamFilter, "role", "source"]
    list_select_related = ["team", "user"]
    search_fields = ["team__name", "user__username"]
    ordering = ["team__name", "user__username", "id"]


@admin.register(Failure)
class FailureAdmin(ReadOnlyAdmin):
    list_display = ["kind", "subject", "connection", "began_at", "logins", "told_at", "ended_at"]
    list_filter = ["kind"]
    list_select_related = ["connection"]


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["kind", "host", "pid", "leads", "started_at", "beat_at"]
    list_filter = ["kind"]
