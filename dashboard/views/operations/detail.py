"""One operation: how far it is, cancelling, retrying."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.batch import cancel_batch, retry_batch
from accounts.batch.calls import Calls, count_calls
from accounts.batch.ending import BatchStateError
from accounts.batch.operations import Operation, may_steer
from accounts.batch.waits import find_waits_of, join_waits
from accounts.models import BatchOperation
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.audit.rows import read_latest
from dashboard.frame.page import StaffRequest, button_on, is_partial, page, redirect_htmx, staff_page
from dashboard.status import status_of_batch
from dashboard.views.operations.failures import list_failures
from dashboard.views.operations.mailing import read_mailing
from dashboard.views.operations.results import list_results
from dashboard.views.operations.toast import describe_undo


@dataclass(frozen=True)
class Progress:
    total: int
    succeeded: int
    failed: int
    skipped: int
    seconds_left: int | None
    # Of a sync.
    calls: Calls | None = None

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.skipped

    @property
    def sentence(self) -> str:
        parts = [f"{self.succeeded:,} of {self.total:,} done"]
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"{self.skipped:,} skipped"] if self.skipped else []
        if self.calls is not None and self.calls.made:
            parts.append(f"{self.calls.made:,} calls to Amazon made{_describe_left(self.calls)}")
        return " · ".join(parts)

    @property
    def bar(self) -> tuple[int, int]:
        """How far the bar is, and its length: in calls for a sync whose calls are known, otherwise in items."""
        calls = self.calls
        if calls is None or calls.unknown or not calls.made + calls.left:
            return self.ended, max(self.total, 1)
        # The last call is followed by storing what it brought.
        return calls.made, calls.made + max(calls.left, 1)

    @classmethod
    def of(cls, batch: BatchOperation, counts: dict[str, int], calls: Calls | None = None) -> "Progress":
        succeeded, failed, skipped = (counts[word] for word in ("succeeded", "failed", "skipped"))
        ended, left = succeeded + failed + skipped, None
        # The accounts of a sync that have ended tell nothing about how long the next sync takes; its calls do.
        if calls is not None:
            left = calls.seconds_left
        elif ended and batch.started_at and not batch.is_finished and batch.operation != Operation.SYNC:
            spent = (approximate_now() - batch.started_at) / timedelta(seconds=1)
            left = round(spent / ended * (batch.total - ended))
        return cls(batch.total, succeeded, failed, skipped, left, calls)


def _describe_left(calls: Calls) -> str:
    if calls.unknown:
        return f", at least {calls.left + calls.unknown:,} left"
    return f", about {calls.left:,} left" if calls.left else ""


@require_safe
@staff_page("accounts.view_account")
def operation(request: StaffRequest, batch_id: UUID) -> HttpResponse:
    batch = get_visible_batch(request, batch_id)
    waits = find_waits_of(batch)
    context = {
        "batch": batch,
        "state": status_of_batch(batch),
        "wait": join_waits(waits),
        "waiting_runs": len(waits),
        "progress": Progress.of(batch, batch.count_items(), count_calls(batch)),
        "may_change": may_steer(request.user, batch),
        **describe_undo(request.user, batch),
        "failures": list_failures(request.user, batch) if batch.is_finished and batch.failed else [],
    }
    partial = "dashboard/operations/progress.html"
    # The page asks for its head every second, and for the results less often.
    if request.htmx.target != "head":
        partial = "dashboard/operations/results.html"
        context |= list_results(request.user, request.GET, batch, waits)
    if not is_partial(request):
        context["deeds"] = read_latest(request.user, batch.pk)
        context["mailing"] = read_mailing(request.user, batch)
    return page(request, "dashboard/operations/detail_page.html", context, title=str(batch), partial=partial)


def get_visible_batch(request: StaffRequest, batch_id: UUID) -> BatchOperation:
    batches = BatchOperation.objects.visible_to(request.user).select_related("user")
    return get_object_or_404(batches, pk=batch_id)


@button_on("operation")
@staff_page("accounts.view_account")
def cancel_operation(request: StaffRequest, batch_id: UUID) -> HttpResponse:
    batch = get_visible_batch(request, batch_id)
    try:
        cancel_batch(request.user, batch)
    except BatchStateError as error:
        messages.info(request, str(error))
    return redirect_htmx(request, reverse("operation", args=[batch_id]))


@button_on("operation")
@staff_page("accounts.view_account")
def retry_operation(request: StaffRequest, batch_id: UUID) -> HttpResponse:
    batch = get_visible_batch(request, batch_id)
    try:
        retry_batch(request.user, batch, cause=request.POST.get("cause"))
    except BatchStateError as error:
        messages.info(request, str(error))
    return redirect_htmx(request, reverse("operation", args=[batch_id]))
