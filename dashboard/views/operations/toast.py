"""An operation on labels in the corner of the list from which it was started, and what can be undone of it."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django_htmx.http import trigger_client_event

from accounts.batch.operations import Operation, may_steer
from accounts.batch.undo import find_refusal
from accounts.models import BatchOperation
from dashboard.frame.page import StaffRequest


def describe_undo(user: User, batch: BatchOperation) -> dict[str, Any]:
    """Return for the page whether the operation can be undone, by which one it was, and which one it undoes."""
    if not batch.is_finished or batch.operation not in {Operation.UPDATE, Operation.UNDO}:
        return {}
    others = BatchOperation.objects.visible_to(user).filter(Q(undoes=batch.pk) | Q(pk=batch.undoes))
    found = {other.operation: other for other in others}
    return {
        "undoes": found.get(Operation.UPDATE),
        "undone_by": found.get(Operation.UNDO),
        "can_undo": may_steer(user, batch) and not find_refusal(user, batch),
    }


def follow_in_toast(request: StaffRequest, batch: BatchOperation) -> HttpResponse:
    """Answer the dialog of a list: it closes, nothing is selected any more, and a toast follows the operation."""
    response = render(request, "dashboard/operations/started.html", describe(request.user, batch))
    return trigger_client_event(response, "selection:clear")


def describe(user: User, batch: BatchOperation) -> dict[str, Any]:
    return {"batch": batch, "sentence": describe_labels(batch), **describe_undo(user, batch)}


def describe_labels(batch: BatchOperation) -> str:
    labels: dict[str, str | None] = batch.options.get("labels", {})
    given = ", ".join(f"{key}: {value}" for key, value in labels.items() if value is not None)
    taken = ", ".join(key for key, value in labels.items() if value is None)
    if not batch.is_finished:
        return "Undoing…" if batch.operation == Operation.UNDO else f"Labelling {_count(batch.total)}…"
    accounts = _count(batch.succeeded)
    if batch.operation == Operation.UNDO:
        sentences = [f"Undone for {accounts}"]
    else:
        sentences = [f"{accounts} labelled {given}"] if given else []
        sentences += [f"{taken} removed from {accounts}"] if taken else []
    sentences += [f"{batch.failed:,} failed"] if batch.failed else []
    sentences += [f"{batch.skipped:,} skipped"] if batch.skipped else []
    return "".join(f"{sentence}. " for sentence in sentences).strip()


def _count(number: int) -> str:
    return f"{number:,} account{'' if number == 1 else 's'}"
