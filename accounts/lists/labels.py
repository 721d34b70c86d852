"""The filter by labels: all of the keys that it names, and of several values of one key any."""

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
        either |= Q(labels__contains=combination)
    return either


def write_samples(labels: Mapping[str, Any]) -> list[str]:
    """Return the same as JSON objects, of which a row must contain one."""
    return [json.dumps(combination) for combination in _combine(labels)]


def _combine(labels: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = itertools.product(*map(list_values, labels.values()))
    return [dict(zip(labels, values, strict=True)) for values in choices]
