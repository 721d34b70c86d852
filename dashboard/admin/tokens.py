"""Connections and everything that happens to their tokens. The tokens themselves stand nowhere."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesCheckboxFilter, RangeDateTimeFilter
from unfold.decorators import display

from dashboard.admin.base import ConnectionPartAdmin, ReadOnlyAdmin
from dashboard.templatetags.console import duration
from tokens.models import AccessTokenRequest, Alert, AuthorizationAttempt, Connection, Heartbeat, TokenRefresh

STATE_LABELS = {
    Connection.State.ACTIVE: "success",
    Connection.State.REAUTHORIZATION_REQUIRED: "danger",
    Connection.State.DISCONNECTED: None,
}
OUTCOME_LABELS = {
    TokenRefresh.Outcome.SUCCEEDED: "success",
    TokenRefresh.Outcome.TRANSIENT: "warning",
    TokenRefresh.Outcome.THROTTLED: "warning",
    TokenRefresh.Outcome.POSTPONED: "warning",
    TokenRefresh.Outcome.REAUTHORISE: "danger",
    TokenRefresh.Outcome.CONFIG: "danger",
    TokenRefresh.Outcome.PERMANENT: "danger",
    TokenRefresh.Outcome.SUPERSEDED: None,
    TokenRefresh.Outcome.LOST: "warning",
}


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin):
    list_display = ["label", "state_label", "owner", "amazon_user", "expires_at", "last_synced_at"]
    list_filter = [("state", ChoicesCheckboxFilter)]
    list_select_related = ["owner"]
    search_fields = ["label", "amazon_user_email", "=amazon_user_id"]
    exclude = ["access_token", "refresh_token"]
    ordering = ["label", "id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        return Connection.objects.visible_to(request.user).defer("access_token", "refresh_token")

    @display(description="State", label=STATE_LABELS)
    def state_label(self, connection: Connection) -> tuple[str, str]:
        return connection.state, connection.get_state_display()


@admin.register(TokenRefresh)
class TokenRefreshAdmin(ConnectionPartAdmin):
    list_display = ["started_at", "connection", "trigger", "tries", "outcome_label", "took", "error_code"]
    list_filter = [
        ("outcome", ChoicesCheckboxFilter),
        ("trigger", ChoicesCheckboxFilter),
        ("started_at", RangeDateTimeFilter),
    ]
    list_select_related = ["connection"]
    search_fields = ["=connection__label", "=request_id", "=error_code"]

    @display(description="Outcome", label=OUTCOME_LABELS)
    def outcome_label(self, refresh: TokenRefresh) -> tuple[str | None, str]:
        return refresh.outcome, refresh.get_outcome_display() or "Running"

    @display(description="Took")
    def took(self, refresh: TokenRefresh) -> str:
        if refresh.finished_at is None:
            return ""
        return duration((refresh.finished_at - refresh.started_at).total_seconds())


@admin.register(AccessTokenRequest)
class AccessTokenRequestAdmin(ConnectionPartAdmin):
    list_display = ["requested_at", "connection", "user", "remote_addr", "outcome"]
    list_filter = [("outcome", ChoicesCheckboxFilter)]
    list_select_related = ["connection", "user"]


@admin.register(Alert)
class AlertAdmin(ConnectionPartAdmin):
    list_display = ["created_at", "kind", "text", "sent_at", "tries"]
    list_filter = [("kind", ChoicesCheckboxFilter)]


@admin.register(AuthorizationAttempt)
class AuthorizationAttemptAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "user", "connection", "region"]
    list_select_related = ["user", "connection"]
    fields = ["created_at", "user", "connection", "region", "regions", "label"]
    ordering = ["-created_at"]


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["kind", "host", "pid", "leads", "started_at", "beat_at"]
    list_filter = ["kind"]
