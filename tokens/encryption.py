"""Secrets at rest: a model field that holds ciphertext, in the database and in memory.

The first of TOKEN_ENCRYPTION_KEYS encrypts; each of them decrypts.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Expression


class DecryptionError(Exception):
    """A stored secret cannot be decrypted: its key is not among TOKEN_ENCRYPTION_KEYS."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    return _cipher(tuple(settings.TOKEN_ENCRYPTION_KEYS))


class Secret:
    """A secret as it is stored. It holds only ciphertext, so that no repr, log or traceback shows the plain text."""

    __slots__ = ("ciphertext",)

    def __init__(self, ciphertext: str) -> None:
        self.ciphertext = ciphertext

    @classmethod
    def seal(cls, plain: str) -> "Secret":
        return cls(cipher().encrypt(plain.encode()).decode())

    def reveal(self) -> str:
        """Return the plain text; raise DecryptionError when no key fits."""
        try:
            return cipher().decrypt(self.ciphertext.encode()).decode()
        except InvalidToken as error:
            raise DecryptionError from error

    def __str__(self) -> str:
        return "********"

    def __repr__(self) -> str:
        return "<Secret>"


class _SealOnAssignment:
    """Encrypts a string as soon as it is assigned to the field."""

    def __init__(self, field: "EncryptedTextField") -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        name = self.field.attname
        # The field may be deferred.
        if name not in instance.__dict__:
            instance.refresh_from_db(fields=[name])
        return instance.__dict__[name]

    def __set__(self, instance: models.Model, value: Secret | str | None) -> None:
        instance.__dict__[self.field.attname] = Secret.seal(value) if isinstance(value, str) else value


# TextField is generic only in the stubs of Django.
if TYPE_CHECKING:
    _SecretField = models.TextField[Secret | str | None, Secret | None]
else:
    _SecretField = models.TextField


class EncryptedTextField(_SecretField):
    """Text that is encrypted at rest. Its value is a Secret; a string that is assigned to it is encrypted."""

    description = "Encrypted text"

    def contribute_to_class(self, cls: type[models.Model], name: str, *args: Any, **kwargs: Any) -> None:
        super().contribute_to_class(cls, name, *args, **kwargs)
        setattr(cls, self.attname, _SealOnAssignment(self))

    def from_db_value(
        self, value: str | None, expression: Expression, connection: BaseDatabaseWrapper
    ) -> Secret | None:
        return None if value is None else Secret(value)

    def to_python(self, value: Secret | str | None) -> Secret | None:
        # The text is what `value_to_string` wrote: ciphertext.
        return Secret(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, str):
            value = Secret.seal(value)
        return value.ciphertext if isinstance(value, Secret) else super().get_prep_value(value)

    def value_to_string(self, obj: models.Model) -> str:
        secret = self.value_from_object(obj)
        return "" if secret is None else secret.ciphertext

    def formfield(self, **kwargs: Any) -> None:
        # No form ever shows a secret.
        return
