"""Notes on the pages of accounts and connections."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.models import Account, Note
from accounts.notes import WRITE, add_note, delete_note, may_delete
from dashboard.frame.page import StaffRequest, button_on, redirect_htmx, staff_page
from tokens.models import Connection
from tokens.permissions import require

MAX_SHOWN = 100


def list_notes(user: User, subject: Account | Connection) -> list[tuple[Note, bool]]:
    """Return the newest notes on an account or connection, each with whether the person may delete it."""
    on = {"account": subject} if isinstance(subject, Account) else {"connection": subject}
    notes = list(Note.objects.filter(**on).select_related("author")[:MAX_SHOWN])
    for note in notes:
        # They are all about the one that the page shows.
        for name, value in on.items():
            setattr(note, name, value)
    return [(note, may_delete(user, note)) for note in notes]


@button_on("account")
@staff_page(WRITE)
def add_to_account(request: StaffRequest, account_id: UUID) -> HttpResponse:
    return _add(request, get_object_or_404(Account.objects.visible_to(request.user), pk=account_id))


@button_on("connection")
@staff_page(WRITE)
def add_to_connection(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    return _add(request, get_object_or_404(Connection.objects.visible_to(request.user), pk=connection_id))


@require_http_methods(["GET", "POST"])
@staff_page(WRITE)
def delete(request: StaffRequest, note_id: UUID) -> HttpResponse:
    notes = Note.objects.visible_to(request.user).select_related("account", "connection")
    note = get_object_or_404(notes, pk=note_id)
    require(request.user, WRITE, note)
    back = _find_page(note.subject)
    if request.method == "GET":
        return redirect(back)
    try:
        delete_note(request.user, note)
    except PermissionDenied as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The note is deleted.")
    return redirect_htmx(request, back)


def _add(request: StaffRequest, subject: Any) -> HttpResponse:
    try:
        add_note(request.user, subject, request.POST.get("text", ""))
    except ValidationError as error:
        messages.error(request, f"The note was not saved. {' '.join(error.messages)}")
    return redirect_htmx(request, _find_page(subject))


def _find_page(subject: Account | Connection) -> str:
    name = "account" if isinstance(subject, Account) else "connection"
    return f"{reverse(name, args=[subject.pk])}#notes"
