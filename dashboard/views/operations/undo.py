"""Undoing an operation, from its page or from its toast."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_htmx.http import trigger_client_event

from accounts.batch import undo_batch
from accounts.batch.ending import BatchStateError
from dashboard.frame.page import StaffRequest, button_on, is_partial, redirect_htmx, staff_page
from dashboard.views.operations.detail import get_visible_batch
from dashboard.views.operations.toast import describe


@button_on("operation")
@staff_page("accounts.view_account")
def undo_operation(request: StaffRequest, batch_id: UUID) -> HttpResponse:
    batch = get_visible_batch(request, batch_id)
    try:
        undo = undo_batch(request.user, batch)
    except BatchStateError as error:
        if is_partial(request):
            context = {"batch": batch, "sentence": str(error)}
            return render(request, "dashboard/operations/toast.html", context)
        messages.info(request, str(error))
        return redirect_htmx(request, reverse("operation", args=[batch_id]))
    if is_partial(request):
        return render(request, "dashboard/operations/toast.html", describe(request.user, undo))
    return redirect_htmx(request, reverse("operation", args=[undo.pk]))


@require_safe
@staff_page("accounts.view_account")
def operation_toast(request: StaffRequest, batch_id: UUID) -> HttpResponse:
    batch = get_visible_batch(request, batch_id)
    if not is_partial(request):
        return redirect("operation", batch_id)
    if not batch.is_finished:
        # Nothing is swapped, so a screen reader does not say the same again.
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    response = render(request, "dashboard/operations/toast.html", describe(request.user, batch))
    return trigger_client_event(response, "list:changed")
