"""The history page: what happened, newest first and grouped by day."""

from itertools import groupby

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.history.events import KINDS
from dashboard.history.timeline import Timeline
from tokens.models import Connection
from tokens.permissions import require

CONNECTIONS_OFFERED = 200


@require_safe
@staff_page("tokens.view_connection")
def history(request: StaffRequest) -> HttpResponse:
    require(request.user, "accounts.view_account")
    state = Timeline.of(request.GET)
    events, following = state.page(request.user)
    choices = [("", "All"), *KINDS.items()]
    connections = Connection.objects.visible_to(request.user).order_by("label")
    by_day = groupby(events, key=lambda event: timezone.localdate(event.moment))
    context = {
        "state": state,
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
