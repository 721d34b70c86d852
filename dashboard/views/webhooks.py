"""Webhooks of the person's teams: making one, what was sent to it, and changing it."""

from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

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
from tokens.models import Team, Webhook
from tokens.models.webhook import ALL_EVENTS, MAX_URL_CHARACTERS
from tokens.permissions import may
from tokens.webhooks.manage import (
    MANAGE,
    OFFERED,
    StillWaitingError,
    WebhookOffError,
    delete_webhook,
    make_webhook,
    redeliver,
    rotate_secret,
    send_test,
    update_webhook,
)

VIEW = "tokens.view_webhook"
SHOWN_DELIVERIES = 50


class WebhookForm(forms.Form):
    url = forms.CharField(
        label="Address",
        max_length=MAX_URL_CHARACTERS,
        help_text="It begins with https:// and is on the public internet.",
        widget=forms.URLInput(
            attrs={
                "class": "c-field",
                "autocomplete": "off",
                "placeholder": "https://hooks.example.com/amazon",
            }
        ),
        error_messages={"required": "Say where the events are sent."},
    )
    team = forms.ModelChoiceField(
        label="Team",
        queryset=Team.objects.none(),
        empty_label=None,
        widget=forms.Select(attrs={"class": "c-field"}),
    )
    events = forms.MultipleChoiceField(
        label="Events",
        choices=[(ALL_EVENTS, "All events"), *((type_, type_) for type_ in OFFERED)],
        initial=[ALL_EVENTS],
        widget=forms.CheckboxSelectMultiple(attrs={"class": "c-check"}),
        error_messages={"required": "Choose at least one."},
    )

    def __init__(self, person: User, data: Any = None) -> None:
        super().__init__(data)
        teams = cast("forms.ModelChoiceField[Team]", self.fields["team"])
        teams.queryset = Team.objects.allowing(person, MANAGE)

    def make(self, person: User) -> tuple[Webhook, str] | None:
        """Make the webhook; None if the form is wrong, which it then says."""
        if not self.is_valid():
            return None
        try:
            return make_webhook(person, **self.cleaned_data)
        except ValidationError as error:
            self.add_error(None, error)
        return None


def _get_visible(request: StaffRequest, webhook_id: UUID) -> Webhook:
    teams = Team.objects.visible_to(request.user)
    webhook = get_object_or_404(Webhook.objects.filter(team__in=teams).select_related("team"), pk=webhook_id)
    if not may(request.user, VIEW, webhook):
        raise PermissionDenied(VIEW)
    return webhook


@require_http_methods(["GET", "POST"])
@staff_page(VIEW)
def webhooks(request: StaffRequest) -> HttpResponse:
    """List the webhooks. The answer to the form shows the new secret, which is in no address and in no session."""
    form = WebhookForm(request.user, request.POST if request.method == "POST" else None)
    made = form.make(request.user) if form.is_bound else None
    context = {
        "webhooks": Webhook.objects.visible_to(request.user).select_related("team"),
        "form": WebhookForm(request.user) if made else form,
        "webhook": made[0] if made else None,
        "secret": made[1] if made else "",
    }
    status = INVALID_FORM if form.errors else HTTPStatus.OK
    return page(request, "dashboard/webhooks/list_page.html", context, title="Webhooks", status=status)


@require_safe
@staff_page(VIEW)
def webhook(request: StaffRequest, webhook_id: UUID) -> HttpResponse:
    return _show(request, _get_visible(request, webhook_id))


def _show(request: StaffRequest, shown: Webhook, secret: str = "") -> HttpResponse:
    deliveries = shown.deliveries.select_related("event")[:SHOWN_DELIVERIES]
    context = {"webhook": shown, "deliveries": deliveries, "secret": secret}
    return page(request, "dashboard/webhooks/detail_page.html", context, title="Webhook")


@button_on("webhook")
@staff_page(MANAGE)
def test(request: StaffRequest, webhook_id: UUID) -> HttpResponse:
    tested = _get_visible(request, webhook_id)
    try:
        send_test(request.user, tested)
    except WebhookOffError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The event webhook.test is sent. Its answer is in the log in a moment.")
    return redirect_htmx(request, reverse("webhook", args=[webhook_id]))


@button_on("webhook")
@staff_page(MANAGE)
def rotate(request: StaffRequest, webhook_id: UUID) -> HttpResponse:
    """The answer shows the new secret, which is in no address and in no session."""
    rotated = _get_visible(request, webhook_id)
    return _show(request, rotated, rotate_secret(request.user, rotated))


@button_on("webhook")
@staff_page(MANAGE)
def switch(request: StaffRequest, webhook_id: UUID) -> HttpResponse:
    switched = _get_visible(request, webhook_id)
    update_webhook(request.user, switched, is_active=request.POST.get("active") == "1")
    messages.success(request, f"The webhook is switched {'on' if switched.is_active else 'off'}.")
    return redirect_htmx(request, reverse("webhook", args=[webhook_id]))


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def delete(request: StaffRequest, webhook_id: UUID) -> HttpResponse:
    deleted = _get_visible(request, webhook_id)
    if request.method == "POST":
        delete_webhook(request.user, deleted)
        messages.success(request, "The webhook is deleted.")
        return redirect_htmx(request, reverse("webhooks"))
    context = {"webhook": deleted, "confirm_body": "dashboard/webhooks/delete.html"}
    if is_partial(request):
        return render(request, "dashboard/webhooks/delete.html", context)
    return page(request, "dashboard/frame/confirm_page.html", context, title="Delete a webhook")


@require_http_methods(["GET", "POST"])
@staff_page(MANAGE)
def send_again(request: StaffRequest, webhook_id: UUID, delivery_id: UUID) -> HttpResponseBase:
    deliveries = _get_visible(request, webhook_id).deliveries.select_related("webhook__team")
    delivery = get_object_or_404(deliveries, pk=delivery_id)
    address = reverse("webhook", args=[webhook_id])
    if request.method == "GET":
        return SeeOther(address)
    try:
        redeliver(request.user, delivery)
    except (WebhookOffError, StillWaitingError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The event is sent again. The answer is in the log in a moment.")
    return redirect_htmx(request, address)
