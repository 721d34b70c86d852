"""The history page: what happened, newest first and grouped by day."""

from itertools import groupby

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.frame.team_filter import TeamFilter
from dashboard.history.events import KINDS
from dashboard.history.timeline import Timeline
from tokens.models import Connection
from tokens.permissions import limit_to_team, require

CONNECTIONS_OFFERED = 200


@require_safe
@staff_page("tokens.view_connection")
def history(request: StaffRequest) -> HttpResponse:
    require(request.user, "accounts.view_account")
    team_filter = TeamFilter.read(request, "tokens.view_connection")
    state = Timeline.of(request.GET, team_filter.team_id)
    if state.connection:
        get_object_or_404(Connection.objects.visible_to(request.user).only("pk"), pk=state.connection)
    events, following = state.page(request.user)
    choices = [("", "All"), *KINDS.items()]
    viewer = limit_to_team(request.user, team_filter.team_id)
    connections = Connection.objects.visible_to(viewer).order_by("label")
    by_day = groupby(events, key=lambda event: timezone.localdate(event.moment))
    context = {
        "state": state,
        # A connection belongs to one team, so it goes with the team.
        "team_menu": team_filter.menu(state.change(team=None, connection=None).address),
        "cleared": Timeline(team=state.team).address,
        "days": [(day, list(group)) for day, group in by_day],
        "choices": [(name, state.change(kind=kind).address, kind == state.kind) for kind, name in choices],
        "failed_address": state.change(failed=not state.failed).address,
        "next": following,
        "connections": connections.values_list("pk", "label")[:CONNECTIONS_OFFERED],
    }
    return page(
        request,
        "dashboard/history/page.html",
        context,
        title="History",
        partial="dashboard/history/list.html",
    )
