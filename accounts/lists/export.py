"""The export of accounts as CSV or JSON Lines. It is streamed in chunks, so its memory does not grow."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.lists.account_json import get_json, represent_accounts
from accounts.lists.csv_text import format_csv, format_header
from accounts.models import Account

CHUNK_SIZE = 1_000  # rows

# `json.dumps` would make such an encoder for each cell.
encode_json = json.JSONEncoder(ensure_ascii=False).encode

COLUMNS = (
    "id",
    "amazon_account_id",
    "name",
    "status",
    "inactive_reason",
    "amazon_status",
    "standing",
    "suspended_in",
    "suspension_at",
    "account_type",
    "health",
    "health_reason",
    "team",
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
    "sync_off_reason",
    "unread_regions",
    "sync_error",
)


def stream_accounts(
    accounts: QuerySet[Account],
    format_: str,
    *,
    for_excel: bool = False,
    chunk_size: int = CHUNK_SIZE,
) -> Iterator[str]:
    """Yield the texts of a file, with each account once, in the order of ids."""
    chunks = _read_chunks(accounts, chunk_size)
    if format_ == "csv":
        yield format_header(COLUMNS, for_excel=for_excel)
        for texts in chunks:
            rows = map(json.loads, texts)
            yield format_csv(
                ([_format_cell(row[column]) for column in COLUMNS] for row in rows), for_excel=for_excel
            )
    else:
        for texts in chunks:
            yield "".join(f"{text}\n" for text in texts)


def _read_chunks(accounts: QuerySet[Account], chunk_size: int) -> Iterator[list[str]]:
    """Yield the JSON of each account of a chunk."""
    after: UUID | None = None
    ordered = represent_accounts(accounts).only("pk").order_by("pk")
    while True:
        rest = ordered if after is None else ordered.filter(pk__gt=after)
        chunk = list(rest[:chunk_size])
        # The database connection goes back to the pool between two chunks, so that a slow reader does not keep it.
        if not connection.in_atomic_block:
            connection.close()
        if chunk:
            after = chunk[-1].pk
            yield list(map(get_json, chunk))
        if len(chunk) < chunk_size:
            return


def _format_cell(value: Any) -> str:
    # A list of words is written as the words with spaces between them, every other structure as JSON.
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    return encode_json(value)
