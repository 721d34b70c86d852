"""The list of connections, and the page of a connection with its refreshes and syncs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Count, F, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.lists.pages import KeysetPaginator
from accounts.models import SyncRun
from dashboard.account_counts import count_accounts
from dashboard.audit.rows import read_latest
from dashboard.charts import Column, stack_columns
from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.frame.team_filter import TeamFilter
from dashboard.status import status_of_refresh
from tokens.models import BROKEN, Connection, TokenRefresh

PAGE_SIZE = 24
REFRESHES_SHOWN = 24
RUNS_SHOWN = 10

STATES = {
    "": ("All", Q()),
    "attention": ("Reconnect needed", BROKEN),
    "active": ("Active", Q(state=Connection.State.ACTIVE)),
    "disconnected": ("Disconnected", Q(state=Connection.State.DISCONNECTED)),
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    key: str
    title: str
    number: int
    current: bool
    address: str


def visible(request: StaffRequest) -> QuerySet[Connection]:
    # No page shows a token, so none is read.
    return Connection.objects.visible_to(request.user).defer("access_token", "refresh_token")


@require_safe
@staff_page("tokens.view_connection")
def connections(request: StaffRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    if state not in STATES:
        state = ""
    team_filter = TeamFilter.read(request, "tokens.view_connection")
    chosen = {"state": state, "team": team_filter.text}
    rows_of_team = visible(request)
    if team_filter.team_id:
        rows_of_team = rows_of_team.filter(team=team_filter.team_id)
    numbers = rows_of_team.aggregate(
        **{f"n_{key}": Count("pk", filter=condition or None) for key, (_, condition) in STATES.items()}
    )
    title, condition = STATES[state]
    paginator = KeysetPaginator(
        rows_of_team.filter(condition).select_related("owner", "team"), "label", PAGE_SIZE
    )
    after = request.GET.get("after", "")
    try:
        rows = paginator.page(after)
    except ValidationError:
        after = ""
        rows = paginator.page()
    counts = count_accounts([connection.pk for connection in rows.items])
    context = {
        "heading": f"{title} ({numbers[f'n_{state}']:,})"
        if state
        else f"{numbers['n_']:,} connection{'' if numbers['n_'] == 1 else 's'}",
        "choices": [
            Choice(
                key=key,
                title=name,
                number=numbers[f"n_{key}"],
                current=key == state,
                address=_address({**chosen, "state": key}),
            )
            for key, (name, _) in STATES.items()
        ],
        "connections": [(connection, counts.of(connection.pk)) for connection in rows.items],
        "any": numbers["n_"],
        "team_menu": team_filter.menu(_address({"state": state})),
        "everything": _address({"team": team_filter.text}),
        "here": _address(chosen, after),
        "after": after,
        "first": _address(chosen),
        "next": rows.next_cursor and _address(chosen, rows.next_cursor),
        "previous": rows.previous_cursor and _address(chosen, rows.previous_cursor),
    }
    return page(
        request,
        "dashboard/connections/list_page.html",
        context,
        title="Connections",
        partial="dashboard/connections/list.html",
    )


def _address(chosen: Mapping[str, str], after: str = "") -> str:
    known = {key: value for key, value in {**chosen, "after": after}.items() if value}
    return f"{reverse('connections')}?{urlencode(known)}" if known else reverse("connections")


@require_safe
@staff_page("tokens.view_connection")
def connection(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    row = get_object_or_404(
        visible(request).select_related("owner", "team", "forgotten_by"), pk=connection_id
    )
    refreshes = list(row.refreshes.annotate(length=F("finished_at") - F("started_at"))[:REFRESHES_SHOWN])
    context = {
        "connection": row,
        "account_count": count_accounts([row.pk]).of(row.pk),
        "refreshes": refreshes,
        "refresh_chart": stack_columns([_draw_refresh(refresh) for refresh in reversed(refreshes)], labels=4),
        "deeds": read_latest(request.user, row.pk),
        "runs": list(SyncRun.objects.filter(connection=row).select_related("requested_by")[:RUNS_SHOWN]),
    }
    return page(request, "dashboard/connections/detail_page.html", context, title=row.label)


def _draw_refresh(refresh: TokenRefresh) -> Column:
    # A refresh that has not ended is drawn, too.
    took = refresh.finished_at - refresh.started_at if refresh.finished_at else timedelta(seconds=0.1)
    seconds = took.total_seconds()
    state = status_of_refresh(refresh)
    return Column(
        f"{timezone.localtime(refresh.started_at):%H:%M}",
        [(state.tone, seconds)],
        f"{state.word}, {seconds:.1f} s",
    )
