"""Encrypting every stored token again with the first key, while all processes run."""

import logging
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import connection

from amazon_accounts.postgresql.statements import load
from tokens.encryption import cipher

logger = logging.getLogger(__name__)

BATCH_SIZE = 1000


class StoredTokens(NamedTuple):
    """The ciphertexts of one connection."""

    connection_id: UUID
    access_token: str | None
    refresh_token: str | None


class Rotated(NamedTuple):
    """The ciphertext of one token, as it was read and under the first key."""

    connection_id: UUID
    stale: str
    fresh: str


def rotate(*, batch_size: int = BATCH_SIZE) -> dict[str, int]:
    """Encrypt every stored token again that is not under the first key.

    Return how many tokens were `rotated`, how many were `current` already, and how many are `unreadable`: no
    key decrypts them.
    """
    counts = {"rotated": 0, "current": 0, "unreadable": 0}
    after: UUID | None = None
    while rows := read_tokens(after, limit=batch_size):
        after = rows[-1].connection_id
        for column in ("access_token", "refresh_token"):
            _rotate_column(column, rows, counts)
        logger.info("Rotated %d tokens so far.", counts["rotated"])
    return counts


def _rotate_column(column: str, rows: Sequence[StoredTokens], counts: dict[str, int]) -> None:
    newest = Fernet(settings.TOKEN_ENCRYPTION_KEYS[0])
    rotated = []
    for row in rows:
        ciphertext: str | None = getattr(row, column)
        if ciphertext is None:
            continue
        if _is_under(newest, ciphertext):
            counts["current"] += 1
        elif (fresh := _encrypt_again(ciphertext)) is None:
            counts["unreadable"] += 1
        else:
            rotated.append(Rotated(row.connection_id, ciphertext, fresh))
    counts["rotated"] += replace_tokens(column, rotated)


def read_tokens(after: UUID | None, *, limit: int) -> list[StoredTokens]:
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "read_tokens"), {"after": after, "batch_size": limit})
        return [StoredTokens(*row) for row in cursor.fetchall()]


def _is_under(key: Fernet, ciphertext: str) -> bool:
    try:
        key.decrypt(ciphertext.encode())
    except InvalidToken:
        return False
    return True


def _encrypt_again(ciphertext: str) -> str | None:
    try:
        return cipher().rotate(ciphertext.encode()).decode()
    except InvalidToken:
        return None


def replace_tokens(column: str, tokens: Sequence[Rotated]) -> int:
    """Store the fresh ciphertext where the stale one is still stored; return how many were replaced."""
    if not tokens:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            load(__file__, f"replace_{column}s"),
            {
                "ids": [token.connection_id for token in tokens],
                "stale": [token.stale for token in tokens],
                "fresh": [token.fresh for token in tokens],
            },
        )
        return int(cursor.rowcount)
