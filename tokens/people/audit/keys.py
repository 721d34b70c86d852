"""The keys of the chain: random, and stored sealed with TOKEN_ENCRYPTION_KEYS.

The keys of the chain are not derived from a setting: a setting is replaced one day, and then nobody could check what was
chained before. Replacing TOKEN_ENCRYPTION_KEYS seals the old keys of the chain again (`rotate_encryption_keys`), and
the next entries are chained with a new key. Each link names its key.
"""

import base64
import logging
import os
from contextlib import suppress
from functools import lru_cache
from typing import Final
from uuid import UUID

from django.conf import settings
from uuid_utils.compat import uuid7

from tokens.encryption import DecryptionError, reseal, seal, unseal
from tokens.models import AuditKey
from tokens.people.audit.locks import CHAIN, locked

logger = logging.getLogger(__name__)

KEY_BYTES: Final = 32


def take_key() -> tuple[UUID, bytes]:
    """Return the id and the bytes of the key for new links. The caller holds the lock of the chain."""
    newest = AuditKey.objects.order_by("-made_at", "-id").first()
    # Whoever had an earlier encryption key may know what it has sealed.
    if newest is not None and reseal(newest.sealed, _context_of(newest.pk)) is None:
        return newest.pk, read_key(newest.pk)
    key_id = uuid7()
    key = os.urandom(KEY_BYTES)
    AuditKey.objects.create(pk=key_id, sealed=seal(base64.b64encode(key).decode(), _context_of(key_id)))
    return key_id, key


def read_key(key_id: UUID) -> bytes:
    """Return the bytes of a key. Raises DecryptionError, also for a key that is gone."""
    sealed = AuditKey.objects.filter(pk=key_id).values_list("sealed", flat=True).first()
    if sealed is None:
        raise DecryptionError(f"The key {key_id} of the audit trail is not there.")
    return _open(key_id, sealed, tuple(settings.TOKEN_ENCRYPTION_KEYS))


def rotate_audit_keys() -> dict[str, int]:
    """Seal the keys again with the first encryption key; return counts as the tokens have them."""
    counts = {"rotated": 0, "current": 0, "unreadable": 0}
    if not AuditKey.objects.exists():
        return counts
    with locked(CHAIN), suppress(DecryptionError):
        # Before the newest key looks as if it were new. One that cannot be read is counted below.
        take_key()
    for key in AuditKey.objects.order_by("made_at", "id"):
        try:
            fresh = reseal(key.sealed, _context_of(key.pk))
        except DecryptionError as error:
            logger.warning("The key %s of the audit trail was left. %s", key.pk, error)
            counts["unreadable"] += 1
            continue
        if fresh is None:
            counts["current"] += 1
        else:
            AuditKey.objects.filter(pk=key.pk).update(sealed=fresh)
            counts["rotated"] += 1
    return counts


def _context_of(key_id: UUID) -> str:
    return f"tokens_auditkey.sealed:{key_id}"


@lru_cache(maxsize=16)
def _open(key_id: UUID, sealed: str, _encryption_keys: tuple[str, ...]) -> bytes:
    return base64.b64decode(unseal(sealed, _context_of(key_id)))
