"""One entry of the activity: what happened to what, and how a row of each kind reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.urls import reverse

from accounts.models import Account, AccountChange, BatchOperation, SyncRun
from dashboard.activity.event_rows import EventRow
from dashboard.activity.kinds import KIND_OF_TYPE, WORDS, describe_one
from dashboard.status import (
    Tone,
    explain_refresh,
    explain_run,
    status_of_batch,
    status_of_refresh,
    status_of_run,
)
from dashboard.templatetags.console import duration, value_of
from tokens.models import TokenRefresh

# Where entries come from. Of two entries of one moment that of the first source comes first.
SOURCES: Final = ("sync", "refresh", "change", "batch", "event")


@dataclass(frozen=True, kw_only=True)
class Entry:
    moment: datetime
    source: str
    kind: str
    id: UUID | int
    # None is drawn as a dot: what is neither good nor bad.
    tone: Tone | None
    name: str
    address: str
    # What happened to the named thing.
    text: str
    # The name that it has now.
    new_name: str = ""
    more: str = ""
    # For support.
    details: str = ""
    who: str = ""
    # The sync that found it, if the person sees it.
    run: UUID | None = None
    # Entries beside each other with the same words become one line; "" becomes none.
    fold: str = ""
    object_id: UUID | None = None

    @property
    def key(self) -> tuple[datetime, int, Any]:
        # Two entries may have the same moment, and the end of a page must be unambiguous.
        return (self.moment, -SOURCES.index(self.source), self.id)

    @property
    def sentence(self) -> str:
        return f"{self.name} {self.text} {self.new_name}".strip()


def read_event(row: EventRow) -> Entry:
    is_account = row.type.startswith("account.")
    account, connection = row.data.get("account", {}), row.data.get("connection", {})
    login = str(connection.get("label", ""))
    named = Account(name=account.get("name", ""), amazon_account_id=account.get("amazon_account_id", ""))
    return Entry(
        moment=row.moment,
        source="event",
        kind=KIND_OF_TYPE[row.type],
        id=row.id,
        tone=WORDS[row.type].tone,
        name=str(named) if is_account else login,
        address=reverse("account" if is_account else "connection", args=[row.object_id]),
        text=describe_one(row.type, row.data),
        more=f"Login {login}" if is_account and login else "",
        fold=row.type,
        object_id=row.object_id,
    )


def read_run(run: SyncRun) -> Entry:
    failed = run.state in {SyncRun.State.FAILED, SyncRun.State.PARTIAL}
    counts = f"{run.seen:,} seen, {run.created:,} new, {run.changed:,} changed, {run.gone:,} gone"
    words = {SyncRun.State.FAILED: "failed", SyncRun.State.PARTIAL: "was done in part"}
    return Entry(
        moment=run.created_at,
        source="sync",
        kind="failed" if failed else "sync",
        id=run.pk,
        tone=status_of_run(run).tone,
        name=run.connection.label,
        address=reverse("connection", args=[run.connection_id]),
        text=f"sync {words.get(SyncRun.State(run.state), run.get_state_display().lower())}",
        more=explain_run(run) or counts,
        details=run.error,
        who=f"by {run.requested_by}" if run.requested_by else run.get_trigger_display().lower(),
        fold=f"sync.{run.state}" if failed else "",
    )


def read_refresh(refresh: TokenRefresh) -> Entry:
    took = ""
    if refresh.finished_at:
        took = f"In {duration((refresh.finished_at - refresh.started_at).total_seconds())}"
    state = status_of_refresh(refresh)
    return Entry(
        moment=refresh.started_at,
        source="refresh",
        kind="refresh",
        id=refresh.pk,
        tone=state.tone,
        name=refresh.connection.label,
        address=reverse("connection", args=[refresh.connection_id]),
        text=f"token: {state.word.lower()}",
        more=explain_refresh(refresh) or took,
        details=refresh.error,
        who=refresh.get_trigger_display().lower(),
    )


def read_change(change: AccountChange) -> Entry:
    renamed = change.kind == AccountChange.Kind.NAME
    old = "" if change.old is None else value_of(change, "old")
    new = "" if change.new is None else value_of(change, "new")
    account = change.account
    return Entry(
        moment=change.changed_at,
        source="change",
        kind="renamed" if renamed else "change",
        id=change.pk,
        tone=None,
        name=(old or account.amazon_account_id) if renamed else str(account),
        address=reverse("account", args=[change.account_id]),
        text="is now called" if renamed else _describe_change(change, old, new),
        new_name=(new or "(no name)") if renamed else "",
        who="by a sync" if change.run_id else f"by {change.changed_by}" if change.changed_by else "",
        run=vars(change)["visible_run"],
        object_id=change.account_id,
    )


def _describe_change(change: AccountChange, old: str, new: str) -> str:
    values = f": {old} → {new}" if old or new else ""
    return f"{change.get_kind_display().lower()}{values}"


def read_batch(batch: BatchOperation) -> Entry:
    results: Mapping[str, int] = {"done": batch.succeeded, "failed": batch.failed, "skipped": batch.skipped}
    state = status_of_batch(batch)
    labels = batch.options.get("labels") if isinstance(batch.options, dict) else None
    counts = ", ".join(f"{number:,} {word}" for word, number in results.items() if number)
    return Entry(
        moment=batch.created_at,
        source="batch",
        kind="batch",
        id=batch.pk,
        tone=state.tone if state.tone in {"bad", "attention", "busy"} else None,
        name=_name_batch(batch, labels),
        address=reverse("operation", args=[batch.pk]),
        text="" if batch.is_finished else "under way",
        more=counts,
        who=f"by {batch.user or 'a command'}",
        object_id=batch.pk,
    )


def _name_batch(batch: BatchOperation, labels: Any) -> str:
    if not isinstance(labels, dict) or not labels:
        return str(batch)
    words = [f"{key}: {value}" if value is not None else f"without {key}" for key, value in labels.items()]
    plural = "" if batch.total == 1 else "s"
    return f"Labels of {batch.total:,} {batch.noun}{plural}, {', '.join(words)}"
