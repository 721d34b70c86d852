"""Makes text from Amazon safe to show, log and store. Such text is never trusted."""

import html
import re
import unicodedata
from collections.abc import Iterable

MASK = "***"
# Longer explanations of errors are cut.
MAX_EXPLANATION_CHARACTERS = 200

_TOKENS = re.compile(r"Atz[a-z](?:\||%7C)[^\s\"'<>&]*", re.IGNORECASE)
_UNSEEN_ELEMENTS = re.compile(r"<(script|style)\b.*?(</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"<[^>]*>?")
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._:=+/-]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def mask_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    return _TOKENS.sub(MASK, text)


def has_token(text: str) -> bool:
    return _TOKENS.search(text) is not None


def clean_explanation(text: object, secrets: Iterable[str] = ()) -> str:
    return clean_text(text, MAX_EXPLANATION_CHARACTERS, secrets)


def clean_text(text: object, max_characters: int, secrets: Iterable[str] = ()) -> str:
    """Return one line of at most `max_characters` without tags, control and direction characters and tokens."""
    if not isinstance(text, str):
        return ""
    seen = _TAGS.sub(" ", _UNSEEN_ELEMENTS.sub(" ", mask_secrets(text, secrets)))
    # A token that was written as HTML entities appears only now. So does a tag, which pages escape as text.
    seen = mask_secrets(html.unescape(seen), secrets)
    visible = "".join(
        " " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} else c for c in seen
    )
    line = " ".join(visible.split())
    return line if len(line) <= max_characters else line[: max_characters - 1] + "…"


def clean_identifier(text: object, secrets: Iterable[str] = ()) -> str:
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        return ""
    return _NOT_IN_AN_ID.sub("", mask_secrets(text, secrets))[:100]


def make_storable(value: object) -> object:
    """Replace NUL and lone surrogates in a JSON value by U+FFFD, because PostgreSQL cannot store them."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {make_storable(key): make_storable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [make_storable(entry) for entry in value]
    return value
