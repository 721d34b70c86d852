"""One state of the history page: its filters, and a page of the events of all kinds, newest first."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta
from heapq import merge
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.core import signing
from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone

from accounts.lists.pages import select_after
from dashboard.history.events import KINDS, SOURCES, Event

PAGE_SIZE = 50
CURSOR_SALT = "dashboard.timeline"

# The moment, kind and id of the last event of a page.
Cursor = tuple[datetime, str, Any]


@dataclass(frozen=True)
class Timeline:
    """The filters of the history, read from its address. Values that are not understood are ignored."""

    kind: str = ""
    failed: bool = False
    connection: UUID | None = None
    team: UUID | None = None
    begin: date | None = None
    end: date | None = None
    after: str = ""

    @classmethod
    def of(cls, query: QueryDict, team: UUID | None = None) -> "Timeline":
        kind = query.get("kind", "")
        return cls(
            kind=kind if kind in KINDS else "",
            failed=query.get("outcome") == "failed",
            connection=_read(UUID, query.get("connection", "")),
            team=team,
            begin=read_day(query.get("from", "")),
            end=read_day(query.get("to", "")),
            after=query.get("after", ""),
        )

    @property
    def address(self) -> str:
        known = {
            "kind": self.kind,
            "outcome": "failed" if self.failed else "",
            "connection": self.connection,
            "team": self.team,
            "from": self.begin,
            "to": self.end,
            "after": self.after,
        }
        return f"?{urlencode({key: value for key, value in known.items() if value})}"

    @property
    def is_filtered(self) -> bool:
        """Whether there is a filter besides the team, which has its own link to turn it off."""
        return self != Timeline(after=self.after, team=self.team)

    def change(self, **changes: Any) -> "Timeline":
        # Other filters start at the newest event.
        return replace(self, after="", **changes)

    def page(self, user: User, page_size: int = PAGE_SIZE) -> tuple[list[Event], str]:
        """Return a page of events, and the address of the next page ("" if there is none)."""
        start = self._read_cursor()
        kinds = [kind for kind in KINDS if self.kind in {"", kind} and self._can_match(kind)]
        streams = [self._select(user, kind, start, page_size + 1) for kind in kinds]
        events = list(merge(*streams, key=lambda event: event.key, reverse=True))
        more = len(events) > page_size
        events = events[:page_size]
        return events, replace(self, after=_write_cursor(events[-1])).address if more else ""

    def _can_match(self, kind: str) -> bool:
        return not (kind == "change" and self.failed) and not (kind == "batch" and self.connection)

    def _read_cursor(self) -> Cursor | None:
        if not self.after:
            return None
        try:
            moment, kind, key = signing.loads(self.after, salt=CURSOR_SALT)
        except signing.BadSignature:
            return None
        return datetime.fromisoformat(moment), kind, key

    def _select(self, user: User, kind: str, start: Cursor | None, limit: int) -> list[Event]:
        source = SOURCES[kind]
        rows = source.rows(user)
        if self.failed:
            rows = rows.filter(source.failed)
        if self.connection:
            rows = rows.filter(**{source.connection: self.connection})
        if self.team:
            rows = rows.filter(**{source.team: [self.team]})
        if self.begin:
            rows = rows.filter(**{f"{source.time}__gte": _find_midnight(self.begin)})
        if self.end:
            rows = rows.filter(**{f"{source.time}__lt": _find_midnight(self.end + timedelta(days=1))})
        if start:
            rows = rows.filter(_where_after(source.time, kind, start))
        rows = rows.order_by(f"-{source.time}", "-pk")
        return [source.read(row) for row in rows[:limit]]


def _read(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text) if text else None
    except ValueError:
        return None


def read_day(text: str) -> date | None:
    """Return the day that the text names; nothing for a text that names none."""
    day: date | None = _read(_read_day, text)
    return day


def _read_day(text: str) -> date:
    # The day needs a midnight before and after it in every time zone.
    day = date.fromisoformat(text)
    if not MINYEAR < day.year < MAXYEAR:
        raise ValueError(text)
    return day


def _find_midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _write_cursor(event: Event) -> str:
    return signing.dumps([event.moment.isoformat(), event.kind, str(event.id)], salt=CURSOR_SALT)


def _where_after(column: str, kind: str, start: Cursor) -> Q:
    moment, start_kind, key = start
    # The event may be of another kind, at the same moment.
    if kind == start_kind:
        return select_after((column, "pk"), [moment, key], descending=True)
    comes_later = list(KINDS).index(kind) > list(KINDS).index(start_kind)
    return Q(**{f"{column}__{'lte' if comes_later else 'lt'}": moment})
