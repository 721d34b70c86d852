"""A person's own choice of alerts."""

from http import HTTPStatus
from typing import cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.frame.page import INVALID_FORM, PersonRequest, SeeOther, own_page, page
from tokens.alerts.choices import choose_alerts, list_chosen_kinds, list_kinds
from tokens.alerts.messages import TITLES


class AlertsForm(forms.Form):
    kinds = forms.MultipleChoiceField(
        label="Mail me when", required=False, widget=forms.CheckboxSelectMultiple()
    )

    def __init__(self, user: User, data: QueryDict | None = None) -> None:
        super().__init__(data, initial={"kinds": [str(kind) for kind in list_chosen_kinds(user)]})
        choices = [(str(kind), TITLES[kind][0]) for kind in list_kinds(user)]
        cast("forms.MultipleChoiceField", self.fields["kinds"]).choices = choices


@require_http_methods(["GET", "POST"])
@own_page
def alerts(request: PersonRequest) -> HttpResponse:
    form = AlertsForm(request.user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        choose_alerts(request.user, form.cleaned_data["kinds"])
        messages.success(request, "Saved.")
        return SeeOther(reverse("alerts"))
    return page(
        request,
        "dashboard/alerts/page.html",
        {"form": form, "mails_alerts": settings.MAIL_ALERTS},
        title="Your alerts",
        status=INVALID_FORM if form.errors else HTTPStatus.OK,
    )
