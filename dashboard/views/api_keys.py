"""API keys: the own ones, making one, and revoking one."""

from http import HTTPStatus
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
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
from tokens.models import ApiKey
from tokens.models.api_key import MAX_NAME_CHARACTERS
from tokens.people.keys import USUAL_DAYS, make_api_key, revoke_api_key

DAYS = [
    (7, "In a week"),
    (30, "In 30 days"),
    (USUAL_DAYS, "In 90 days"),
    (180, "In 180 days"),
    (365, "In a year"),
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
    days = forms.TypedChoiceField(
        label="It ends",
        choices=DAYS,
        coerce=int,
        initial=USUAL_DAYS,
        widget=forms.Select(attrs={"class": "c-field"}),
    )


@require_http_methods(["GET", "POST"])
@staff_page()
def api_keys(request: StaffRequest) -> HttpResponse:
    """List the keys. The answer to the form shows the new key, which is in no address and in no session."""
    form = ApiKeyForm(request.POST) if request.method == "POST" else ApiKeyForm()
    made, key = None, ""
    if form.is_bound and form.is_valid():
        try:
            made, key = make_api_key(request.user, request.user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, " ".join(error.messages))
        else:
            form = ApiKeyForm()
    context = {
        "keys": ApiKey.objects.filter(user=request.user),
        "form": form,
        "made": made,
        "new_key": key,
    }
    status = INVALID_FORM if form.errors else HTTPStatus.OK
    return page(request, "dashboard/keys/list_page.html", context, title="API keys", status=status)


@require_http_methods(["GET", "POST"])
@staff_page()
def revoke(request: StaffRequest, key_id: UUID) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.filter(user=request.user), pk=key_id)
    if request.method == "POST":
        revoke_api_key(request.user, key)
        messages.success(request, f"The key “{key.name}” is revoked.")
        return redirect_htmx(request, reverse("api-keys"))
    context = {"key": key, "confirm_body": "dashboard/keys/revoke.html"}
    if is_partial(request):
        return render(request, "dashboard/keys/revoke.html", context)
    return page(request, "dashboard/frame/confirm_page.html", context, title="Revoke an API key")
