"""A person's own choice of alerts, and the addresses of a team for alerts."""

from http import HTTPStatus
from typing import cast
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard.frame.page import (
    INVALID_FORM,
    PersonRequest,
    SeeOther,
    StaffRequest,
    own_page,
    page,
    staff_page,
)
from tokens.alerts.addresses import MANAGE, MAX_CHARACTERS, SERVICES, add_alert_address, remove_alert_address
from tokens.alerts.choices import choose_alerts, list_chosen_kinds, list_kinds
from tokens.alerts.messages import TITLES
from tokens.alerts.times import Times, read_times
from tokens.models import AlertAddress, Team
from tokens.models.team import MAX_NAME_LENGTH
from tokens.permissions import require


def _make_clock() -> forms.TimeInput:
    return forms.TimeInput(attrs={"type": "time", "class": "c-field"}, format="%H:%M")


class AlertsForm(forms.Form):
    kinds = forms.MultipleChoiceField(
        label="Mail me when", required=False, widget=forms.CheckboxSelectMultiple()
    )

    quiet_from = forms.TimeField(label="No mail from", required=False, widget=_make_clock())
    quiet_until = forms.TimeField(label="No mail until", required=False, widget=_make_clock())
    digest_at = forms.TimeField(
        label="One mail a day at",
        required=False,
        help_text="Then alerts come in this mail alone, together with what has changed. Empty: each comes at once.",
        widget=_make_clock(),
    )

    def __init__(self, user: User, data: QueryDict | None = None) -> None:
        super().__init__(data, initial={"kinds": [str(kind) for kind in list_chosen_kinds(user)]})
        times = read_times(user)
        for name in ("quiet_from", "quiet_until", "digest_at"):
            self.initial[name] = getattr(times, name)
        choices = [(str(kind), TITLES[kind][0]) for kind in list_kinds(user)]
        cast("forms.MultipleChoiceField", self.fields["kinds"]).choices = choices


@require_http_methods(["GET", "POST"])
@own_page
def alerts(request: PersonRequest) -> HttpResponse:
    zone, stored = timezone.get_current_timezone_name(), read_times(request.user)
    form = AlertsForm(request.user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        chosen = {name: form.cleaned_data[name] for name in ("quiet_from", "quiet_until", "digest_at")}
        times = Times(**chosen, zone=zone)
        try:
            choose_alerts(request.user, form.cleaned_data["kinds"], times)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, "Saved.")
            return SeeOther(reverse("alerts"))
    return page(
        request,
        "dashboard/alerts/page.html",
        {
            "form": form,
            "mails_alerts": settings.MAIL_ALERTS,
            "zone": zone,
            "stored_zone": zone if stored.is_at_once else stored.zone,
        },
        title="Your alerts",
        status=INVALID_FORM if form.errors else HTTPStatus.OK,
    )


class AddressForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=MAX_NAME_LENGTH,
        help_text="Such as the name of the channel. People recognise the address by it.",
        widget=forms.TextInput(attrs={"class": "c-field", "autocomplete": "off"}),
        error_messages={"required": "Give the address a name."},
    )
    # A page never shows it again, not even after a mistake.
    address = forms.CharField(
        label="Webhook",
        max_length=MAX_CHARACTERS,
        help_text=f"Of {', '.join(sorted(SERVICES.values()))}. It is stored encrypted and not shown again.",
        widget=forms.PasswordInput(attrs={"class": "c-field", "autocomplete": "off"}),
        error_messages={"required": "Paste the webhook that the service gave you."},
    )


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def team_alerts(request: StaffRequest, team_id: UUID) -> HttpResponse:
    team = _find_team(request, team_id)
    form = AddressForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            added = add_alert_address(request.user, team, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, f"Alerts of {team} also go to {added.name} now.")
            return SeeOther(reverse("team-alerts", args=[team.pk]))
    return page(
        request,
        "dashboard/alerts/team_page.html",
        {
            "team": team,
            "addresses": AlertAddress.objects.visible_to(request.user).filter(team=team),
            "form": form,
        },
        title="Alerts of a team",
        status=INVALID_FORM if form.errors else HTTPStatus.OK,
    )


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def remove_team_alert(request: StaffRequest, team_id: UUID, address_id: UUID) -> HttpResponse:
    team = _find_team(request, team_id)
    address = get_object_or_404(AlertAddress.objects.visible_to(request.user), pk=address_id, team=team)
    if request.method == "POST":
        remove_alert_address(request.user, address)
        messages.success(request, f"No more alerts go to {address.name}.")
    return SeeOther(reverse("team-alerts", args=[team.pk]))


def _find_team(request: StaffRequest, team_id: UUID) -> Team:
    team = get_object_or_404(Team.objects.visible_to(request.user), pk=team_id)
    require(request.user, MANAGE, team)
    return team
