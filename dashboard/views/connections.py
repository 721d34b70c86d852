"""The list of connections, and the page of a connection with its refreshes and syncs."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.availability.months import list_availability
from accounts.models import SyncRun
from amazon_accounts.amazon_ads.hosts import Region
from dashboard.audit.rows import read_latest
from dashboard.charts import Column, stack_columns
from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.frame.team_filter import TeamFilter
from dashboard.lists.account_counts import count_seen
from dashboard.lists.connection_chips import GROUPS, count_choices, describe_chosen
from dashboard.lists.connection_list import ConnectionList, translate_parameters
from dashboard.lists.state import sort_links
from dashboard.lists.table import Heading, describe_place, offer_order_and_size
from dashboard.status import explain_refresh, status_of_refresh
from dashboard.views.labels import offer_labels
from dashboard.views.notes import list_notes
from tokens.models import Connection, TokenRefresh
from tokens.permissions import may

REFRESHES_SHOWN = 24
RUNS_SHOWN = 10

COLUMNS = {
    "connection": "Connection",
    "state": "State",
    "consent": "Consent ends",
    "accounts": "Accounts",
    "shared": "Shared",
    "regions": "Regions",
    "team": "Team",
    "labels": "Labels",
    "sync": "Last sync",
}
# The first press of a heading sorts like this, the second the other way round.
SORTS = {
    "label": "Connection",
    "-last_synced_at": "Last sync",
    "consent_ends_at": "Consent ends",
    "expires_at": "Token ends",
}
TABS = {
    ("state", "reauthorization_required"): "Login refused",
    ("consent", "ended"): "Consent ended",
    ("consent", "ends_in_30"): "Consent ends in 30 days",
    ("paused", "true"): "Paused",
    ("state", "disconnected"): "Disconnected",
}
# The filters for which a form stands below the others.
FIELDS = ("region", "labels")


def visible(request: StaffRequest) -> QuerySet[Connection]:
    # No page shows a token, so none is read.
    return Connection.objects.visible_to(request.user).defer("access_token", "refresh_token")


@require_safe
@staff_page("tokens.view_connection")
def connections(request: StaffRequest) -> HttpResponse:
    parameters = translate_parameters(request.GET)
    team_filter = TeamFilter.read(request, "tokens.view_connection")
    if team_filter.team_id and "team" not in parameters:
        # As if the address named it: then the links and an operation on all that match name it too.
        parameters["team"] = team_filter.text
    return page(
        request,
        "dashboard/connections/list_page.html",
        describe_list(request.user, ConnectionList.read(parameters), team_filter),
        title="Connections",
        partial="dashboard/connections/list.html",
    )


def describe_list(
    user: User,
    state: ConnectionList,
    team_filter: TeamFilter,
    *,
    view: str = "connections",
    groups_shown: Collection[str] = tuple(GROUPS),
    columns: Mapping[str, str] = COLUMNS,
    sorts: Mapping[str, str] = SORTS,
    tabs: Mapping[tuple[str, str], str] = TABS,
) -> dict[str, Any]:
    """Return what the page of a list of connections shows."""
    # A cursor that is old or of another ordering leads to the first page.
    try:
        rows = state.page(user)
    except ValidationError:
        state = state.without()
        rows = state.page(user)
    choices = count_choices(user, state, shown=groups_shown, tabs=tabs)
    found = [connection.pk for connection in rows.items]
    counts = count_seen(found, max_connections=len(found), with_shared="shared" in columns)
    base = reverse(view)
    links = sort_links(state, sorts)
    by_title = {link.title: link for link in links}
    return {
        "is_fullwidth": "1",
        "state": state,
        "base": base,
        "team_menu": team_filter.menu(
            f"{base}{state.without('team').page_address()}", number=max(len(state.values("team")), 1)
        ),
        # The menu of teams has a link of its own to turn its filter off.
        "is_clearable": (state.without("team") if team_filter.is_offered else state).is_filtered,
        "cleared": base + (f"?team={team_filter.text}" if team_filter.team_id else ""),
        "search": state.typed("search"),
        "connections": [(connection, counts[connection.pk]) for connection in rows.items],
        "groups": choices.groups,
        "tabs": choices.tabs,
        "chosen": describe_chosen(state, dict(Region.choices)),
        "count": choices.count,
        "headings": [
            Heading(name, title, by_title.get(title))
            for name, title in columns.items()
            if name != "team" or team_filter.is_offered
        ],
        "display_groups": offer_order_and_size(state, links, base=base),
        **describe_place(state, rows, choices.count, things="connections", base=base),
        "here": base + state.place_address(state.cursor, state.place if state.cursor else None),
        "regions": Region.choices,
        "fields": {name: state.typed(name) for name in FIELDS},
        "without_fields": state.without(*FIELDS).hidden_inputs,
    }


@require_safe
@staff_page("tokens.view_connection")
def connection(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    row = get_object_or_404(
        visible(request).select_related("owner", "team", "forgotten_by"), pk=connection_id
    )
    refreshes = list(row.refreshes.annotate(length=F("finished_at") - F("started_at"))[:REFRESHES_SHOWN])
    runs = list(SyncRun.objects.filter(connection=row).select_related("requested_by")[:RUNS_SHOWN])
    may_change_labels = may(request.user, "tokens.connect_amazon", row) and not row.is_forgotten
    context = {
        "connection": row,
        "refresh_problem": next(filter(None, map(explain_refresh, refreshes)), ""),
        "failed_run": next((run for run in runs if run.finished_at), None),
        "account_count": count_seen([row.pk])[row.pk],
        "refreshes": refreshes,
        "refresh_chart": stack_columns([_draw_refresh(refresh) for refresh in reversed(refreshes)], labels=4),
        "availability": list_availability(row),
        "notes": list_notes(request.user, row),
        "may_change_labels": may_change_labels,
        "offered_labels": offer_labels(request) if may_change_labels else (),
        "deeds": read_latest(request.user, row.pk),
        "runs": runs,
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
