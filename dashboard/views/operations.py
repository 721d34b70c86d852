"""Batch operations: asked for, watched, cancelled, tried again."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.batch import cancel_batch, retry_batch, start_batch
from accounts.batch.ending import BatchStateError
from accounts.batch.permissions import PERMISSIONS
from accounts.batch.start import MAX_ITEMS
from accounts.lists.csv_text import escape_formula
from accounts.lists.pages import KeysetPaginator
from accounts.models import Account, BatchItem, BatchOperation, SyncRun
from accounts.models.batch import count_items
from accounts.models.sync import UNFINISHED
from accounts.sync.requests import Wait, find_waits
from dashboard.account_list import AccountList
from dashboard.forms import UpdateForm
from dashboard.frame.page import StaffRequest, button_on, is_partial, page, redirect_htmx, staff_page
from dashboard.status import BATCH, BATCH_ITEM, status_of_batch, status_of_batch_item
from tokens.permissions import require

PAGE_SIZE = 25
RESULTS_PAGE_SIZE = 50
Operation = BatchOperation.Operation


# --- Asking


@dataclass(frozen=True)
class Selection:
    """The accounts that somebody marked on the list: some, or all that match."""

    ids: tuple[str, ...]
    query: str | None  # of the list, when all that match are meant

    @classmethod
    def of(cls, form: QueryDict) -> "Selection":
        ids = (part.strip() for value in form.getlist("account_ids") for part in value.split(","))
        return cls(
            tuple(dict.fromkeys(filter(None, ids))), form.get("query", "") if form.get("all") else None
        )

    def check(self) -> None:
        """Raise a ValidationError if it names no account, or anything else than was asked for."""
        if self.query is not None:
            AccountList.exactly(self.query)
        elif not self.ids:
            raise ValidationError("Select accounts first.")

    @property
    def filter(self) -> dict[str, Any] | None:
        return None if self.query is None else AccountList.exactly(self.query).parameters()

    def accounts(self, request: StaffRequest) -> QuerySet[Account]:
        if self.query is not None:
            return AccountList.exactly(self.query).accounts(request.user)
        known = [key for key in (_uuid(text) for text in self.ids[: MAX_ITEMS + 1]) if key]
        return Account.objects.visible_to(request.user).filter(pk__in=known)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page("accounts.view_account")
def operations(request: StaffRequest) -> HttpResponse:
    return _ask(request) if request.method == "POST" else _list(request)


def _ask(request: StaffRequest) -> HttpResponse:
    """Ask back with the number of accounts, counted here; started is only what is confirmed."""
    try:
        operation = Operation(request.POST.get("operation", ""))
    except ValueError:
        messages.error(request, "Choose what to do with the accounts.")
        return redirect_htmx(request, reverse("accounts"))
    require(request.user, PERMISSIONS[operation])
    selection = Selection.of(request.POST)
    try:
        selection.check()
    except ValidationError as error:
        return _refusal(request, error.messages)
    confirmed = "confirm" in request.POST
    form = None
    if operation == Operation.UPDATE:
        form = UpdateForm(request.POST if confirmed else None)
    errors: list[str] = []
    if confirmed and (form is None or form.is_valid()):
        try:
            batch = _start(request, operation, selection, form.options if form else None)
        except ValidationError as error:
            errors = error.messages
        else:
            return redirect_htmx(request, reverse("operation", args=[batch.pk]))
    return _confirmation(request, operation, selection, form, errors)


def _start(
    request: StaffRequest, operation: Operation, selection: Selection, options: dict[str, Any] | None
) -> BatchOperation:
    return start_batch(
        request.user,
        operation,
        account_ids=None if selection.filter is not None else selection.ids,
        filters=selection.filter,
        options=options,
        idempotency_key=request.POST.get("key") or None,
    )


def _confirmation(
    request: StaffRequest,
    operation: Operation,
    selection: Selection,
    form: UpdateForm | None,
    errors: list[str],
) -> HttpResponse:
    accounts = selection.accounts(request)
    number = accounts.order_by().values("pk")[: MAX_ITEMS + 1].count()
    if not number:
        return _refusal(request, ["None of these accounts is there any more."])
    if number > MAX_ITEMS:
        errors = [f"These are more than {MAX_ITEMS:,} accounts. Narrow the list down first."]
    logins = accounts.order_by().values("connection").distinct().count() if operation == Operation.SYNC else 0
    context = {
        "operation": operation,
        "number": number,
        "logins": logins,
        "too_many": number > MAX_ITEMS,
        "form": form,
        "errors": errors,
        "selection": selection,
        "key": request.POST.get("key") or uuid4().hex,
    }
    return _dialog(
        request,
        "dashboard/operations/confirm.html",
        context,
        title=f"{operation.label.capitalize()} accounts",
    )


def _refusal(request: StaffRequest, reasons: list[str]) -> HttpResponse:
    context = {"reasons": reasons}
    return _dialog(request, "dashboard/operations/refused.html", context, title="Nothing was started")


def _dialog(request: StaffRequest, body: str, context: dict[str, Any], *, title: str) -> HttpResponse:
    """Answer with a dialog, or with a page of the same content to browsers without script."""
    if is_partial(request):
        return render(request, body, context)
    return page(request, "dashboard/frame/confirm_page.html", {**context, "confirm_body": body}, title=title)


# --- The list


def _list(request: StaffRequest) -> HttpResponse:
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    rows = BatchOperation.objects.visible_to(request.user).select_related("user")
    if state in BatchOperation.State.values:
        rows = rows.filter(state=state)
    if kind in Operation.values:
        rows = rows.filter(operation=kind)
    known = {"state": state if state in BATCH else "", "kind": kind if kind in Operation.values else ""}
    paginator = KeysetPaginator(rows, "-created_at", PAGE_SIZE)
    after = request.GET.get("after", "")
    try:
        found = paginator.page(after)
    except ValidationError:
        after, found = "", paginator.page()
    counts = count_items(found.items)
    context = {
        "batches": [
            (batch, status_of_batch(batch), Progress.of(batch, counts[batch.pk]).sentence)
            for batch in found.items
        ],
        "states": [
            (
                status.word,
                _address(known, state="" if known["state"] == key else key),
                known["state"] == key,
                status,
            )
            for key, status in BATCH.items()
        ],
        "kinds": [
            (
                word.label.capitalize(),
                _address(known, kind="" if known["kind"] == word else word),
                known["kind"] == word,
            )
            for word in Operation
        ],
        "is_filtered": any(known.values()),
        "under_way": any(not batch.is_finished for batch in found.items),
        "here": f"{reverse('operations')}{_address(known, after=after)}",
        "after": after,
        "first": _address(known),
        "next": found.next_cursor and _address(known, after=found.next_cursor),
        "previous": found.previous_cursor and _address(known, after=found.previous_cursor),
    }
    return page(
        request,
        "dashboard/operations/list_page.html",
        context,
        title="Operations",
        partial="dashboard/operations/list.html",
    )


def _address(known: dict[str, str], **changes: str) -> str:
    return f"?{urlencode({key: value for key, value in {**known, **changes}.items() if value})}"


# --- One


@dataclass(frozen=True)
class Progress:
    total: int
    succeeded: int
    failed: int
    skipped: int
    seconds_left: int | None

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.skipped

    @property
    def sentence(self) -> str:
        parts = [f"{self.succeeded:,} of {self.total:,} done"]
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"{self.skipped:,} skipped"] if self.skipped else []
        return " · ".join(parts)

    @classmethod
    def of(cls, batch: BatchOperation, counts: dict[str, int]) -> "Progress":
        succeeded, failed, skipped = (counts[word] for word in ("succeeded", "failed", "skipped"))
        ended, left = succeeded + failed + skipped, None
        # How long a sync takes says nothing about the next login's, and all accounts of a login end at once.
        if ended and batch.started_at and not batch.is_finished and batch.operation != Operation.SYNC:
            spent = (timezone.now() - batch.started_at) / timedelta(seconds=1)
            left = round(spent / ended * (batch.total - ended))
        return cls(batch.total, succeeded, failed, skipped, left)


@require_safe
@staff_page("accounts.view_account")
def operation(request: StaffRequest, batch_id: UUID) -> HttpResponse:
    batch = _visible(request, batch_id)
    progress = Progress.of(batch, batch.count_items())
    waits = _waits(batch)
    context = {
        "batch": batch,
        "state": status_of_batch(batch),
        "wait": _longest(waits),
        "waiting_runs": len(waits),
        "progress": progress,
        "may_change": request.user.has_perm(PERMISSIONS[Operation(batch.operation)]),
    }
    partial = "dashboard/operations/progress.html"
    if request.htmx.target != "head":
        partial = "dashboard/operations/results.html"
        context |= _results(request, batch, waits)
    return page(
        request, "dashboard/operations/detail_page.html", context, title=_title(batch), partial=partial
    )


def _title(batch: BatchOperation) -> str:
    number = f"{batch.total:,} account{'' if batch.total == 1 else 's'}"
    return f"{batch.get_operation_display().capitalize()} of {number}"


def _visible(request: StaffRequest, batch_id: UUID) -> BatchOperation:
    rows = BatchOperation.objects.visible_to(request.user).select_related("user")
    return get_object_or_404(rows, pk=batch_id)


def _waits(batch: BatchOperation) -> dict[UUID, Wait]:
    """Return what the operation's syncs wait for that Amazon asked to come later."""
    if batch.is_finished or batch.operation != Operation.SYNC:
        return {}
    put_back = SyncRun.objects.filter(state=SyncRun.State.WAITING, postponed__gt=0)
    theirs = Exists(BatchItem.objects.filter(run=OuterRef("pk"), batch=batch, state__in=UNFINISHED))
    return find_waits(put_back.filter(theirs).values_list("pk", flat=True))


def _longest(waits: dict[UUID, Wait]) -> Wait | None:
    if not waits:
        return None
    regions = {region for wait in waits.values() for region in wait.regions}
    return Wait(max(wait.until for wait in waits.values()), tuple(sorted(regions)))


def _results(request: StaffRequest, batch: BatchOperation, waits: dict[UUID, Wait]) -> dict[str, Any]:
    """A page of the results, in the order of the accounts' ids."""
    result = request.GET.get("result", "")
    result = result if result in BATCH_ITEM else ""
    after = _uuid(request.GET.get("after", ""))
    items = _items(batch, result)
    if after:
        items = items.filter(account_id__gt=after)
    rows = list(items.order_by("account_id")[: RESULTS_PAGE_SIZE + 1])
    more = len(rows) > RESULTS_PAGE_SIZE
    rows = rows[:RESULTS_PAGE_SIZE]
    known = {"result": result}
    return {
        "items": [
            (item, status_of_batch_item(item), item.run_id and waits.get(item.run_id)) for item in rows
        ],
        "result": result,
        "after": after,
        "choices": [("All", "?", not result, None)]
        + [(status.word, f"?result={key}", key == result, status) for key, status in BATCH_ITEM.items()],
        "next": _address(known, after=str(rows[-1].account_id)) if more else "",
        "first": _address(known) if after else "",
        "here": f"{reverse('operation', args=[batch.pk])}{_address(known, after=str(after or ''))}",
        "csv": f"{reverse('operation-csv', args=[batch.pk])}{_address(known)}",
    }


def _items(batch: BatchOperation, result: str) -> QuerySet[BatchItem]:
    items = BatchItem.objects.filter(batch=batch).select_related("account")
    items = items.only("state", "message", "run", "account__name", "account__amazon_account_id")
    return items.filter(state=result) if result else items


@button_on("operation")
@staff_page("accounts.view_account")
def cancel_operation(request: StaffRequest, batch_id: UUID) -> HttpResponse:
    batch = _visible(request, batch_id)
    try:
        cancel_batch(request.user, batch)
    except BatchStateError as error:
        messages.info(request, str(error))
    return redirect_htmx(request, reverse("operation", args=[batch_id]))


@button_on("operation")
@staff_page("accounts.view_account")
def retry_operation(request: StaffRequest, batch_id: UUID) -> HttpResponse:
    batch = _visible(request, batch_id)
    try:
        retry_batch(request.user, batch)
    except BatchStateError as error:
        messages.info(request, str(error))
    return redirect_htmx(request, reverse("operation", args=[batch_id]))


class _Echo:
    """What `csv` writes to: it hands each line on at once."""

    def write(self, line: str) -> str:
        return line


@require_safe
@staff_page("accounts.view_account")
def results_csv(request: StaffRequest, batch_id: UUID) -> StreamingHttpResponse:
    batch = _visible(request, batch_id)
    result = request.GET.get("result", "")
    rows = _items(batch, result if result in BATCH_ITEM else "").order_by("account_id")
    return StreamingHttpResponse(
        _csv(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="operation-{batch.pk}.csv"'},
    )


def _csv(items: QuerySet[BatchItem]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(["account_id", "amazon_account_id", "name", "result", "message"])
    for item in items.iterator(chunk_size=1_000):
        account = item.account
        cells = [str(account.pk), account.amazon_account_id, account.name, item.state, item.message]
        yield writer.writerow([escape_formula(cell) for cell in cells])
