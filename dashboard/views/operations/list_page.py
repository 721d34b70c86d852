"""The list of operations; a form that is posted to it starts a new one."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.batch.operations import Operation
from accounts.lists.pages import KeysetPaginator
from accounts.models import BatchOperation
from accounts.models.batch import count_items
from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.frame.team_filter import TeamFilter
from dashboard.status import BATCH, Status, status_of_batch
from dashboard.views.operations.addresses import Choice, make_address
from dashboard.views.operations.detail import Progress
from dashboard.views.operations.start import start_operation

PAGE_SIZE = 25


@dataclass(frozen=True)
class BatchRow:
    batch: BatchOperation
    state: Status
    sentence: str
    teams: str


def name_teams(batch: BatchOperation, names: Mapping[UUID, str]) -> str:
    """Return the names of the teams whose accounts the operation has. The person may not see all of them any more."""
    known = sorted(names[team] for team in batch.team_ids if team in names)
    others = len(batch.team_ids) - len(known)
    return ", ".join([*known, *([f"{others} other{'' if others == 1 else 's'}"] if others else [])])


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page("accounts.view_account")
def operations(request: StaffRequest) -> HttpResponse:
    return start_operation(request) if request.method == "POST" else _list_operations(request)


def _list_operations(request: StaffRequest) -> HttpResponse:
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    team_filter = TeamFilter.read(request, "accounts.view_batchoperation")
    chosen = {
        "state": state if state in BATCH else "",
        "kind": kind if kind in Operation.values else "",
        "team": team_filter.text,
    }
    batches = BatchOperation.objects.visible_to(request.user).select_related("user")
    if chosen["state"]:
        batches = batches.filter(state=state)
    if chosen["kind"]:
        batches = batches.filter(operation=kind)
    if team_filter.team_id:
        batches = batches.filter(team_ids__contains=[team_filter.team_id])
    paginator = KeysetPaginator(batches, "-created_at", PAGE_SIZE)
    after = request.GET.get("after", "")
    # A cursor that is old or forged leads to the first page.
    try:
        found = paginator.page(after)
    except ValidationError:
        after, found = "", paginator.page()
    counts = count_items(found.items)
    context = {
        "batches": [
            BatchRow(
                batch,
                status_of_batch(batch),
                Progress.of(batch, counts[batch.pk]).sentence,
                name_teams(batch, team_filter.names),
            )
            for batch in found.items
        ],
        "states": [_make_choice(chosen, "state", key, status.word, status) for key, status in BATCH.items()],
        "kinds": [_make_choice(chosen, "kind", each, each.label.capitalize()) for each in Operation],
        "team_menu": team_filter.menu(make_address({**chosen, "team": ""})),
        "cleared": make_address({"team": team_filter.text}),
        "is_filtered": bool(chosen["state"] or chosen["kind"]),
        "under_way": any(not batch.is_finished for batch in found.items),
        "here": f"{reverse('operations')}{make_address(chosen, after=after)}",
        "after": after,
        "first": make_address(chosen),
        "next": found.next_cursor and make_address(chosen, after=found.next_cursor),
        "previous": found.previous_cursor and make_address(chosen, after=found.previous_cursor),
    }
    return page(
        request,
        "dashboard/operations/list_page.html",
        context,
        title="Operations",
        partial="dashboard/operations/list.html",
    )


def _make_choice(
    chosen: dict[str, str], name: str, value: str, word: str, status: Status | None = None
) -> Choice:
    is_current = chosen[name] == value
    address = make_address(chosen, **{name: "" if is_current else value})
    return Choice(word=word, address=address, current=is_current, status=status)
