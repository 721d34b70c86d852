"""Errors in the fields of a request."""

from collections.abc import Mapping
from itertools import islice

from django.core.exceptions import ValidationError

MAX_ERRORS = 20


class UnknownObjectError(ValidationError):
    """The request names an object that does not exist or that the person may not see."""


def build_validation_error(errors: Mapping[str, str]) -> ValidationError:
    """Return an error that names the first 20 fields. The text of the last field says how many more are wrong."""
    # The answer to a request with 100,000 unknown names would be tens of megabytes.
    named = dict(islice(errors.items(), MAX_ERRORS))
    if more := len(errors) - len(named):
        # The number gets no entry of its own, because callers put a prefix before each field.
        last = next(reversed(named))
        named[last] += f" And {more:,} more {'is' if more == 1 else 'are'} wrong."
    return ValidationError(named)
