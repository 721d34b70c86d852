"""The results of an operation, as a table in its page and as CSV."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.batch.audited import name_batch
from accounts.batch.operations import Subject
from accounts.lists.csv_text import format_csv, format_header
from accounts.models import BatchItem, BatchOperation, ConnectionBatchItem
from accounts.sync.requests import Wait
from amazon_accounts.amazon_ads.causes import Explanation, explain
from dashboard.frame.page import StaffRequest, staff_page
from dashboard.status import BATCH_ITEM, Status, status_of_batch_item
from dashboard.views.operations.addresses import Choice, make_address
from dashboard.views.operations.mailing import find_links
from tokens.models import ConnectLink
from tokens.models.team import find_teams
from tokens.people.audit import Action, record_many

PAGE_SIZE = 50
CSV_CHUNK_SIZE = 1_000  # rows
CSV_COLUMNS = {
    Subject.ACCOUNTS: ("account_id", "amazon_account_id", "name", "result", "message"),
    Subject.CONNECTIONS: ("connection_id", "label", "result", "message"),
}


@dataclass(frozen=True)
class ItemRow:
    item: BatchItem | ConnectionBatchItem
    state: Status
    wait: Wait | None
    link: ConnectLink | None = None

    @property
    def cause(self) -> Explanation | None:
        return explain(self.item.cause) if self.item.cause else None


def list_results(
    user: User,
    parameters: QueryDict,
    batch: BatchOperation,
    waits: Mapping[UUID, Wait],
    *,
    page_size: int = PAGE_SIZE,
) -> dict[str, Any]:
    result, after = _read_result(parameters), _parse_id(parameters.get("after", ""))
    items = _select_items(user, batch, result)
    if after:
        items = items.filter(**{f"{batch.noun}_id__gt": after})
    # One item more than a page tells whether another page follows.
    found = list(items[: page_size + 1])
    shown = found[:page_size]
    links = find_links(user, batch, [getattr(item, f"{batch.noun}_id") for item in shown])
    chosen = {"result": result}
    choices = [Choice(word="All", address="?", current=not result)]
    choices += [
        Choice(word=status.word, address=f"?result={key}", current=key == result, status=status)
        for key, status in BATCH_ITEM.items()
    ]
    return {
        "items": [
            ItemRow(
                item,
                status_of_batch_item(item),
                waits.get(item.run_id) if item.run_id else None,
                links.get(getattr(item, f"{batch.noun}_id")),
            )
            for item in shown
        ],
        "result": result,
        "after": after,
        "choices": choices,
        "next": make_address(chosen, after=str(getattr(shown[-1], f"{batch.noun}_id")))
        if len(found) > page_size
        else "",
        "first": make_address(chosen) if after else "",
        "here": f"{reverse('operation', args=[batch.pk])}{make_address(chosen, after=str(after or ''))}",
        "csv": f"{reverse('operation-csv', args=[batch.pk])}{make_address(chosen, **{'for': 'excel'})}",
    }


def _read_result(parameters: QueryDict) -> str:
    result = parameters.get("result", "")
    return result if result in BATCH_ITEM else ""


def _parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _select_items(user: User, batch: BatchOperation, result: str) -> QuerySet[Any]:
    items = batch.list_items().visible_to(user).select_related(batch.noun).order_by(f"{batch.noun}_id")
    # `metadata` and `errors` of an account can be long, and tokens are not shown.
    shown = ("name", "amazon_account_id") if batch.subject == Subject.ACCOUNTS else ("label",)
    items = items.only("state", "message", "cause", "run", *(f"{batch.noun}__{name}" for name in shown))
    return items.filter(state=result) if result else items


@require_safe
@staff_page("accounts.view_account")
def results_csv(request: StaffRequest, batch_id: UUID) -> StreamingHttpResponse:
    batch = get_object_or_404(BatchOperation.objects.visible_to(request.user), pk=batch_id)
    # The file has the accounts of those teams of the operation that the person sees.
    seen = find_teams(request.user, "accounts.view_account")
    record_many(
        request.user,
        Action.BATCH_EXPORT,
        name_batch(batch, {team: {} for team in batch.team_ids if team in seen}),
    )
    return StreamingHttpResponse(
        stream_csv(
            batch,
            _select_items(request.user, batch, _read_result(request.GET)),
            for_excel=request.GET.get("for") == "excel",
        ),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="operation-{batch.pk}.csv"'},
    )


def stream_csv(
    batch: BatchOperation,
    items: QuerySet[Any],
    *,
    for_excel: bool = False,
    chunk_size: int = CSV_CHUNK_SIZE,
) -> Iterator[str]:
    """Yield the texts of a file. `items` are those of the batch, ordered by account or connection."""
    yield format_header(CSV_COLUMNS[Subject(batch.subject)], for_excel=for_excel)
    chunk = list(items[:chunk_size])
    while chunk:
        # Each chunk is read by a query of its own: a cursor would keep a database connection for a slow reader.
        yield format_csv((_make_csv_row(item) for item in chunk), for_excel=for_excel)
        chunk = list(
            items.filter(**{f"{batch.noun}_id__gt": getattr(chunk[-1], f"{batch.noun}_id")})[:chunk_size]
        )


def _make_csv_row(item: BatchItem | ConnectionBatchItem) -> list[str]:
    if isinstance(item, ConnectionBatchItem):
        return [str(item.connection_id), item.connection.label, item.state, item.message]
    account = item.account
    return [str(account.pk), account.amazon_account_id, account.name, item.state, item.message]
