"""The events of the history: where each kind is stored, and how a row of it reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.urls import reverse

from accounts.models import AccountChange, BatchOperation, SyncRun
from dashboard.status import (
    REFRESH,
    Status,
    explain_refresh,
    explain_run,
    status_of_batch,
    status_of_refresh,
    status_of_run,
)
from dashboard.templatetags.console import duration, value_of
from tokens.models import TokenRefresh

KINDS = {"sync": "Syncs", "refresh": "Token refreshes", "change": "Changes", "batch": "Operations"}
CHANGED = Status("off", "Changed")
FAILED_OUTCOMES = [word for word, status in REFRESH.items() if status.tone in {"bad", "attention"}]


@dataclass(frozen=True, kw_only=True)
class Event:
    moment: datetime
    kind: str
    id: Any
    status: Status
    title: str
    address: str
    sentence: str
    who: str = ""
    run: UUID | None = None  # the sync that found it, if the person sees it
    # For support.
    details: str = ""

    @property
    def key(self) -> tuple[datetime, int, Any]:
        # Two events may have the same moment, and the end of a page must be unambiguous.
        return (self.moment, -list(KINDS).index(self.kind), self.id)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the events of one kind are stored. `time` and `connection` are names of fields, `team` is a lookup."""

    rows: Callable[[User], QuerySet[Any]]
    time: str
    failed: Q
    connection: str
    team: str
    read: Callable[[Any], Event]


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


def _read_run(run: SyncRun) -> Event:
    counts = f"{run.seen:,} seen, {run.created:,} new, {run.changed:,} changed, {run.gone:,} gone"
    return Event(
        moment=run.created_at,
        kind="sync",
        id=run.pk,
        status=status_of_run(run),
        title=f"Sync of {run.connection.label}",
        address=reverse("connection", args=[run.connection_id]),
        sentence=explain_run(run) or counts,
        details=run.error,
        who=str(run.requested_by or run.get_trigger_display()),
    )


def _read_refresh(refresh: TokenRefresh) -> Event:
    took = ""
    if refresh.finished_at:
        took = f"in {duration((refresh.finished_at - refresh.started_at).total_seconds())}"
    return Event(
        moment=refresh.started_at,
        kind="refresh",
        id=refresh.pk,
        status=status_of_refresh(refresh),
        title=f"Token of {refresh.connection.label}",
        address=reverse("connection", args=[refresh.connection_id]),
        sentence=explain_refresh(refresh) or took,
        details=refresh.error,
        who=refresh.get_trigger_display(),
    )


def _read_change(change: AccountChange) -> Event:
    old = "" if change.old is None else value_of(change, "old")
    new = "" if change.new is None else value_of(change, "new")
    return Event(
        moment=change.changed_at,
        kind="change",
        id=change.pk,
        status=CHANGED,
        title=str(change.account),
        address=reverse("account", args=[change.account_id]),
        sentence=f"{change.get_kind_display().capitalize()}{f': {old} → {new}' if old or new else ''}",
        who="a sync" if change.run_id else str(change.changed_by or ""),
        run=vars(change)["visible_run"],
    )


def _read_batch(batch: BatchOperation) -> Event:
    results: Mapping[str, int] = {"done": batch.succeeded, "failed": batch.failed, "skipped": batch.skipped}
    return Event(
        moment=batch.created_at,
        kind="batch",
        id=batch.pk,
        status=status_of_batch(batch),
        title=str(batch),
        address=reverse("operation", args=[batch.pk]),
        sentence=", ".join(f"{number:,} {word}" for word, number in results.items() if number),
        who=str(batch.user or "a command"),
    )


SOURCES = {
    "sync": Source(
        rows=_select_runs,
        time="created_at",
        failed=Q(state__in=[SyncRun.State.FAILED, SyncRun.State.PARTIAL]),
        connection="connection",
        team="connection__team__in",
        read=_read_run,
    ),
    "refresh": Source(
        rows=_select_refreshes,
        time="started_at",
        failed=Q(outcome__in=FAILED_OUTCOMES),
        connection="connection",
        team="connection__team__in",
        read=_read_refresh,
    ),
    "change": Source(
        rows=_select_changes,
        time="changed_at",
        failed=Q(),
        connection="account__connection",
        team="account__team__in",
        read=_read_change,
    ),
    "batch": Source(
        rows=_select_batches,
        time="created_at",
        failed=Q(state__in=[BatchOperation.State.FAILED, BatchOperation.State.PARTIAL]),
        connection="connection",
        team="team_ids__contains",
        read=_read_batch,
    ),
}
