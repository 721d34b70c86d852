"""What people do with one connection. Each is one call of the operation; it answers with where to look next."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.models import SyncRun
from accounts.sync.tasks import request_sync
from dashboard.frame.page import StaffRequest, button_on, is_partial, page, redirect_htmx, staff_page
from dashboard.reports.account_counts import count_accounts
from dashboard.views.connections import visible
from tokens.connect.disconnect import disconnect
from tokens.models import Connection
from tokens.refresh.tasks import request_refresh


@button_on("connection")
@staff_page("accounts.sync_account")
def sync(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    connection = _live(request, connection_id)
    if connection is None:
        return _back(request)
    request_sync(connection, trigger=SyncRun.Trigger.MANUAL, requested_by=request.user)
    messages.success(
        request, f"Sync of {connection.label} is on its way. New accounts appear as they are found."
    )
    return _back(request)


@button_on("connection")
@staff_page("tokens.refresh_connection")
def refresh(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    connection = _live(request, connection_id)
    if connection is None:
        return _back(request)
    if request_refresh(connection):
        messages.success(request, f"A new token for {connection.label} is on its way.")
    else:
        messages.info(request, f"A new token for {connection.label} was on its way already.")
    return _back(request)


@require_http_methods(["GET", "POST"])
@staff_page("tokens.disconnect_connection")
def disconnect_connection(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    """Ask first, with the number of accounts; then disconnect."""
    connection = get_object_or_404(visible(request), pk=connection_id)
    if request.method == "POST":
        disconnect(connection, request.user)
        messages.success(request, f"{connection.label} is disconnected and its tokens are erased.")
        return redirect_htmx(request, reverse("connections"))
    context = {
        "connection": connection,
        "account_count": count_accounts([connection.pk], only_live=True).of(connection.pk),
        "confirm_body": "dashboard/connections/disconnect.html",
    }
    if is_partial(request):
        return render(request, "dashboard/connections/disconnect.html", context)
    return page(request, "dashboard/frame/confirm_page.html", context, title="Disconnect")


def _live(request: StaffRequest, connection_id: UUID) -> Connection | None:
    """Return the connection if Amazon may be asked with it, else tell why not."""
    connection = get_object_or_404(Connection.objects.visible_to(request.user), pk=connection_id)
    if not connection.reason_unusable:
        return connection
    messages.error(request, f"Nothing was done for {connection.label}. {connection.reason_unusable}")
    return None


def _back(request: StaffRequest) -> HttpResponse:
    return redirect_htmx(request, reverse("connections"))
