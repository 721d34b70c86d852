"""Confirming an operation on selected accounts or connections, and starting it."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse

from accounts.batch import start_batch_of
from accounts.batch.operations import OFFERED, Operation, Subject
from accounts.batch.rows import ACCOUNTS, ROWS, Rows
from accounts.batch.start import MAX_ITEMS
from accounts.errors import UnknownObjectError
from accounts.lists.parameters import ListQuery
from dashboard.forms import make_form
from dashboard.frame.page import INVALID_FORM, StaffRequest, is_partial, page, redirect_htmx
from dashboard.views.operations.disconnecting import count_loss, name_first
from dashboard.views.operations.toast import follow_in_toast
from tokens.permissions import require


@dataclass(frozen=True)
class Selection:
    """What somebody selected in a list: some rows by id, or all that match the list's filters."""

    rows: Rows
    ids: tuple[str, ...] = ()
    query: str | None = None
    filters: ListQuery | None = None

    @classmethod
    def read(cls, rows: Rows, form: QueryDict) -> "Selection":
        """Raise a ValidationError if nothing is selected, or if a filter cannot be used."""
        if form.get("all"):
            query = form.get("query", "")
            return cls(rows, query=query, filters=rows.read_query(QueryDict(query)).check())
        ids = (part.strip() for value in form.getlist(rows.ids) for part in value.split(","))
        if given := tuple(dict.fromkeys(filter(None, ids))):
            return cls(rows, ids=given)
        raise ValidationError(f"Select {rows.subject} first.")

    def find(self, user: User) -> QuerySet[Any]:
        if self.filters is not None:
            try:
                return self.rows.filter(user, self.filters)
            except UnknownObjectError as error:
                # As in the list itself.
                raise Http404 from error
        # One id more than allowed is enough to say that there are too many.
        ids = [row_id for text in self.ids[: MAX_ITEMS + 1] if (row_id := _parse_id(text))]
        return self.rows.find(user, ids)


def _parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def start_operation(request: StaffRequest) -> HttpResponse:
    # The first request shows how much is selected. Only a request with `confirm` starts the operation.
    rows = ROWS.get(request.POST.get("on", ""), ACCOUNTS)
    offered = OFFERED[rows.subject]
    try:
        operation = Operation(request.POST.get("operation", ""))
        permission = offered[operation]
    except (ValueError, KeyError):
        return _refuse(request, rows, [f"Choose what to do with the {rows.subject}."])
    require(request.user, permission)
    try:
        selection = Selection.read(rows, request.POST)
    except ValidationError as error:
        return _refuse(request, rows, _list_errors(error))
    if operation == Operation.SEND_RENEWAL_LINKS and not settings.EMAIL_IS_SET_UP:
        return _offer_download(request, rows, operation, selection)
    is_confirmed = "confirm" in request.POST
    form = make_form(rows, operation, request.user, request.POST if is_confirmed else None)
    errors: list[str] = []
    if is_confirmed and (form is None or form.is_valid()):
        try:
            batch = start_batch_of(
                rows,
                request.user,
                operation,
                ids=None if selection.filters else selection.ids,
                filters=selection.filters,
                options=form.options if form else None,
                idempotency_key=request.POST.get("key") or None,
            )
        except ValidationError as error:
            errors = error.messages
        else:
            if is_partial(request) and rows is ACCOUNTS and operation == Operation.UPDATE:
                return follow_in_toast(request, batch)
            return redirect_htmx(request, reverse("operation", args=[batch.pk]))
    context = describe_request(rows, operation, selection.find(request.user), errors=errors)
    if not context["number"]:
        return _refuse(request, rows, [f"None of these {rows.subject} is there any more."])
    context |= {"form": form, "selection": selection, "key": request.POST.get("key") or uuid4().hex}
    is_valid = not context["errors"] and not (form and form.errors)
    return _dialog(
        request,
        "dashboard/operations/confirm.html",
        context,
        title=f"{operation.verb.capitalize()} {rows.subject}",
        status=HTTPStatus.OK if is_valid else INVALID_FORM,
    )


def _offer_download(
    request: StaffRequest, rows: Rows, operation: Operation, selection: Selection
) -> HttpResponse:
    context = describe_request(rows, operation, selection.find(request.user), errors=[])
    return _dialog(
        request,
        "dashboard/renewals/download.html",
        {**context, "selection": selection},
        title="Download renewal links",
        status=HTTPStatus.OK,
    )


def describe_request(
    rows: Rows,
    operation: Operation,
    found: QuerySet[Any],
    *,
    errors: list[str],
    max_items: int = MAX_ITEMS,
) -> dict[str, Any]:
    found = found.order_by()
    number = found.values("pk")[: max_items + 1].count()
    counts_logins = operation == Operation.SYNC and rows.subject == Subject.ACCOUNTS
    if number > max_items:
        errors = [f"These are more than {max_items:,} {rows.subject}. Narrow the list down first."]
    disconnects = operation == Operation.DISCONNECT
    of_connections = rows.subject == Subject.CONNECTIONS
    return {
        "on": rows.subject,
        "names": name_first(found, number) if disconnects else "",
        "loss": count_loss(found.values("pk")) if disconnects and of_connections else None,
        "ids_field": rows.ids,
        "list_address": reverse(rows.subject),
        "operation": operation,
        "number": number,
        "things": f"{number:,} {rows.subject if number != 1 else rows.subject.removesuffix('s')}",
        "logins": found.values("connection").distinct().count() if counts_logins else 0,
        "too_many": number > max_items,
        "errors": errors,
    }


def _list_errors(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return error.messages
    return [f"{name}: {text}" for name, texts in error.message_dict.items() for text in texts]


def _refuse(request: StaffRequest, rows: Rows, reasons: list[str]) -> HttpResponse:
    context = {"reasons": reasons, "on": rows.subject, "list_address": reverse(rows.subject)}
    return _dialog(
        request,
        "dashboard/operations/refused.html",
        context,
        title="Nothing was started",
        status=INVALID_FORM,
    )


def _dialog(
    request: StaffRequest, body: str, context: dict[str, Any], *, title: str, status: HTTPStatus
) -> HttpResponse:
    # A browser without scripts gets a page with the content of the dialog.
    if is_partial(request):
        return render(request, body, context, status=status)
    context = {**context, "confirm_body": body}
    return page(request, "dashboard/frame/confirm_page.html", context, title=title, status=status)
