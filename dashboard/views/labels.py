"""Labels that are changed where they stand: on the pages of an account and of a connection."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from accounts.models import Account, BatchOperation
from accounts.update import VersionConflictError, update_account
from amazon_accounts.labels import read_label_lines
from dashboard.frame.page import INVALID_FORM, StaffRequest, button_on, is_partial, redirect_htmx, staff_page
from tokens.connect.update import update_connection
from tokens.models import Connection

# Labels that were set by the last operations are offered.
OPERATIONS_READ: Final = 50
MAX_OFFERED: Final = 100

Labels = dict[str, str | None]


@button_on("account")
@staff_page("accounts.update_account")
def of_account(request: StaffRequest, account_id: UUID) -> HttpResponse:
    return _change(request, get_object_or_404(Account.objects.visible_to(request.user), pk=account_id))


@button_on("connection")
@staff_page("tokens.connect_amazon")
def of_connection(request: StaffRequest, connection_id: UUID) -> HttpResponse:
    rows = Connection.objects.visible_to(request.user).select_related("team", "owner")
    return _change(request, get_object_or_404(rows, pk=connection_id))


def offer_labels(request: StaffRequest) -> list[str]:
    """Return labels that people have set lately, as `key: value`."""
    batches = BatchOperation.objects.visible_to(request.user).order_by("-created_at", "-id")
    offered: dict[str, None] = {}
    for options in batches.values_list("options", flat=True)[:OPERATIONS_READ]:
        labels = options.get("labels") if isinstance(options, dict) else None
        if isinstance(labels, dict):
            offered |= {f"{key}: {value}": None for key, value in labels.items() if value is not None}
    return sorted(offered)[:MAX_OFFERED]


def _change(request: StaffRequest, subject: Account | Connection) -> HttpResponse:
    error, undo = "", None
    before: Mapping[str, str] = subject.labels
    try:
        changes = _read_changes(request, before)
        if isinstance(subject, Account):
            update_account(request.user, subject.pk, {"labels": changes}, versions=[subject.updated_at])
        else:
            update_connection(request.user, subject, {"labels": changes})
        subject.refresh_from_db(fields=["labels"])
        undo = _find_undo(before, subject.labels) if "undo" not in request.POST else None
    except ValidationError as problem:
        error = " ".join(problem.messages)
    except VersionConflictError:
        error = "Somebody else changed it at the same time. Try again."
        subject.refresh_from_db(fields=["labels"])
    kind = "account" if isinstance(subject, Account) else "connection"
    if is_partial(request):
        context = {
            "subject": subject,
            "labels_address": reverse(f"{kind}-labels", args=[subject.pk]),
            "label_error": error,
            "undo": undo,
            "is_undone": "undo" in request.POST and not error,
            "typed": request.POST.get("label", "") if error else "",
            "offered_labels": offer_labels(request),
        }
        status = INVALID_FORM if error else HTTPStatus.OK
        return render(request, "dashboard/frame/labels_in_place.html", context, status=status)
    if error:
        messages.error(request, f"The labels were not changed. {error}")
    else:
        messages.success(request, "The labels are changed.")
    return redirect_htmx(request, reverse(kind, args=[subject.pk]))


def _read_changes(request: StaffRequest, labels: Mapping[str, str]) -> Labels:
    if "undo" in request.POST:
        return _read_undo(request.POST["undo"], labels)
    if key := request.POST.get("remove", ""):
        return {key: None}
    typed = request.POST.get("label", "")
    parts = typed.split(",")
    # Several at once, if each part is a label. A value may have a comma.
    changes: Labels = dict(
        read_label_lines("\n".join(parts) if all(":" in part for part in parts) else typed)
    )
    if not changes or not all(changes.values()):
        raise ValidationError("Write a label as “client: acme”.")
    return changes


def _read_undo(text: str, labels: Mapping[str, str]) -> Labels:
    """Return the labels as they were, except for those that have been changed since."""
    try:
        steps: Any = json.loads(text)
        wanted = {key: old for key, old, new in steps if labels.get(key) == new}
    except (ValueError, TypeError):
        raise ValidationError("It cannot be undone.") from None
    if not wanted:
        raise ValidationError("It was changed since, so nothing is undone.")
    return wanted


def _find_undo(before: Mapping[str, str], after: Mapping[str, str]) -> str | None:
    keys = sorted({*before, *after})
    steps = [(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]
    return json.dumps(steps) if steps else None
