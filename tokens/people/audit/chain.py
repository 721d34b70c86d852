"""The chain of the audit trail: each entry gets a number, and a digest of itself and of the digest before it.

The digest is an HMAC, so whoever has the database alone cannot make it. Operations do not wait for the chain: a task
takes what was committed. An entry that is committed late is chained late, whatever its id is.
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from amazon_accounts.postgresql.statements import load
from tokens.models import AuditCheckpoint, AuditEntry, AuditLink
from tokens.people.audit.keys import take_key
from tokens.people.audit.locks import CHAIN, locked

logger = logging.getLogger(__name__)

BATCH_SIZE: Final = 5_000
NO_DIGEST: Final = bytes(32)
COLUMNS: Final = tuple(field.attname for field in AuditEntry._meta.concrete_fields)


@dataclass(frozen=True)
class Place:
    """A place in the chain: the number and the digest of a link."""

    number: int = 0
    digest: bytes = NO_DIGEST

    def __str__(self) -> str:
        return f"number {self.number}, digest {self.digest.hex()}"


def chain_entries(*, batch_size: int = BATCH_SIZE) -> Place:
    """Chain all entries that are committed and wait; return the end of the chain."""
    chained = 0
    while True:
        with locked(CHAIN):
            end, number = _chain_some(batch_size)
        chained += number
        if number < batch_size:
            break
    if chained:
        logger.info(
            "Chained %s of the audit trail. It ends with %s.",
            "1 entry" if chained == 1 else f"{chained:,} entries",
            end,
            extra={"action": "audit_chained", "number": end.number, "digest": end.digest.hex()},
        )
    return end


def _chain_some(limit: int) -> tuple[Place, int]:
    end = read_end()
    waiting = AuditLink.objects.filter(number=None).order_by("entry_id").values("entry_id")[:limit]
    entries = list(AuditEntry.objects.filter(pk__in=waiting).order_by("pk").values(*COLUMNS))
    if not entries:
        return end, 0
    key_id, key = take_key()
    places = []
    for entry in entries:
        end = Place(end.number + 1, compute_digest(key, end, entry))
        places.append(end)
    with connection.cursor() as cursor:
        cursor.execute(
            load(__file__, "place_links"),
            {
                "key": key_id,
                "entries": [entry["id"] for entry in entries],
                "numbers": [place.number for place in places],
                "digests": [place.digest for place in places],
            },
        )
    return end, len(entries)


def read_end() -> Place:
    last = AuditLink.objects.filter(number__isnull=False).order_by("-number").first()
    if last is not None and last.number is not None:
        return Place(last.number, bytes(last.digest or b""))
    return read_beginning()


def read_beginning() -> Place:
    """Return the place before the first link that is there. Its seal is not checked here."""
    checkpoint = AuditCheckpoint.objects.first()
    return Place() if checkpoint is None else Place(checkpoint.number, bytes(checkpoint.digest))


def compute_digest(key: bytes, previous: Place, entry: Mapping[str, Any]) -> bytes:
    text = previous.digest + (previous.number + 1).to_bytes(8) + write_entry(entry)
    return hmac.digest(key, text, hashlib.sha256)


def write_entry(entry: Mapping[str, Any]) -> bytes:
    """Return the one form in which the entry is chained.

    What is empty is left out, so that a column which is added later changes no digest.
    """
    filled = {name: value for name, value in entry.items() if value not in (None, "")}
    text = json.dumps(filled, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_write_value)
    return text.encode(errors="surrogatepass")


def _write_value(value: Any) -> str:
    # In UTC, whatever zone the process has.
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


def compute_seal(key: bytes, place: Place) -> bytes:
    return hmac.digest(key, b"checkpoint" + place.digest + place.number.to_bytes(8), hashlib.sha256)


def read_entries(ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    return {row["id"]: row for row in AuditEntry.objects.filter(pk__in=list(ids)).values(*COLUMNS)}
