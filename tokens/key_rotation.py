"""Encrypting every stored token again with the first key and in the newest form, while all processes run."""

import logging
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from amazon_accounts.postgresql.statements import load
from tokens.alerts.addresses import rotate_alert_addresses
from tokens.encryption import DecryptionError, context_of, reseal
from tokens.models import Connection
from tokens.people.audit import Action, AuditedObject, record_audit
from tokens.people.audit.keys import rotate_audit_keys
from tokens.permissions import SYSTEM
from tokens.sign_in.factor_secrets import rotate_second_factors
from tokens.webhooks.secrets import rotate_webhook_secrets

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
    """Encrypt every stored token again that is not under the first key, or is in the old form.

    Return how many tokens were `rotated`, how many were `current` already, and how many are `unreadable`: no
    key decrypts them in their row and column.
    """
    counts = {"rotated": 0, "current": 0, "unreadable": 0}
    after: UUID | None = None
    while rows := read_tokens(after, limit=batch_size):
        after = rows[-1].connection_id
        for column in ("access_token", "refresh_token"):
            _rotate_column(column, rows, counts)
        logger.info("Rotated %d tokens so far.", counts["rotated"])
    for others in (
        rotate_second_factors(),
        rotate_audit_keys(),
        rotate_webhook_secrets(),
        rotate_alert_addresses(),
    ):
        for name, number in others.items():
            counts[name] += number
    record_audit(SYSTEM, Action.ENCRYPTION_KEYS_ROTATE, AuditedObject("encryption_keys"), after=counts)
    return counts


def _rotate_column(column: str, rows: Sequence[StoredTokens], counts: dict[str, int]) -> None:
    rotated = []
    for row in rows:
        stale: str | None = getattr(row, column)
        if stale is None:
            continue
        try:
            fresh = reseal(stale, context_of(Connection, column, row.connection_id))
        except DecryptionError as error:
            counts["unreadable"] += 1
            logger.warning("The %s of connection %s was left. %s", column, row.connection_id, error)
            continue
        if fresh is None:
            counts["current"] += 1
        else:
            rotated.append(Rotated(row.connection_id, stale, fresh))
    counts["rotated"] += replace_tokens(column, rotated)


def read_tokens(after: UUID | None, *, limit: int) -> list[StoredTokens]:
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "read_tokens"), {"after": after, "batch_size": limit})
        return [StoredTokens(*row) for row in cursor.fetchall()]


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
