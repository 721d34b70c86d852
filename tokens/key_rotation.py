"""Rewriting every stored token under the first key, while everything runs."""

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import connection

from tokens.encryption import cipher

logger = logging.getLogger(__name__)

BATCH = 1000

# The walk goes by id, so that it can be interrupted and begun again.
BATCH_AFTER = """
SELECT id, access_token, refresh_token FROM tokens_connection
WHERE (%(after)s::uuid IS NULL OR id > %(after)s)
    AND (access_token IS NOT NULL OR refresh_token IS NOT NULL)
ORDER BY id LIMIT %(limit)s
"""

# Only the ciphertext that was read is replaced: a refresh meanwhile has stored a newer one, under the first key.
# Rows are locked in the order of their ids, as everybody does who locks several.
REPLACE = """
WITH locked AS (
    SELECT stored.id, rotated.fresh
    FROM tokens_connection AS stored
    JOIN unnest(%s::uuid[], %s::text[], %s::text[]) AS rotated (id, stale, fresh)
        ON stored.id = rotated.id AND stored.{column} = rotated.stale
    ORDER BY stored.id FOR UPDATE OF stored
)
UPDATE tokens_connection AS stored SET {column} = locked.fresh FROM locked WHERE stored.id = locked.id
"""
COLUMNS = ("access_token", "refresh_token")


def rotate() -> dict[str, int]:
    """Rewrite what is not under the first key yet; return how many tokens were rewritten, current and unreadable."""
    counts = {"rotated": 0, "current": 0, "unreadable": 0}
    newest = Fernet(settings.TOKEN_ENCRYPTION_KEYS[0])
    after: UUID | None = None
    while rows := _batch(after):
        after = rows[-1][0]
        for index, column in enumerate(COLUMNS, start=1):
            stored = [(row[0], row[index]) for row in rows if row[index] is not None]
            stale = [(pk, text) for pk, text in stored if not _is_under(newest, text)]
            fresh = [(pk, text, _rotated(text)) for pk, text in stale]
            readable = [(pk, text, new) for pk, text, new in fresh if new is not None]
            counts["current"] += len(stored) - len(stale)
            counts["unreadable"] += len(stale) - len(readable)
            counts["rotated"] += _replace(column, readable)
        logger.info("Rotated %d tokens so far.", counts["rotated"])
    return counts


def _batch(after: UUID | None) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute(BATCH_AFTER, {"after": after, "limit": BATCH})
        return list(cursor.fetchall())


def _is_under(key: Fernet, text: str) -> bool:
    try:
        key.decrypt(text.encode())
    except InvalidToken:
        return False
    return True


def _rotated(text: str) -> str | None:
    try:
        return cipher().rotate(text.encode()).decode()
    except InvalidToken:
        return None


def _replace(column: str, tokens: Sequence[tuple[UUID, str, str]]) -> int:
    if not tokens:
        return 0
    ids, stale, fresh = map(list, zip(*tokens, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(REPLACE.format(column=column), [ids, stale, fresh])
        return int(cursor.rowcount)
