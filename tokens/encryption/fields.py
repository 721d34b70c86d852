"""A model field that holds ciphertext, sealed for its table, column and row."""

from typing import TYPE_CHECKING, Any, cast

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Expression
from django.db.models.lookups import Lookup

from tokens.encryption.sealing import MisplacedSecretError
from tokens.encryption.secret import Secret


class PlainTextError(TypeError):
    """Plain text cannot be stored here, because its row is not known. Assign it to an instance and save that."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class _SealOnAssignment:
    """Seals a string as soon as it is assigned to the field, for the row of the instance."""

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
        if value is not None:
            value = self._put(value, self.field.context_of(instance.pk))
        instance.__dict__[self.field.attname] = value

    def _put(self, value: Secret | str, context: str) -> Secret:
        if isinstance(value, str):
            return Secret.seal(value, context)
        if value.context not in {None, context}:
            raise MisplacedSecretError
        # The database gives only ciphertext. Whether it belongs here, `reveal` finds out.
        return value.at(context)


# TextField is generic only in the stubs of Django.
if TYPE_CHECKING:
    _SecretField = models.TextField[Secret | str | None, Secret | None]
else:
    _SecretField = models.TextField


class EncryptedTextField(_SecretField):
    """Text that is encrypted at rest. Its value is a Secret; a string that is assigned to it is encrypted.

    The primary key of the model must be known before a value is assigned, such as a UUID that Python makes, and must
    be declared above this field. The field cannot be filtered by, other than by `isnull`. Renaming its table or
    column makes the stored values unreadable.
    """

    description = "Encrypted text"

    def contribute_to_class(self, cls: type[models.Model], name: str, *args: Any, **kwargs: Any) -> None:
        super().contribute_to_class(cls, name, *args, **kwargs)
        setattr(cls, self.attname, _SealOnAssignment(self))

    def context_of(self, pk: Any) -> str:
        """Return the context of this field in the row with this primary key."""
        if pk is None:
            raise PlainTextError
        options = self.model._meta
        return f"{options.db_table}.{self.column}:{options.pk.to_python(pk)}"

    def pre_save(self, model_instance: models.Model, *args: Any, **kwargs: Any) -> Any:
        secret = super().pre_save(model_instance, *args, **kwargs)
        # The instance may have got another primary key since the secret was assigned.
        if isinstance(secret, Secret) and secret.context != self.context_of(model_instance.pk):
            raise MisplacedSecretError
        return secret

    def get_lookup(self, lookup_name: str) -> "type[Lookup[Any]] | None":
        # Who can compare a ciphertext can read it character by character.
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def get_transform(self, lookup_name: str) -> None:
        return None

    def from_db_value(
        self, value: str | None, expression: Expression, connection: BaseDatabaseWrapper
    ) -> Secret | None:
        return None if value is None else Secret(value)

    def to_python(self, value: Secret | str | None) -> Secret | None:
        # The text is what `value_to_string` wrote: ciphertext.
        return Secret(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, str):
            raise PlainTextError
        return value.ciphertext if isinstance(value, Secret) else super().get_prep_value(value)

    def value_to_string(self, obj: models.Model) -> str:
        secret = self.value_from_object(obj)
        return "" if secret is None else secret.ciphertext

    def formfield(self, **kwargs: Any) -> None:
        # No form ever shows a secret.
        return


def context_of(model: type[models.Model], field_name: str, pk: Any) -> str:
    """Return the context of an encrypted field, for SQL that reads or writes it without an instance."""
    field = cast("EncryptedTextField", model._meta.get_field(field_name))
    return field.context_of(pk)
