"""The logo of a team: uploading and removing it."""

import base64
from http import HTTPStatus
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.frame.page import INVALID_FORM, SeeOther, StaffRequest, page, staff_page
from tokens.models import Team, TeamLogo
from tokens.models.team import MAX_LOGO_BYTES
from tokens.people.logos import MANAGE, MAX_SIDE, remove_team_logo, set_team_logo
from tokens.permissions import require


class LogoForm(forms.Form):
    picture = forms.FileField(
        label="Picture",
        help_text=f"A PNG of at most {MAX_LOGO_BYTES // 1024} KB, and at most {MAX_SIDE:,} pixels wide and high.",
        widget=forms.FileInput(attrs={"class": "c-field", "accept": "image/png"}),
        error_messages={"required": "Choose a picture.", "empty": "The file is empty."},
    )


def show_logo(logo: TeamLogo | None) -> str:
    """Return the address of the picture, which is all of it; "" if there is none."""
    return f"data:image/png;base64,{base64.b64encode(logo.png).decode()}" if logo else ""


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def logo(request: StaffRequest, team_id: UUID) -> HttpResponse:
    team = _find_team(request, team_id)
    form = LogoForm(request.POST, request.FILES) if request.method == "POST" else LogoForm()
    if form.is_valid():
        try:
            set_team_logo(request.user, team, form.cleaned_data["picture"].read(MAX_LOGO_BYTES + 1))
        except ValidationError as error:
            form.add_error("picture", error)
        else:
            messages.success(request, "Clients see this logo now.")
            return SeeOther(reverse("team-logo", args=[team.pk]))
    stored = TeamLogo.objects.visible_to(request.user).filter(team=team).first()
    return page(
        request,
        "dashboard/teams/logo_page.html",
        {"team": team, "logo": show_logo(stored), "form": form},
        title="Logo of a team",
        status=INVALID_FORM if form.errors else HTTPStatus.OK,
    )


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def remove(request: StaffRequest, team_id: UUID) -> HttpResponse:
    team = _find_team(request, team_id)
    if request.method == "POST" and remove_team_logo(request.user, team):
        messages.success(request, "Clients see the first letter of the team again.")
    return SeeOther(reverse("team-logo", args=[team.pk]))


def _find_team(request: StaffRequest, team_id: UUID) -> Team:
    team = get_object_or_404(Team.objects.visible_to(request.user), pk=team_id)
    require(request.user, MANAGE, team)
    return team
