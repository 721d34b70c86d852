"""The secrets of second factors at rest: encrypted, and bound to their person and kind of factor.

allauth encrypts a secret before it says whose secret it is. So a fresh secret is sealed without a place, and is bound
to its row when the row is saved. A secret that was read from a row is opened only in that row.
"""

import logging
from collections.abc import Iterator
from typing import Any, Final

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models.signals import post_init, pre_save

from tokens.encryption import DecryptionError, MisplacedSecretError, reseal, seal, unseal

logger = logging.getLogger(__name__)

FRESH: Final = "mfa_authenticator.data"
SECRETS: Final = ("secret", "seed")


class _StoredText(str):
    """Sealed text that belongs to a row, with the context of the row."""

    __slots__ = ("context",)

    context: str

    # Without the context for copies, which get it afterwards.
    def __new__(cls, sealed: str, context: str = "") -> "_StoredText":
        text = super().__new__(cls, sealed)
        text.context = context
        return text


def seal_fresh(plain: str) -> str:
    return seal(plain, FRESH)


def unseal_stored(sealed: str) -> str:
    return unseal(sealed, sealed.context if isinstance(sealed, _StoredText) else FRESH)


def rotate_second_factors() -> dict[str, int]:
    """Encrypt the secrets of second factors again with the first key; return counts as the tokens have them."""
    counts = {"rotated": 0, "current": 0, "unreadable": 0}
    for pk in Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).values_list("pk", flat=True):
        with transaction.atomic():
            # A recovery code that is used meanwhile changes the same column.
            row = Authenticator.objects.select_for_update().filter(pk=pk).first()
            if row is not None:
                for name in _secrets_of(row):
                    counts[_rotate(row, name)] += 1
    return counts


def listen() -> None:
    post_init.connect(_mark_as_stored, sender=Authenticator, dispatch_uid="tokens.sign_in.factor_secrets")
    pre_save.connect(_bind_to_row, sender=Authenticator, dispatch_uid="tokens.sign_in.factor_secrets")


def _context_of(factor: Authenticator) -> str:
    # A person has at most one factor of a kind that has a secret. The id is not known before the row is stored.
    return f"{FRESH}:{factor.user_id}:{factor.type}"


def _secrets_of(factor: Authenticator) -> Iterator[str]:
    # A row that was read without its data has no secret to open.
    data = factor.__dict__.get("data")
    return (name for name in SECRETS if isinstance(data, dict) and isinstance(data.get(name), str))


def _mark_as_stored(instance: Authenticator, **_: Any) -> None:
    if instance.pk is None or not {"user_id", "type"} <= instance.__dict__.keys():
        return
    for name in _secrets_of(instance):
        instance.data[name] = _StoredText(instance.data[name], _context_of(instance))


def _bind_to_row(instance: Authenticator, **_: Any) -> None:
    for name in _secrets_of(instance):
        sealed, context = instance.data[name], _context_of(instance)
        if not isinstance(sealed, _StoredText):
            instance.data[name] = _StoredText(seal(unseal(sealed, FRESH), context), context)
        elif sealed.context != context:
            raise MisplacedSecretError


def _rotate(row: Authenticator, name: str) -> str:
    try:
        renewed = reseal(row.data[name], _context_of(row))
    except DecryptionError as error:
        logger.warning("The %s of second factor %d was left. %s", name, row.pk, error)
        return "unreadable"
    if renewed is None:
        return "current"
    row.data[name] = _StoredText(renewed, _context_of(row))
    row.save(update_fields=["data"])
    return "rotated"
