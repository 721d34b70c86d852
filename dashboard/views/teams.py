"""Teams: the members of one team at a time, and who is invited; changing both; making a team."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from amazon_accounts.postgresql.clock import approximate_now
from dashboard.frame.page import (
    INVALID_FORM,
    SeeOther,
    StaffRequest,
    button_on,
    is_partial,
    page,
    redirect_htmx,
    staff_page,
)
from tokens.connect.reminders import REMINDER_DAYS, switch_reminders
from tokens.models import MAIN, Invitation, Membership, Team
from tokens.models.invitation import MAX_ADDRESS_LENGTH
from tokens.models.team import MAX_NAME_LENGTH
from tokens.people.invitations import invite, is_still_meant, revoke_invitation, send_invitation_again
from tokens.people.roles import Role
from tokens.people.teams import create_team, remove_member, rename_team, set_member
from tokens.permissions import may, require
from tokens.sign_in.second_factors import FACTORS

MANAGE = "tokens.manage_members"
RENAME = "tokens.change_team"
MAX_MEMBERS = 500


class TeamForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"class": "c-field", "autocomplete": "off", "placeholder": "North"}),
        error_messages={"required": "Give the team a name."},
    )


class MemberForm(forms.Form):
    # Not a list of all people: an administrator of a team need not know who else there is.
    user = forms.ModelChoiceField(
        User.objects.all(),
        to_field_name="username",
        label="User name",
        widget=forms.TextInput(attrs={"class": "c-field", "autocomplete": "off"}),
        error_messages={
            "required": "Whom do you want to add?",
            "invalid_choice": "There is no user with this name. A superuser makes users.",
        },
    )
    role = forms.ChoiceField(
        label="Role", choices=Role.choices, widget=forms.Select(attrs={"class": "c-field"})
    )


class InvitationForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        max_length=MAX_ADDRESS_LENGTH,
        widget=forms.EmailInput(attrs={"class": "c-field", "autocomplete": "off"}),
        error_messages={"required": "Whom do you want to invite?"},
    )
    role = forms.ChoiceField(
        label="Role", choices=Role.choices, widget=forms.Select(attrs={"class": "c-field"})
    )


@dataclass(frozen=True)
class Member:
    membership: Membership
    has_second_factor: bool
    is_self: bool

    @property
    def person(self) -> User:
        return self.membership.user


@dataclass(frozen=True)
class Invited:
    invitation: Invitation
    has_ended: bool
    is_still_meant: bool


@require_safe
@staff_page("tokens.view_team")
def teams(request: StaffRequest) -> HttpResponse:
    return _show(request, _choose(request))


@button_on("teams")
@staff_page("tokens.add_team")
def make_team(request: StaffRequest) -> HttpResponse:
    form = TeamForm(request.POST)
    if form.is_valid():
        try:
            team = create_team(request.user, form.cleaned_data["name"])
        except ValidationError as error:
            form.add_error("name", error.messages)
        else:
            messages.success(request, f"The team {team} is made. Add its first administrator.")
            return redirect_htmx(request, _address(team))
    return _show(request, _choose(request), team_form=form)


@require_http_methods(["GET", "POST"])
@staff_page(RENAME)
def rename(request: StaffRequest, team_id: UUID) -> HttpResponse:
    team = _find(request, team_id)
    former_name = team.name
    form = TeamForm(request.POST if request.method == "POST" else None, initial={"name": former_name})
    if form.is_valid():
        try:
            rename_team(request.user, team, form.cleaned_data["name"])
        except ValidationError as error:
            form.add_error("name", error.messages)
        else:
            messages.success(request, f"The team {former_name} is called {team} now.")
            return redirect_htmx(request, _address(team))
    context = {
        "form": form,
        "former_name": former_name,
        "address": reverse("team-rename", args=[team_id]),
        "back": _address(team),
        "confirm_body": "dashboard/teams/rename.html",
    }
    status = INVALID_FORM if form.errors else HTTPStatus.OK
    if is_partial(request):
        return render(request, "dashboard/teams/rename.html", context, status=status)
    return page(request, "dashboard/frame/confirm_page.html", context, title="Rename a team", status=status)


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def save_member(request: StaffRequest, team_id: UUID) -> HttpResponse:
    team = _find(request, team_id)
    require(request.user, MANAGE, team)
    if request.method == "GET":
        return SeeOther(_address(team))
    form = MemberForm(request.POST)
    if form.is_valid():
        person = form.cleaned_data["user"]
        try:
            is_new = set_member(request.user, team, person, form.cleaned_data["role"])
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            role = Role(form.cleaned_data["role"]).label.lower()
            done = f"{person} is now a member" if is_new else f"{person} is now {role}"
            messages.success(request, f"{done} of {team}." if is_new else f"{done} in {team}.")
            return redirect_htmx(request, _address(team))
    return _show(request, team, member_form=form)


@require_http_methods(["GET", "POST"])
@staff_page("tokens.view_team")
def remove(request: StaffRequest, team_id: UUID, person_id: int) -> HttpResponse:
    team = _find(request, team_id)
    if person_id != request.user.pk:
        require(request.user, MANAGE, team)
    membership = get_object_or_404(
        Membership.objects.select_related("user", "team"), team=team, user=person_id
    )
    if request.method == "POST":
        try:
            remove_member(request.user, team, membership.user)
        except Membership.DoesNotExist:
            raise Http404 from None
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return redirect_htmx(request, _address(team))
        messages.success(request, f"{membership.user} is no longer a member of {team}.")
        return redirect_htmx(request, reverse("teams") if person_id == request.user.pk else _address(team))
    context = {
        "membership": membership,
        "is_self": person_id == request.user.pk,
        "back": _address(team),
        "confirm_body": "dashboard/teams/remove.html",
    }
    if is_partial(request):
        return render(request, "dashboard/teams/remove.html", context)
    return page(request, "dashboard/frame/confirm_page.html", context, title="Remove a member")


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def invite_member(request: StaffRequest, team_id: UUID) -> HttpResponse:
    team = _find(request, team_id)
    require(request.user, MANAGE, team)
    if request.method == "GET":
        return SeeOther(_address(team))
    form = InvitationForm(request.POST)
    if form.is_valid():
        try:
            invitation = invite(request.user, team, form.cleaned_data["email"], form.cleaned_data["role"])
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"{invitation.email} is invited to {team}. The mail is on its way.")
            return redirect_htmx(request, _address(team))
    return _show(request, team, invitation_form=form)


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def send_again(request: StaffRequest, team_id: UUID, invitation_id: UUID) -> HttpResponse:
    invitation = _find_invitation(request, team_id, invitation_id)
    if request.method == "POST":
        try:
            send_invitation_again(request.user, invitation)
        except Invitation.DoesNotExist:
            raise Http404 from None
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, f"A new link for {invitation.email} is on its way. The old one ends.")
    return SeeOther(_address(invitation.team))


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def revoke(request: StaffRequest, team_id: UUID, invitation_id: UUID) -> HttpResponse:
    invitation = _find_invitation(request, team_id, invitation_id)
    if request.method == "POST":
        revoke_invitation(request.user, invitation)
        messages.success(request, f"The invitation of {invitation.email} is revoked.")
    return SeeOther(_address(invitation.team))


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def reminders(request: StaffRequest, team_id: UUID) -> HttpResponse:
    team = _find(request, team_id)
    require(request.user, MANAGE, team)
    if request.method == "GET":
        return SeeOther(_address(team))
    is_on = request.POST.get("on") == "1"
    switch_reminders(request.user, team, on=is_on)
    done = "get reminders before a consent ends" if is_on else "get no reminders"
    messages.success(request, f"The contacts of {team} {done}.")
    return redirect_htmx(request, _address(team))


def _find_invitation(request: StaffRequest, team_id: UUID, invitation_id: UUID) -> Invitation:
    require(request.user, MANAGE, _find(request, team_id))
    visible = Invitation.objects.visible_to(request.user).select_related("team", "invited_by")
    return get_object_or_404(visible, pk=invitation_id, team=team_id)


def _find(request: StaffRequest, team_id: UUID) -> Team:
    return get_object_or_404(Team.objects.visible_to(request.user), pk=team_id)


def _choose(request: StaffRequest) -> Team | None:
    given = request.GET.get("team", "")
    if not given:
        own = Team.objects.filter(memberships__user=request.user).first()
        return own or Team.objects.visible_to(request.user).first()
    try:
        return _find(request, UUID(given))
    except ValueError:
        raise Http404 from None


def _address(team: Team) -> str:
    return f"{reverse('teams')}?{urlencode({'team': team.pk})}"


def _show(
    request: StaffRequest,
    team: Team | None,
    *,
    team_form: TeamForm | None = None,
    member_form: MemberForm | None = None,
    invitation_form: InvitationForm | None = None,
) -> HttpResponse:
    may_manage = team is not None and may(request.user, MANAGE, team)
    context: dict[str, Any] = {
        "team": team,
        "teams": [
            (each, _address(each), team is not None and each.pk == team.pk)
            for each in Team.objects.visible_to(request.user).annotate(number=Count("memberships"))
        ],
        "members": _list_members(request.user, Membership.objects.filter(team=team)) if team else [],
        "invitations": _list_invitations(request.user, team) if team else [],
        "may_manage": may_manage,
        "lacks_administrator": team and Team.objects.without_administrator().filter(pk=team.pk).exists(),
        # The team that every database has keeps its name.
        "may_rename": team is not None and team.name != MAIN and may(request.user, RENAME, team),
        "may_make": may(request.user, "tokens.add_team"),
        "roles": Role.choices,
        "reminder_days": REMINDER_DAYS,
        "member_form": member_form or MemberForm(),
        "invitation_form": invitation_form or InvitationForm(),
        "team_form": team_form or TeamForm(),
    }
    is_wrong = any(form is not None and form.errors for form in (team_form, member_form, invitation_form))
    return page(
        request,
        "dashboard/teams/list_page.html",
        context,
        title="Teams",
        status=INVALID_FORM if is_wrong else HTTPStatus.OK,
    )


def _list_members(user: User, memberships: QuerySet[Membership]) -> list[Member]:
    rows = list(memberships.select_related("user").order_by("user__username")[:MAX_MEMBERS])
    factors = Authenticator.objects.filter(user__in=[row.user_id for row in rows], type__in=FACTORS)
    protected = set(factors.values_list("user", flat=True))
    return [Member(row, row.user_id in protected, row.user_id == user.pk) for row in rows]


def _list_invitations(user: User, team: Team) -> list[Invited]:
    now = approximate_now()
    rows = Invitation.objects.visible_to(user).filter(team=team).select_related("team", "invited_by")
    return [Invited(row, row.ends_at <= now, is_still_meant(row)) for row in rows[:MAX_MEMBERS]]
