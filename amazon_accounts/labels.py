"""Labels: pairs of a name and a value that operators give to accounts and connections."""

import re
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError

from amazon_accounts.amazon_ads.foreign_text import has_token

MAX_LABELS: Final = 64
MAX_LABEL_LENGTH: Final = 256  # characters, of a name and of a value
# People read and type the name of a label: no blanks at its ends, no line breaks or other control characters.
LABEL_NAME: Final = re.compile(r"^(?!\s)[^\x00-\x1f\x7f-\x9f\u2028\u2029]+(?<!\s)$")


def merge_labels(labels: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return the labels after the changes, of which None removes a label. Raises ValidationError for too many."""
    result = {name: value for name, value in {**labels, **changes}.items() if value is not None}
    if len(result) > MAX_LABELS:
        raise ValidationError({"labels": f"There may be at most {MAX_LABELS} labels."})
    return result


def find_error_in_labels(labels: Any) -> str:
    """Return what is wrong with an object of labels to set and, with null, to remove; "" if nothing is."""
    if not isinstance(labels, dict):
        return "It must be an object of labels."
    if len(labels) > MAX_LABELS:
        return f"It may name at most {MAX_LABELS} labels."
    for key, value in labels.items():
        if has_token(f"{key} {value}"):
            # Without the name, which may be the token.
            return "A label has a token of Amazon in it. Labels are shown, and stored as plain text."
        if not isinstance(value, str | None):
            return f"The label “{key[:40]}” must be a string, or null to remove it."
        if not LABEL_NAME.fullmatch(key):
            return (
                f"The label “{key[:40]}” must have a name, without blanks at its ends and control characters."
            )
        if "\0" in (value or ""):
            return f"The label “{key[:40]}” has a NUL character in it."
        if max(len(key), len(value or "")) > MAX_LABEL_LENGTH:
            return f"The label “{key[:40]}” is longer than {MAX_LABEL_LENGTH} characters."
    return ""


def read_label_lines(text: str) -> dict[str, str]:
    """Return the labels that a person typed, one on each line as `client: acme`. Raises ValidationError."""
    labels: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not (name and colon):
            raise ValidationError(f"“{line[:40]}” is not of the form “client: acme”.")
        if name in labels:
            raise ValidationError(f"“{name[:40]}” is set twice.")
        labels[name] = value
    return labels
