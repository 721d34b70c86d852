"""`id = ANY(array)`: all ids in one value, where `IN` has a parameter for each id or a join with a sub-select.

PostgreSQL expects few ids in an array, and always looks each of them up by key.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import BooleanField, F, Func, QuerySet, UUIDField, Value


class _AnyOf(Func):
    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    output_field = BooleanField()


def id_is_one_of(ids: Collection[UUID] | QuerySet[Any, Any]) -> _AnyOf:
    """Return the condition that the id of a row is one of `ids`: a collection, or a query of one column."""
    if isinstance(ids, QuerySet):
        return _AnyOf(F("pk"), ArraySubquery(ids))
    return _AnyOf(F("pk"), Value(list(ids), output_field=ArrayField(UUIDField())))
