"""The filter by labels: all of the keys that it names, and of several values of one key any.

The value null asks for the rows that do not have the key.
"""

import itertools
import json
from collections.abc import Mapping
from typing import Any

from django.db.models import Q


def list_values(value: Any) -> list[Any]:
    """Return the values that one key may have."""
    return value if isinstance(value, list) else [value]


def where_labels(labels: Mapping[str, Any]) -> Q:
    """Return the condition that a row has these labels."""
    # An empty Q would match every row.
    either = Q(pk__in=[])
    for combination in _combine(labels):
        held = {key: value for key, value in combination.items() if value is not None}
        without = [key for key in combination if key not in held]
        each = Q(labels__contains=held)
        either |= each & ~Q(labels__has_any_keys=without) if without else each
    return either


def write_samples(labels: Mapping[str, Any]) -> list[str]:
    """Return the same as JSON objects, of which a row must meet one: contain its values, and no key whose value is null."""
    return [json.dumps(combination) for combination in _combine(labels)]


def _combine(labels: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = itertools.product(*map(list_values, labels.values()))
    return [dict(zip(labels, values, strict=True)) for values in choices]
