"""The failed items of an operation by cause: what happened, to how many, and the one thing that helps."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Case, Count, F, Max, Min, Q, TextField, Value, When
from django.db.models.functions import Cast

from accounts.batch.operations import Subject
from accounts.models import AnyItem, BatchOperation
from amazon_accounts.amazon_ads.causes import Cause, explain
from dashboard.status import Status, find_cause_status
from tokens.models import Connection

# Failures without a cause are told apart by their messages.
MAX_GROUPS: Final = 10
# The connections of these failures say themselves whether the cause still holds.
SHOWN_BY_CONNECTION: Final = {Cause.LOGIN_REFUSED, Cause.DISCONNECTED, Cause.PAUSED}


@dataclass(frozen=True, kw_only=True)
class Failures:
    """The items that failed with one cause."""

    cause: str
    status: Status
    # "1,890 accounts of 25 logins"
    title: str
    number: int
    sentence: str
    # What is for support: the first text that was stored.
    details: str
    # The logins that Amazon still refuses, and the one of them if there is one.
    refused: int
    refused_login: UUID | None
    may_try_again: bool
    is_waiting: bool


def list_failures(user: User, batch: BatchOperation) -> list[Failures]:
    """Return the failures of a batch by cause, the most frequent first."""
    to_connection = "account__connection" if batch.subject == Subject.ACCOUNTS else "connection"
    failed = batch.list_items().visible_to(user).filter(state=AnyItem.State.FAILED)
    state = f"{to_connection}__state"
    refused = Q(**{state: Connection.State.REAUTHORIZATION_REQUIRED})
    unusable = refused | Q(**{state: Connection.State.DISCONNECTED}) | Q(**{f"{to_connection}__paused": True})
    said = Case(When(cause="", then=F("message")), default=Value(""), output_field=TextField())
    groups = (
        failed.order_by()
        .annotate(said=said)
        .values("cause", "said")
        .annotate(
            number=Count("*"),
            logins=Count(to_connection, distinct=True),
            refused=Count(to_connection, distinct=True, filter=refused),
            unusable=Count(to_connection, distinct=True, filter=unusable),
            refused_login=Min(Cast(to_connection, TextField()), filter=refused),
            details=Max("message"),
        )
        .order_by("-number", "cause", "said")
    )
    return [_describe(batch, group) for group in groups[:MAX_GROUPS]]


def _describe(batch: BatchOperation, group: Any) -> Failures:
    explanation = explain(group["cause"])
    number, logins = group["number"], group["logins"]
    title = f"{number:,} {batch.noun}{'' if number == 1 else 's'}"
    if batch.subject == Subject.ACCOUNTS and group["cause"]:
        title += f" of {logins:,} login{'' if logins == 1 else 's'}"
    is_mended = group["cause"] in SHOWN_BY_CONNECTION and not group["unusable"]
    only = group["refused_login"] if group["refused"] == 1 else None
    return Failures(
        cause=group["cause"],
        status=find_cause_status(group["cause"]),
        title=title,
        number=number,
        # What has no cause is told by a sentence of ours.
        sentence=explanation.sentence if group["cause"] else group["details"],
        details=group["details"] if group["cause"] else "",
        refused=group["refused"] if group["cause"] == Cause.LOGIN_REFUSED else 0,
        refused_login=UUID(only) if only else None,
        may_try_again=is_mended or explanation.cure == "try_again",
        is_waiting=explanation.cure == "wait",
    )
