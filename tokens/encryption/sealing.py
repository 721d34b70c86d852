"""Text that only a process with TOKEN_ENCRYPTION_KEYS can read, and only in the context that it was sealed for.

A context is a string that names the place of the text, such as "tokens_connection.refresh_token:" and the id of the
row. It is the associated data of AES-GCM: sealed text that is copied to another place cannot be opened there.

Sealed text is "v2." and, as URL-safe base64, the key's id (4 bytes), the nonce (12 bytes) and what AES-GCM wrote.
The first of TOKEN_ENCRYPTION_KEYS seals; each of them opens. Text without "v2." is in the old form, a Fernet token,
which has no context. `reseal` rewrites it.
"""

import base64
import os
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PREFIX: Final = "v2."
KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
NONCE_BYTES: Final = 12


class DecryptionError(Exception):
    """A stored secret cannot be decrypted: its key is not among TOKEN_ENCRYPTION_KEYS."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


class MisplacedSecretError(DecryptionError):
    """A stored secret was refused: it is damaged, or it was copied from another row or column."""


class _Key(NamedTuple):
    """One of TOKEN_ENCRYPTION_KEYS, in each of the two forms."""

    id: bytes
    aes: AESGCM
    fernet: Fernet


class _Parts(NamedTuple):
    key_id: bytes
    nonce: bytes
    encrypted: bytes


def _derive(key: str) -> _Key:
    derivation = HKDF(SHA256(), KEY_BYTES + KEY_ID_BYTES, salt=None, info=b"amazon-accounts secret v2")
    derived = derivation.derive(base64.urlsafe_b64decode(key))
    return _Key(derived[KEY_BYTES:], AESGCM(derived[:KEY_BYTES]), Fernet(key))


@lru_cache(maxsize=4)
def _derive_all(keys: tuple[str, ...]) -> tuple[_Key, ...]:
    return tuple(_derive(key) for key in keys)


def _keys() -> tuple[_Key, ...]:
    return _derive_all(tuple(settings.TOKEN_ENCRYPTION_KEYS))


def seal(plain: str, context: str) -> str:
    first = _keys()[0]
    nonce = os.urandom(NONCE_BYTES)
    encrypted = first.aes.encrypt(nonce, plain.encode(), context.encode())
    return PREFIX + base64.urlsafe_b64encode(first.id + nonce + encrypted).decode()


def unseal(sealed: str, context: str) -> str:
    """Return the plain text.

    Raises DecryptionError when the key is missing, and MisplacedSecretError when the text was sealed for another
    context or has been changed.
    """
    if not sealed.startswith(PREFIX):
        return _open_old_form(sealed)
    parts = _split(sealed)
    fitting = [key for key in _keys() if key.id == parts.key_id]
    if not fitting:
        raise DecryptionError
    for key in fitting:
        try:
            return key.aes.decrypt(parts.nonce, parts.encrypted, context.encode()).decode()
        except InvalidTag:
            continue
    raise MisplacedSecretError


def reseal(sealed: str, context: str) -> str | None:
    """Return the text sealed again, or None if the first key has sealed it already. Raises DecryptionError."""
    plain = unseal(sealed, context)
    if sealed.startswith(PREFIX) and _split(sealed).key_id == _keys()[0].id:
        return None
    return seal(plain, context)


def has_key_of(sealed: str) -> bool:
    """Return False when the text was sealed with a key that is not among TOKEN_ENCRYPTION_KEYS."""
    try:
        # The context is unknown here. A key that is there and does not fit the context is no missing key.
        unseal(sealed, "")
    except MisplacedSecretError:
        return True
    except DecryptionError:
        return False
    return True


def _split(sealed: str) -> _Parts:
    try:
        raw = base64.b64decode(sealed[len(PREFIX) :], altchars=b"-_", validate=True)
    except ValueError as error:
        raise MisplacedSecretError from error
    begin = KEY_ID_BYTES + NONCE_BYTES
    if len(raw) < begin:
        raise MisplacedSecretError
    return _Parts(raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:begin], raw[begin:])


def _open_old_form(sealed: str) -> str:
    try:
        return MultiFernet([key.fernet for key in _keys()]).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise DecryptionError from error
