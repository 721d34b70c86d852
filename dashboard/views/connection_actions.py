"""What people do with one connection."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.models import SyncRun
from accounts.sync.requests import request_sync
from dashboard.frame.page import (
    INVALID_FORM,
    StaffRequest,
    button_on,
    came_from,
    is_partial,
    page,
    redirect_htmx,
    staff_page,
)
from dashboard.lists.account_counts import count_accounts
from dashboard.views.connections import visible
from dashboard.views.operations.disconnecting import count_loss
from tokens.connect.consent import CONSENT_PAGES
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import StillConnectedError, forget_login
from tokens.connect.forms import ConnectionForm, MoveForm
from tokens.connect.move import MoveRefusedError, move_connection
from tokens.connect.update import update_connection
from tokens.errors import ConnectionUnusableError
from tokens.models import Connection, Team
from tokens.permissions import require
from tokens.refresh.tasks import request_refresh


def _find(request: StaffRequest, connection_id: UUID, permission: str) -> Connection:
    """Return a connection with which the person may do this. Another team's is 404."""
    connection = get_object_or_404(visible(request), pk=connection_id)
    require(request.user, permission, connection)
    return connection


@button_on("connection")
@staff_page("accounts.sync_account")
def sync(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    connection = _find(request, connection_id, "accounts.sync_account")
    try:
        request_sync(request.user, connection, trigger=SyncRun.Trigger.MANUAL)
    except ConnectionUnusableError as error:
        return _refused(request, connection, error)
    messages.success(
        request, f"Sync of {connection.label} is on its way. New accounts appear as they are found."
    )
    return _back(request)


@button_on("connection")
@staff_page("tokens.refresh_connection")
def refresh(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    connection = _find(request, connection_id, "tokens.refresh_connection")
    try:
        is_new = request_refresh(request.user, connection)
    except ConnectionUnusableError as error:
        return _refused(request, connection, error)
    if is_new:
        messages.success(request, f"A new token for {connection.label} is on its way.")
    else:
        messages.info(request, f"A new token for {connection.label} was on its way already.")
    return _back(request)


@require_http_methods(["GET", "POST"])
@staff_page("tokens.disconnect_connection")
def disconnect(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    connection = _find(request, connection_id, "tokens.disconnect_connection")
    if request.method == "POST":
        disconnect_connection(request.user, connection)
        messages.success(request, f"{connection.label} is disconnected and its tokens are erased.")
        return redirect_htmx(request, reverse("connections"))
    context = {
        "connection": connection,
        "loss": count_loss([connection.pk]),
        "consent_pages": [CONSENT_PAGES[region] for region in connection.regions if region in CONSENT_PAGES],
        "confirm_body": "dashboard/connections/disconnect.html",
    }
    if is_partial(request):
        return render(request, "dashboard/connections/disconnect.html", context)
    return page(request, "dashboard/frame/confirm_page.html", context, title="Disconnect")


@button_on("connection")
@staff_page("tokens.connect_amazon")
def pause(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    return _set_paused(request, connection_id, paused=True)


@button_on("connection")
@staff_page("tokens.connect_amazon")
def resume(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    return _set_paused(request, connection_id, paused=False)


def _set_paused(request: StaffRequest, connection_id: UUID, *, paused: bool) -> HttpResponse:
    connection = _find(request, connection_id, "tokens.connect_amazon")
    try:
        update_connection(request.user, connection, {"paused": paused})
    except ValidationError as error:
        messages.error(request, f"Nothing was done for {connection.label}. {' '.join(error.messages)}")
    else:
        now = "is paused: its accounts are not updated" if paused else "is synced again"
        messages.success(request, f"{connection.label} {now}.")
    return redirect_htmx(request, reverse("connection", args=[connection.pk]))


@require_http_methods(["GET", "POST"])
@staff_page("tokens.connect_amazon")
def update(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    connection = _find(request, connection_id, "tokens.connect_amazon")
    if "rename" in request.POST:
        return _rename(request, connection)
    form = ConnectionForm(request.POST if request.method == "POST" else None, connection=connection)
    if form.is_valid():
        try:
            changed = update_connection(request.user, connection, form.cleaned_data).changed
        except ValidationError as error:
            form.add_error(None, error)
        else:
            done = "is changed" if changed else "was like this already; nothing was changed"
            messages.success(request, f"{connection.label} {done}.")
            return redirect_htmx(request, reverse("connection", args=[connection.pk]))
    context = {
        "connection": connection,
        "form": form,
        "confirm_body": "dashboard/connections/update.html",
    }
    status = INVALID_FORM if form.errors else HTTPStatus.OK
    if is_partial(request):
        return render(request, "dashboard/connections/update.html", context, status=status)
    title = "Change a connection"
    return page(request, "dashboard/frame/confirm_page.html", context, title=title, status=status)


def _rename(request: StaffRequest, connection: Connection) -> HttpResponse:
    try:
        update_connection(request.user, connection, {"label": request.POST["rename"]})
    except ValidationError as error:
        messages.error(request, f"The label was not changed. {' '.join(error.messages)}")
    return redirect_htmx(request, reverse("connection", args=[connection.pk]))


@require_http_methods(["GET", "POST"])
@staff_page("tokens.move_connection")
def move(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    connection = _find(request, connection_id, "tokens.move_connection")
    teams = Team.objects.allowing(request.user, "tokens.connect_amazon").exclude(pk=connection.team_id)
    form = MoveForm(request.POST if request.method == "POST" else None, teams=teams)
    if form.is_valid():
        team = form.cleaned_data["team"]
        try:
            move_connection(request.user, connection, team)
        except MoveRefusedError as error:
            form.add_error("team", str(error))
        else:
            messages.success(request, f"{connection.label} is in the team “{team}” now, with its accounts.")
            return redirect_htmx(request, reverse("connection", args=[connection.pk]))
    context = {
        "connection": connection,
        "form": form,
        "has_teams": teams.exists(),
        "account_count": count_accounts([connection.pk]).of(connection.pk),
        "confirm_body": "dashboard/connections/move.html",
    }
    status = INVALID_FORM if form.errors else HTTPStatus.OK
    if is_partial(request):
        return render(request, "dashboard/connections/move.html", context, status=status)
    return page(
        request, "dashboard/frame/confirm_page.html", context, title="Move to another team", status=status
    )


@require_http_methods(["GET", "POST"])
@staff_page("tokens.disconnect_connection")
def forget(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    connection = _find(request, connection_id, "tokens.disconnect_connection")
    if request.method == "POST":
        try:
            forget_login(request.user, connection)
        except StillConnectedError as error:
            messages.error(request, f"Nothing was done for {connection.label}. {error}")
        else:
            messages.success(request, "The login is forgotten: its names are erased.")
        return redirect_htmx(request, reverse("connection", args=[connection_id]))
    context = {
        "connection": connection,
        "account_count": count_accounts([connection.pk]).of(connection.pk),
        "confirm_body": "dashboard/connections/forget.html",
    }
    if is_partial(request):
        return render(request, "dashboard/connections/forget.html", context)
    return page(request, "dashboard/frame/confirm_page.html", context, title="Forget the login")


def _refused(request: StaffRequest, connection: Connection, error: ConnectionUnusableError) -> HttpResponse:
    messages.error(request, f"Nothing was done for {connection.label}. {error}")
    return _back(request)


def _back(request: StaffRequest) -> HttpResponse:
    return redirect_htmx(request, came_from(request, "connections"))
