"""The activity as a file: CSV or JSON Lines. It is streamed, so its memory does not grow."""

import json
from collections.abc import Iterator
from typing import Final

from django.contrib.auth.models import User
from django.db import connection

from accounts.lists.csv_text import format_csv, format_header
from dashboard.activity.entries import Entry
from dashboard.activity.feed import Feed

COLUMNS: Final = ("time", "kind", "id", "name", "what", "details", "by")


def stream_entries(feed: Feed, user: User, format_: str, *, for_excel: bool = False) -> Iterator[str]:
    """Yield the texts of a file, newest entry first."""
    if format_ == "csv":
        yield format_header(COLUMNS, for_excel=for_excel)
    for entries in feed.iterate(user):
        # The database connection goes back to the pool between two parts, so that a slow reader does not keep it.
        if not connection.in_atomic_block:
            connection.close()
        rows = [_make_row(entry) for entry in entries]
        if format_ == "csv":
            yield format_csv((list(row.values()) for row in rows), for_excel=for_excel)
        else:
            yield "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def _make_row(entry: Entry) -> dict[str, str]:
    values = (
        entry.moment.isoformat(timespec="seconds"),
        entry.kind,
        str(entry.object_id or entry.id),
        entry.name,
        f"{entry.text} {entry.new_name}".strip(),
        entry.more,
        entry.who,
    )
    return dict(zip(COLUMNS, values, strict=True))
