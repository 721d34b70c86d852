"""Where the entries of the activity are stored, besides the events."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from accounts.models import AccountChange, BatchOperation, SyncRun
from dashboard.activity.entries import Entry, read_batch, read_change, read_refresh, read_run
from dashboard.status import REFRESH
from tokens.models import TokenRefresh

FAILED_OUTCOMES = [word for word, status in REFRESH.items() if status.tone in {"bad", "attention"}]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the entries of one source are stored. `time`, `connection` and `person` are fields, `team` is a lookup.

    `kinds` are what can be chosen, each with the condition of its rows.
    """

    rows: Callable[[User], QuerySet[Any]]
    kinds: dict[str, Q]
    time: str
    failed: Q | None
    connection: str
    team: str
    person: str
    read: Callable[[Any], Entry]


def _select_runs(user: User) -> QuerySet[SyncRun]:
    rows = SyncRun.objects.visible_to(user).select_related("connection", "requested_by")
    return rows.defer("sources", "connection__access_token", "connection__refresh_token")


def _select_refreshes(user: User) -> QuerySet[TokenRefresh]:
    rows = TokenRefresh.objects.visible_to(user).select_related("connection")
    return rows.defer("connection__access_token", "connection__refresh_token")


def _select_changes(user: User) -> QuerySet[AccountChange]:
    rows = AccountChange.objects.visible_to(user).select_related("account", "changed_by")
    return rows.with_visible_run(user).only(
        "changed_at",
        "kind",
        "old",
        "new",
        "profile_id",
        "run",
        "account__name",
        "account__amazon_account_id",
        "changed_by__username",
    )


def _select_batches(user: User) -> QuerySet[BatchOperation]:
    return BatchOperation.objects.visible_to(user).select_related("user")


_FAILED_RUNS: Final = Q(state__in=[SyncRun.State.FAILED, SyncRun.State.PARTIAL])

STORED: Final = {
    "sync": Source(
        rows=_select_runs,
        kinds={"sync": Q(), "failed": _FAILED_RUNS},
        time="created_at",
        failed=_FAILED_RUNS,
        connection="connection",
        team="connection__team__in",
        person="requested_by",
        read=read_run,
    ),
    "refresh": Source(
        rows=_select_refreshes,
        kinds={"refresh": Q()},
        time="started_at",
        failed=Q(outcome__in=FAILED_OUTCOMES),
        connection="connection",
        team="connection__team__in",
        person="",
        read=read_refresh,
    ),
    "change": Source(
        rows=_select_changes,
        kinds={"change": Q(), "renamed": Q(kind=AccountChange.Kind.NAME)},
        time="changed_at",
        failed=None,
        connection="account__connection",
        team="account__team__in",
        person="changed_by",
        read=read_change,
    ),
    "batch": Source(
        rows=_select_batches,
        kinds={"batch": Q()},
        time="created_at",
        failed=Q(state__in=[BatchOperation.State.FAILED, BatchOperation.State.PARTIAL]),
        connection="",
        team="team_ids__contains",
        person="user",
        read=read_batch,
    ),
}
