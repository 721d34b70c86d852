"""Text that comes from Amazon, made fit to be shown and logged. It is hostile until proven otherwise."""

import html
import re
import unicodedata
from collections.abc import Iterable

MASK = "***"
#: Of Amazon's clean_explanation of an error, no more than this is kept.
MAX_EXPLANATION_CHARACTERS = 200

_TOKENS = re.compile(r"Atz[a-z](?:\||%7C)[^\s\"'<>&]*", re.IGNORECASE)
_UNSEEN_ELEMENTS = re.compile(r"<(script|style)\b.*?(</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"<[^>]*>?")
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._:=+/-]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def mask_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with everything that is, or looks like, a token masked."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    return _TOKENS.sub(MASK, text)


def clean_explanation(text: object, secrets: Iterable[str] = ()) -> str:
    """At most 200 characters of one line: no tags, no control or direction characters, no tokens."""
    if not isinstance(text, str):
        return ""
    seen = _TAGS.sub(" ", _UNSEEN_ELEMENTS.sub(" ", mask_secrets(text, secrets)))
    # A token that was written as entities shows only now; a tag that does stays text, and is escaped as such.
    seen = mask_secrets(html.unescape(seen), secrets)
    visible = "".join(
        " " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} else c for c in seen
    )
    line = " ".join(visible.split())
    return line if len(line) <= MAX_EXPLANATION_CHARACTERS else line[: MAX_EXPLANATION_CHARACTERS - 1] + "…"


def clean_identifier(text: object, secrets: Iterable[str] = ()) -> str:
    """A code or request id reduced to the characters that such a thing has."""
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        return ""
    return _NOT_IN_AN_ID.sub("", mask_secrets(text, secrets))[:100]


def make_storable(value: object) -> object:
    """The same JSON value with NUL and lone surrogates, which PostgreSQL cannot keep, as U+FFFD."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {make_storable(key): make_storable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [make_storable(entry) for entry in value]
    return value
