"""Saving the list of accounts under a name, and removing a saved view."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.frame.page import SeeOther, StaffRequest, button_on, staff_page
from dashboard.lists.account_list import AccountList
from dashboard.lists.saved_views import address_of, count_view, list_views, write_query
from tokens.models import SavedView, Team
from tokens.people.saved_views import KEEP, remove_view, save_view


@button_on("accounts")
@staff_page(KEEP)
def save(request: StaffRequest) -> HttpResponse:
    # The form says what its page showed; only what the list can use is kept.
    state = AccountList.read(QueryDict(request.POST.get("query", "")))
    team = None
    if team_id := _read_id(request.POST.get("share", "")):
        team = get_object_or_404(Team.objects.visible_to(request.user), pk=team_id)
    try:
        view = save_view(request.user, name=request.POST.get("name", ""), query=write_query(state), team=team)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return SeeOther(f"{reverse('accounts')}?{write_query(state)}")
    return SeeOther(address_of(view))


@require_safe
@staff_page(KEEP)
def counts(request: StaffRequest) -> HttpResponse:
    # The page asks for them after it is shown, because each view may cost several queries.
    views = [(view, count_view(request.user, view)) for view in list_views(request.user)]
    return render(request, "dashboard/accounts/view_counts.html", {"counts": views})


@require_http_methods(["GET", "POST"])
@staff_page(KEEP)
def remove(request: StaffRequest, view_id: UUID) -> HttpResponse:
    view = get_object_or_404(SavedView.objects.visible_to(request.user).select_related("team"), pk=view_id)
    if request.method == "POST" and remove_view(request.user, view):
        messages.success(request, f"The view “{view.name}” is removed.")
    return SeeOther(reverse("accounts"))


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
