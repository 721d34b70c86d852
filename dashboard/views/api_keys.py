"""API keys: the own ones and those of teams, making one, and revoking one."""

from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.frame.page import (
    INVALID_FORM,
    StaffRequest,
    is_partial,
    page,
    redirect_htmx,
    staff_page,
)
from tokens.models import ApiKey, Team
from tokens.models.api_key import MAX_NAME_CHARACTERS
from tokens.people.keys import USUAL_DAYS, make_api_key, make_team_key, revoke_api_key
from tokens.people.roles import TOKENS, Role
from tokens.permissions import may

DAYS = [
    (7, "In a week"),
    (30, "In 30 days"),
    (USUAL_DAYS, "In 90 days"),
    (180, "In 180 days"),
    (365, "In a year"),
]
ROLES = [
    ("", "What I may at that moment"),
    (TOKENS, "Hand out access tokens, and nothing else"),
    (Role.VIEWER, "Viewer: see"),
    (Role.OPERATOR, "Operator: also connect, sync and change"),
    (Role.ADMINISTRATOR, "Administrator: also disconnect, hand out access tokens and manage"),
]

ME, TEAM = "me", "team"
OWNERS = [
    (ME, "Mine: it stops when I lose my access"),
    (TEAM, "The team’s: it goes on when I leave, and needs a team and a role"),
]


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label="What is the key for?",
        max_length=MAX_NAME_CHARACTERS,
        widget=forms.TextInput(
            attrs={"class": "c-field", "autocomplete": "off", "placeholder": "Nightly report"}
        ),
        error_messages={"required": "Say what the key is for."},
    )
    owner = forms.ChoiceField(
        label="Whose is it?",
        choices=OWNERS,
        initial=ME,
        widget=forms.RadioSelect(attrs={"class": "c-check"}),
    )
    team = forms.ModelChoiceField(
        label="Team",
        queryset=Team.objects.none(),
        required=False,
        empty_label="All my teams",
        widget=forms.Select(attrs={"class": "c-field"}),
    )
    role = forms.ChoiceField(
        label="What it may do at most",
        choices=ROLES,
        required=False,
        widget=forms.Select(attrs={"class": "c-field"}),
    )
    days = forms.TypedChoiceField(
        label="It ends",
        choices=DAYS,
        coerce=int,
        initial=USUAL_DAYS,
        widget=forms.Select(attrs={"class": "c-field"}),
    )

    def __init__(self, person: User, data: Any = None) -> None:
        super().__init__(data)
        cast("forms.ModelChoiceField[Team]", self.fields["team"]).queryset = Team.objects.visible_to(person)
        if not may(person, "tokens.manage_keys"):
            del self.fields["owner"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("owner") == TEAM and not cleaned.get("team") and "team" not in self.errors:
            self.add_error("team", "Choose the team that the key is of.")
        return cleaned

    def make(self, person: User) -> tuple[ApiKey, str] | None:
        """Make the key; None if the form is wrong, which it then says."""
        if not self.is_valid():
            return None
        chosen = dict(self.cleaned_data)
        is_of_team = chosen.pop("owner", ME) == TEAM
        try:
            return make_team_key(person, **chosen) if is_of_team else make_api_key(person, person, **chosen)
        except ValidationError as error:
            self.add_error(None, " ".join(error.messages))
        except PermissionDenied:
            self.add_error("team", "Only administrators of the team make keys of it.")
        return None


@require_http_methods(["GET", "POST"])
@staff_page()
def api_keys(request: StaffRequest) -> HttpResponse:
    """List the keys. The answer to the form shows the new key, which is in no address and in no session.

    Who signed in more than some minutes ago is asked again who they are, before a key is made.
    """
    if request.method == "POST":
        # As before second factors are changed. allauth leads there, and comes back with the form.
        raise_if_reauthentication_required(request, app="allauth.mfa")
    form = ApiKeyForm(request.user, request.POST if request.method == "POST" else None)
    made = form.make(request.user) if form.is_bound else None
    context = {
        "keys": _list(request.user).select_related("team", "created_by"),
        "form": ApiKeyForm(request.user) if made else form,
        "made": made[0] if made else None,
        "new_key": made[1] if made else "",
    }
    status = INVALID_FORM if form.errors else HTTPStatus.OK
    return page(request, "dashboard/keys/list_page.html", context, title="API keys", status=status)


@require_http_methods(["GET", "POST"])
@staff_page()
def revoke(request: StaffRequest, key_id: UUID) -> HttpResponse:
    key = get_object_or_404(_list(request.user).select_related("team"), pk=key_id)
    if request.method == "POST":
        revoke_api_key(request.user, key)
        messages.success(request, f"The key “{key.name}” is revoked.")
        return redirect_htmx(request, reverse("api-keys"))
    context = {"key": key, "confirm_body": "dashboard/keys/revoke.html"}
    if is_partial(request):
        return render(request, "dashboard/keys/revoke.html", context)
    return page(request, "dashboard/frame/confirm_page.html", context, title="Revoke an API key")


def _list(person: User) -> QuerySet[ApiKey]:
    # Superusers find the keys of other people in the admin.
    rows: QuerySet[ApiKey] = ApiKey.objects.visible_to(person).filter(Q(user=person) | Q(user=None))
    return rows
