"""All accounts that match, as CSV or JSON Lines, a chunk at a time: however many there are, memory stays the same."""

import csv
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Account

CHUNK = 1_000  # rows

# A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Represent = Callable[[list[Account]], list[dict[str, Any]]]


def lines(accounts: QuerySet[Account], represent: Represent, format_: str) -> Iterator[str]:
    """Yield the accounts in the order of their ids, as `represent` shows them: each once, whatever changes meanwhile.

    Between two chunks the database connection goes back to the pool: a slow reader keeps none.
    """
    chunks = (represent(chunk) for chunk in _chunks(accounts))
    yield from _csv(chunks) if format_ == "csv" else _json_lines(chunks)


def _chunks(accounts: QuerySet[Account]) -> Iterator[list[Account]]:
    after: UUID | None = None
    ordered = accounts.order_by("pk")
    while True:
        rest = ordered if after is None else ordered.filter(pk__gt=after)
        chunk = list(rest[:CHUNK])
        if not connection.in_atomic_block:
            connection.close()
        if chunk:
            after = chunk[-1].pk
            yield chunk
        if len(chunk) < CHUNK:
            return


def _json_lines(chunks: Iterator[list[dict[str, Any]]]) -> Iterator[str]:
    for chunk in chunks:
        yield "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in chunk)


class _Lines:
    """A file that is a list of what was written to it."""

    def __init__(self) -> None:
        self._written: list[str] = []

    def write(self, text: str) -> int:
        self._written.append(text)
        return len(text)

    def taken(self) -> str:
        text = "".join(self._written)
        self._written.clear()
        return text


def _csv(chunks: Iterator[list[dict[str, Any]]]) -> Iterator[str]:
    file = _Lines()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    yield file.taken()
    for chunk in chunks:
        writer.writerows([_cell(row[column]) for column in COLUMNS] for row in chunk)
        yield file.taken()


COLUMNS = (
    "id",
    "amazon_account_id",
    "name",
    "status",
    "inactive_reason",
    "amazon_status",
    "account_type",
    "health",
    "connection",
    "connections",
    "parent",
    "managers",
    "countries",
    "profiles",
    "errors",
    "metadata",
    "labels",
    "is_default",
    "sync_enabled",
    "connected_at",
    "last_synced_at",
    "sync_status",
    "sync_error",
)


def _cell(value: Any) -> str:
    """Return the text of one cell: lists of words with spaces between, other structures as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return neutralised(" ".join(value))
    if isinstance(value, dict | list):
        return neutralised(json.dumps(value, ensure_ascii=False))
    return neutralised(str(value))


def neutralised(text: str) -> str:
    """Put a quote before what a spreadsheet would run; it shows the rest as text."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
