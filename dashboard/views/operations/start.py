"""Confirming an operation on selected accounts, and starting it."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse

from accounts.batch import start_batch
from accounts.batch.operations import PERMISSIONS, Operation
from accounts.batch.start import MAX_ITEMS
from accounts.errors import UnknownObjectError
from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import ListQuery, read_account_query
from accounts.models import Account
from dashboard.forms import UpdateForm
from dashboard.frame.page import INVALID_FORM, StaffRequest, is_partial, page, redirect_htmx
from tokens.permissions import require


@dataclass(frozen=True)
class Selection:
    """The accounts that somebody selected in the list: some by id, or all that match the list's filters."""

    ids: tuple[str, ...] = ()
    query: str | None = None
    filters: ListQuery | None = None

    @classmethod
    def read(cls, form: QueryDict) -> "Selection":
        """Raise a ValidationError if nothing is selected, or if a filter cannot be used."""
        if form.get("all"):
            query = form.get("query", "")
            return cls(query=query, filters=read_account_query(QueryDict(query)).check())
        ids = (part.strip() for value in form.getlist("account_ids") for part in value.split(","))
        if given := tuple(dict.fromkeys(filter(None, ids))):
            return cls(ids=given)
        raise ValidationError("Select accounts first.")

    def accounts(self, request: StaffRequest) -> QuerySet[Account]:
        if self.filters is not None:
            try:
                return filter_accounts(request.user, self.filters)
            except UnknownObjectError as error:
                raise Http404 from error
        # One id more than allowed is enough to say that there are too many.
        ids = [account_id for text in self.ids[: MAX_ITEMS + 1] if (account_id := _parse_id(text))]
        return Account.objects.visible_to(request.user).filter(pk__in=ids)


def _parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def start_operation(request: StaffRequest) -> HttpResponse:
    # The first request shows how many accounts are selected. Only a request with `confirm` starts the operation.
    try:
        operation = Operation(request.POST.get("operation", ""))
    except ValueError:
        return _refuse(request, ["Choose what to do with the accounts."])
    require(request.user, PERMISSIONS[operation])
    try:
        selection = Selection.read(request.POST)
    except ValidationError as error:
        return _refuse(request, _list_errors(error))
    is_confirmed = "confirm" in request.POST
    form = None
    if operation == Operation.UPDATE:
        form = UpdateForm(request.POST if is_confirmed else None)
    errors: list[str] = []
    if is_confirmed and (form is None or form.is_valid()):
        try:
            batch = start_batch(
                request.user,
                operation,
                account_ids=None if selection.filters else selection.ids,
                filters=selection.filters,
                options=form.options if form else None,
                idempotency_key=request.POST.get("key") or None,
            )
        except ValidationError as error:
            errors = error.messages
        else:
            return redirect_htmx(request, reverse("operation", args=[batch.pk]))
    context = describe_request(operation, selection.accounts(request), errors=errors)
    if not context["number"]:
        return _refuse(request, ["None of these accounts is there any more."])
    context |= {"form": form, "selection": selection, "key": request.POST.get("key") or uuid4().hex}
    title = f"{operation.label.capitalize()} accounts"
    is_valid = not context["errors"] and not (form and form.errors)
    return _dialog(
        request,
        "dashboard/operations/confirm.html",
        context,
        title=title,
        status=HTTPStatus.OK if is_valid else INVALID_FORM,
    )


def describe_request(
    operation: Operation, accounts: QuerySet[Account], *, errors: list[str], max_items: int = MAX_ITEMS
) -> dict[str, Any]:
    accounts = accounts.order_by()
    number = accounts.values("pk")[: max_items + 1].count()
    is_sync = operation == Operation.SYNC
    if number > max_items:
        errors = [f"These are more than {max_items:,} accounts. Narrow the list down first."]
    return {
        "operation": operation,
        "number": number,
        "logins": accounts.values("connection").distinct().count() if is_sync else 0,
        "too_many": number > max_items,
        "errors": errors,
    }


def _list_errors(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return error.messages
    return [f"{name}: {text}" for name, texts in error.message_dict.items() for text in texts]


def _refuse(request: StaffRequest, reasons: list[str]) -> HttpResponse:
    context = {"reasons": reasons}
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
