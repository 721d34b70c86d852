"""One state of the activity page: its filters, and a page of entries of all kinds, newest first.

Each source gives its newest rows, and the rows are merged. Where a source was read up to its limit, older rows of the
others wait for the next page, so a page may be short, and nothing is missing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta
from heapq import merge
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.core import signing
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from accounts.lists.pages import select_after
from dashboard.activity.entries import SOURCES, Entry, read_event
from dashboard.activity.event_rows import FIRST, LAST, EventReader
from dashboard.activity.folding import MAX_COUNTED, Line, fold
from dashboard.activity.kinds import KINDS, NEWS, TYPES
from dashboard.activity.sources import STORED, Source

PAGE_SIZE: Final = 50  # lines
MAX_READ: Final = 200  # rows of a source
CURSOR_SALT: Final = "dashboard.activity"
PEOPLE: Final = "people"
VISIT: Final = "visit"

# The moment, source and id of the last entry of a page. Without a source the page begins with all of this moment.
Cursor = tuple[datetime, str, Any]


@dataclass(frozen=True)
class Page:
    lines: list[Line]
    # Where the next page begins; None if nothing is older.
    next: Cursor | None


@dataclass(frozen=True)
class _Found:
    entries: list[Entry]
    # Entries that were read, but may come after others that were not.
    waiting: list[Entry]
    has_more: bool


@dataclass(frozen=True)
class Feed:
    """The filters of the activity, read from its address. Values that are not understood are ignored."""

    kinds: tuple[str, ...] = ()
    failed: bool = False
    connection: UUID | None = None
    team: UUID | None = None
    by: str = ""
    person: str = ""
    since: str = ""
    begin: date | None = None
    end: date | None = None
    after: str = ""
    # When the visit before this one ended.
    visited_at: datetime | None = field(default=None, compare=False)

    @classmethod
    def of(cls, query: QueryDict, team: UUID | None = None, visited_at: datetime | None = None) -> "Feed":
        chosen = set(query.getlist("kind"))
        person = query.get("person", "")[:150]
        return cls(
            kinds=tuple(kind for kind in KINDS if kind in chosen),
            failed=query.get("outcome") == "failed",
            connection=_read(UUID, query.get("connection", "")),
            team=team,
            by=PEOPLE if query.get("by") == PEOPLE or person else "",
            person="" if "\0" in person else person,
            since=VISIT if query.get("since") == VISIT and visited_at else "",
            begin=read_day(query.get("from", "")),
            end=read_day(query.get("to", "")),
            after=query.get("after", ""),
            visited_at=visited_at,
        )

    @property
    def query(self) -> str:
        known = {
            "kind": self.kinds,
            "outcome": "failed" if self.failed else "",
            "connection": self.connection,
            "team": self.team,
            "by": self.by if not self.person else "",
            "person": self.person,
            "since": self.since,
            "from": self.begin,
            "to": self.end,
            "after": self.after,
        }
        return urlencode({key: value for key, value in known.items() if value}, doseq=True)

    @property
    def address(self) -> str:
        return f"?{self.query}"

    @property
    def shown(self) -> tuple[str, ...]:
        return self.kinds or tuple(NEWS)

    @property
    def is_filtered(self) -> bool:
        """Whether there is a filter besides the team, which has its own link to turn it off."""
        return self != Feed(after=self.after, team=self.team)

    def change(self, **changes: Any) -> "Feed":
        # Other filters start at the newest entry.
        return replace(self, after="", **changes)

    def toggle(self, kind: str) -> "Feed":
        chosen = set(self.shown) ^ {kind}
        kinds = tuple(each for each in KINDS if each in chosen)
        return self.change(kinds=() if kinds == tuple(NEWS) else kinds)

    def go_on(self, cursor: Cursor) -> "Feed":
        moment, source, key = cursor
        return replace(self, after=signing.dumps([moment.isoformat(), source, str(key)], salt=CURSOR_SALT))

    @property
    def limits(self) -> tuple[datetime, datetime]:
        """The time from which and before which entries are shown."""
        first = find_midnight(self.begin) if self.begin else FIRST
        if self.since and self.visited_at:
            first = max(first, self.visited_at)
        last = find_midnight(self.end + timedelta(days=1)) if self.end else LAST
        return first, last

    def make_reader(self, user: User, known_teams: Sequence[UUID] | None = None) -> EventReader:
        since, before = self.limits
        return EventReader.of(
            user, self.team, known_teams, connection=self.connection, since=since, before=before
        )

    def page(
        self,
        user: User,
        reader: EventReader | None = None,
        *,
        page_size: int = PAGE_SIZE,
        max_read: int = MAX_READ,
    ) -> Page:
        reader = reader or self.make_reader(user)
        found = self._read_entries(user, reader, max_read)
        lines = fold(found.entries)
        if len(lines) > page_size:
            return Page(lines[:page_size], find_end(lines[page_size - 1].entries[-1]))
        if not found.has_more:
            return Page(lines, None)
        last = lines[-1]
        if last.is_folded and last.entries[-1].source == "event":
            ends_at, number = self._count_rest(reader, last.entries[-1], found.waiting)
            return Page([*lines[:-1], last.with_more(number)], (ends_at, "", 0))
        return Page(lines, find_end(last.entries[-1]))

    def iterate(self, user: User, *, max_read: int = MAX_READ) -> Iterator[list[Entry]]:
        """Yield all entries, some at a time."""
        feed = self
        while True:
            found = feed._read_entries(user, feed.make_reader(user), max_read)
            yield found.entries
            if not found.has_more:
                return
            feed = feed.go_on(find_end(found.entries[-1]))

    def _read_entries(self, user: User, reader: EventReader, max_read: int) -> _Found:
        start = self._read_cursor()
        streams = [self._read_source(user, reader, source, start, max_read) for source in SOURCES]
        ends = [entries[-1].key for entries in streams if len(entries) == max_read]
        merged = list(merge(*streams, key=lambda entry: entry.key, reverse=True))
        known = [entry for entry in merged if entry.key >= max(ends)] if ends else merged
        return _Found(known, merged[len(known) :], has_more=bool(ends))

    def _count_rest(self, reader: EventReader, last: Entry, waiting: list[Entry]) -> tuple[datetime, int]:
        """Count the events that belong to the line of this one and were not read; return also where the line ends."""
        # At the begin of its day, or at the next entry of another kind.
        others = [type_ for kind in self.shown for type_ in TYPES.get(kind, ()) if type_ != last.fold]
        midnight = find_midnight(timezone.localdate(last.moment))
        ends_at = max([midnight, *(entry.moment for entry in waiting)])
        after = (last.moment, UUID(str(last.id)))
        return reader.count_rest(last.fold, others, MAX_COUNTED, after=after, ends_at=ends_at)

    def _read_source(
        self, user: User, reader: EventReader, source: str, start: Cursor | None, limit: int
    ) -> list[Entry]:
        if source == "event":
            return self._read_events(reader, start, limit)
        stored = STORED[source]
        kinds = [kind for kind in self.shown if kind in stored.kinds]
        if not kinds or (self.failed and stored.failed is None):
            return []
        if (self.connection and not stored.connection) or (self.by and not stored.person):
            return []
        rows = self._filter(stored, stored.rows(user), kinds)
        if start:
            rows = rows.filter(_where_after(stored.time, source, start))
        return [stored.read(row) for row in rows.order_by(f"-{stored.time}", "-pk")[:limit]]

    def _filter(self, stored: Source, rows: QuerySet[Any], kinds: list[str]) -> QuerySet[Any]:
        # A kind without a condition is all rows of the source.
        conditions = [stored.kinds[kind] for kind in kinds]
        if all(conditions):
            rows = rows.filter(*conditions)
        if self.failed and stored.failed is not None:
            rows = rows.filter(stored.failed)
        if self.connection:
            rows = rows.filter(**{stored.connection: self.connection})
        if self.team:
            rows = rows.filter(**{stored.team: [self.team]})
        if self.person:
            rows = rows.filter(**{f"{stored.person}__username": self.person})
        elif self.by:
            rows = rows.filter(**{f"{stored.person}__isnull": False})
        since, before = self.limits
        if since > FIRST:
            rows = rows.filter(**{f"{stored.time}__gte": since})
        if before < LAST:
            rows = rows.filter(**{f"{stored.time}__lt": before})
        return rows

    def _read_events(self, reader: EventReader, start: Cursor | None, limit: int) -> list[Entry]:
        if self.failed or self.by:
            return []
        types = [type_ for kind in self.shown for type_ in TYPES.get(kind, ())]
        after = None
        if start is not None:
            moment, source, key = start
            # Events are the last source, so all events of the moment of another entry come after it.
            later = (moment + timedelta(microseconds=1), UUID(int=0))
            after = (moment, UUID(str(key))) if source == "event" else later
        return [read_event(row) for row in reader.find(types, limit, after=after)]

    def _read_cursor(self) -> Cursor | None:
        if not self.after:
            return None
        try:
            moment, source, key = signing.loads(self.after, salt=CURSOR_SALT)
        except signing.BadSignature:
            return None
        return datetime.fromisoformat(moment), source, key


def find_end(last: Entry) -> Cursor:
    return last.moment, last.source, last.id


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


def find_midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _where_after(column: str, source: str, start: Cursor) -> Q:
    moment, start_source, key = start
    # The entry may be of another source, at the same moment.
    if source == start_source:
        return select_after((column, "pk"), [moment, key], descending=True)
    comes_later = not start_source or SOURCES.index(source) > SOURCES.index(start_source)
    return Q(**{f"{column}__{'lte' if comes_later else 'lt'}": moment})
