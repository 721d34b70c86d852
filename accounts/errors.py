"""What is wrong with a request, by field: as much of it as a person reads."""

from collections.abc import Mapping
from itertools import islice

from django.core.exceptions import ValidationError

MOST_ERRORS = 20


def refusal(errors: Mapping[str, str]) -> ValidationError:
    """Return an error that names the first 20 fields; the last of them says how many more there are.

    Who sends 100,000 unknown names would else be answered with tens of megabytes.
    """
    named = dict(islice(errors.items(), MOST_ERRORS))
    if more := len(errors) - len(named):
        # Not an entry of its own: it has no field, and callers put the name of what holds the fields before each.
        last = next(reversed(named))
        named[last] += f" And {more:,} more {'is' if more == 1 else 'are'} wrong."
    return ValidationError(named)
