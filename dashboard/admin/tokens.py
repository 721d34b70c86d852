"""Connections and the history of their tokens. The tokens themselves are never shown."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import (
    BooleanRadioFilter,
    CheckboxFilter,
    ChoicesCheckboxFilter,
    RangeDateTimeFilter,
)
from unfold.decorators import display

from accounts.lists.connection_filters import filter_connections
from dashboard.admin.batches import ConnectionActions
from dashboard.admin.by_team import ConnectionTeamFilter, TeamFilter
from dashboard.admin.read_only import ReadOnlyAdmin, VisibleRowsAdmin, color_states
from dashboard.overview.activity import read_activity, read_success_rates
from dashboard.status import CONNECTION, CONSENT, REFRESH, status_of_connection
from dashboard.templatetags.console import duration, percent
from tokens.models import (
    Alert,
    AuthorizationAttempt,
    Connection,
    ConsentState,
    Failure,
    Heartbeat,
    Membership,
    Team,
    TokenRefresh,
    where_consent,
)

# A connection in another state, such as a paused one, has no colour.
STATE_LABELS = {**color_states(CONNECTION), "": None}
OUTCOME_LABELS = color_states(REFRESH)


class ConsentFilter(CheckboxFilter):
    title = "consent"
    parameter_name = "consent"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [(word, state.word) for word, state in CONSENT.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Connection]) -> QuerySet[Connection]:
        conditions = Q()
        for word in self.value() or ():
            if word in CONSENT:
                conditions |= where_consent(ConsentState(word))
        return queryset.filter(conditions)


@admin.register(Connection)
class ConnectionAdmin(ConnectionActions):
    list_display = ["label", "state_label", "team", "owner", "amazon_user", "expires_at", "last_synced_at"]
    list_filter = [
        TeamFilter,
        ("state", ChoicesCheckboxFilter),
        ("paused", BooleanRadioFilter),
        ConsentFilter,
    ]
    list_select_related = ["owner", "team"]
    search_fields = ["label"]
    exclude = ["access_token", "refresh_token", "search_text"]
    ordering = ["label", "id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        rows: QuerySet[Connection] = super().get_queryset(request)
        return rows.defer("access_token", "refresh_token")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Connection], search_term: str
    ) -> tuple[QuerySet[Connection], bool]:
        # The search of the API: anywhere in the label, the login or the contact, by an index.
        if not search_term.strip():
            return queryset, False
        try:
            found = filter_connections(request.user, {"search": search_term.strip()})
        except ValidationError:
            return queryset.none(), False
        return queryset & found, False

    @display(description="State", label=STATE_LABELS)
    def state_label(self, connection: Connection) -> tuple[str, str]:
        status = status_of_connection(connection)
        return connection.state if status == CONNECTION.get(connection.state) else "", status.word


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
