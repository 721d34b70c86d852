"""Everything that happened, newest first: syncs, refreshes, changes and operations in one line of time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta
from heapq import merge
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.core import signing
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from accounts.lists.pages import select_after
from accounts.models import AccountChange, BatchOperation, SyncRun
from dashboard.status import REFRESH, Status, status_of_batch, status_of_refresh, status_of_run
from dashboard.templatetags.console import duration, plain
from tokens.models import TokenRefresh

PAGE_SIZE = 50
KINDS = {"sync": "Syncs", "refresh": "Token refreshes", "change": "Changes", "batch": "Operations"}
CHANGED = Status("off", "Changed")
FAILED_REFRESHES = [word for word, status in REFRESH.items() if status.tone in {"bad", "attention"}]


@dataclass(frozen=True)
class Happening:
    moment: datetime
    kind: str
    id: Any
    status: Status
    title: str
    address: str
    sentence: str
    who: str = ""
    run: UUID | None = None  # the sync that found it

    @property
    def key(self) -> tuple[datetime, int, Any]:
        """Newest first; at the same moment in the order of KINDS, then by id."""
        return (self.moment, -list(KINDS).index(self.kind), self.id)


@dataclass(frozen=True)
class Timeline:
    """One state of the page, read from its address; what is not understood is ignored."""

    kind: str = ""
    failed: bool = False
    connection: UUID | None = None
    begin: date | None = None
    end: date | None = None
    after: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> "Timeline":
        kind = query.get("kind", "")
        return cls(
            kind if kind in KINDS else "",
            query.get("outcome") == "failed",
            _read(UUID, query.get("connection", "")),
            _read(_day, query.get("from", "")),
            _read(_day, query.get("to", "")),
            query.get("after", ""),
        )

    @property
    def address(self) -> str:
        known = {
            "kind": self.kind,
            "outcome": "failed" if self.failed else "",
            "connection": self.connection,
            "from": self.begin,
            "to": self.end,
            "after": self.after,
        }
        return f"?{urlencode({key: value for key, value in known.items() if value})}"

    @property
    def is_filtered(self) -> bool:
        return self != Timeline(after=self.after)

    def with_(self, **changes: Any) -> "Timeline":
        """Return the page with something changed; it starts at its newest line."""
        return replace(self, after="", **changes)

    def page(self, user: User) -> tuple[list[Happening], str]:
        """Return a page of lines, and the address of the next ("" when there is none)."""
        start = self._start()
        streams = [
            self._stream(user, kind, start) for kind in KINDS if self.kind in {"", kind} and self._has(kind)
        ]
        lines = list(merge(*streams, key=lambda line: line.key, reverse=True))
        more = len(lines) > PAGE_SIZE
        lines = lines[:PAGE_SIZE]
        return lines, replace(self, after=_write(lines[-1])).address if more else ""

    def _has(self, kind: str) -> bool:
        return not (kind == "change" and self.failed) and not (kind == "batch" and self.connection)

    def _start(self) -> tuple[datetime, str, Any] | None:
        if not self.after:
            return None
        try:
            moment, kind, key = signing.loads(self.after, salt=__name__)
        except signing.BadSignature:
            return None
        return datetime.fromisoformat(moment), kind, key

    def _stream(self, user: User, kind: str, start: tuple[datetime, str, Any] | None) -> list[Happening]:
        source = SOURCES[kind]
        rows = source.rows(user)
        if self.failed:
            rows = rows.filter(source.failed)
        if self.connection:
            rows = rows.filter(**{source.connection: self.connection})
        if self.begin:
            rows = rows.filter(**{f"{source.time}__gte": _midnight(self.begin)})
        if self.end:
            rows = rows.filter(**{f"{source.time}__lt": _midnight(self.end + timedelta(days=1))})
        if start:
            rows = rows.filter(_behind(source.time, kind, start))
        rows = rows.order_by(f"-{source.time}", "-pk")
        return [source.line(row) for row in rows[: PAGE_SIZE + 1]]


def _read(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text) if text else None
    except ValueError:
        return None


def _day(text: str) -> date:
    """Read a day that has a midnight before and behind it in every zone."""
    day = date.fromisoformat(text)
    if not MINYEAR < day.year < MAXYEAR:
        raise ValueError(text)
    return day


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _write(line: Happening) -> str:
    return signing.dumps([line.moment.isoformat(), line.kind, str(line.id)], salt=__name__)


def _behind(column: str, kind: str, start: tuple[datetime, str, Any]) -> Q:
    """Return the condition "after this line", which may be one of another kind at the same moment."""
    moment, start_kind, key = start
    if kind == start_kind:
        return select_after((column, "pk"), [moment, key], descending=True)
    comes_later = list(KINDS).index(kind) > list(KINDS).index(start_kind)
    return Q(**{f"{column}__{'lte' if comes_later else 'lt'}": moment})


@dataclass(frozen=True)
class Source:
    rows: Callable[[User], QuerySet[Any]]
    time: str
    failed: Q
    connection: str
    line: Callable[[Any], Happening]


def _runs(user: User) -> QuerySet[SyncRun]:
    rows = SyncRun.objects.visible_to(user).select_related("connection", "requested_by")
    return rows.defer("sources", "connection__access_token", "connection__refresh_token")


def _refreshes(user: User) -> QuerySet[TokenRefresh]:
    rows = TokenRefresh.objects.visible_to(user).select_related("connection")
    return rows.defer("connection__access_token", "connection__refresh_token")


def _changes(user: User) -> QuerySet[AccountChange]:
    rows = AccountChange.objects.visible_to(user).select_related("account", "changed_by")
    return rows.only(
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


def _batches(user: User) -> QuerySet[BatchOperation]:
    return BatchOperation.objects.visible_to(user).select_related("user")


def _run_line(run: SyncRun) -> Happening:
    counts = f"{run.seen:,} seen, {run.created:,} new, {run.changed:,} changed, {run.gone:,} gone"
    return Happening(
        run.created_at,
        "sync",
        run.pk,
        status_of_run(run),
        f"Sync of {run.connection.label}",
        reverse("connection", args=[run.connection_id]),
        run.error or counts,
        str(run.requested_by or run.get_trigger_display()),
    )


def _refresh_line(refresh: TokenRefresh) -> Happening:
    took = ""
    if refresh.finished_at:
        took = f"in {duration((refresh.finished_at - refresh.started_at).total_seconds())}"
    return Happening(
        refresh.started_at,
        "refresh",
        refresh.pk,
        status_of_refresh(refresh),
        f"Token of {refresh.connection.label}",
        reverse("connection", args=[refresh.connection_id]),
        refresh.error or took,
        refresh.get_trigger_display(),
    )


def _change_line(change: AccountChange) -> Happening:
    old = "" if change.old is None else plain(change.old)
    new = "" if change.new is None else plain(change.new)
    return Happening(
        change.changed_at,
        "change",
        change.pk,
        CHANGED,
        str(change.account),
        reverse("account", args=[change.account_id]),
        f"{change.get_kind_display().capitalize()}{f': {old} → {new}' if old or new else ''}",
        "a sync" if change.run_id else str(change.changed_by or ""),
        change.run_id,
    )


def _batch_line(batch: BatchOperation) -> Happening:
    results: Mapping[str, int] = {"done": batch.succeeded, "failed": batch.failed, "skipped": batch.skipped}
    return Happening(
        batch.created_at,
        "batch",
        batch.pk,
        status_of_batch(batch),
        f"{batch.get_operation_display().capitalize()} of {batch.total:,} account{'' if batch.total == 1 else 's'}",
        reverse("operation", args=[batch.pk]),
        ", ".join(f"{number:,} {word}" for word, number in results.items() if number),
        str(batch.user or "a command"),
    )


SOURCES = {
    "sync": Source(
        _runs,
        "created_at",
        Q(state__in=[SyncRun.State.FAILED, SyncRun.State.PARTIAL]),
        "connection",
        _run_line,
    ),
    "refresh": Source(_refreshes, "started_at", Q(outcome__in=FAILED_REFRESHES), "connection", _refresh_line),
    "change": Source(_changes, "changed_at", Q(), "account__connection", _change_line),
    "batch": Source(
        _batches,
        "created_at",
        Q(state__in=[BatchOperation.State.FAILED, BatchOperation.State.PARTIAL]),
        "connection",
        _batch_line,
    ),
}
