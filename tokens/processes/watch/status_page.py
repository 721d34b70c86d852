"""What Amazon's own status page says, as a sentence for people. Its text is foreign, and only quoted."""

import asyncio
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings

from amazon_accounts.amazon_ads.foreign_text import clean_text
from amazon_accounts.outgoing.guarded import CallError, get

MAX_BYTES: Final = 262_144
MAX_CHARACTERS: Final = 500
MAX_TEXTS: Final = 30
# The form of an incident is not known, so its texts are looked for so deep.
MAX_DEPTH: Final = 4


def read_status_page() -> str:
    """Return "" if there is no page to ask."""
    if not settings.AMAZON_STATUS_URL:
        return ""
    try:
        answer = asyncio.run(get(settings.AMAZON_STATUS_URL, max_bytes=MAX_BYTES))
    except CallError as error:
        return f"Amazon's status page could not be read: {error}."
    if answer.status != HTTPStatus.OK:
        return f"Amazon's status page could not be read: it answers {answer.status}."
    try:
        page = json.loads(answer.body)
    except (ValueError, RecursionError):
        page = None
    incidents = page.get("status") if isinstance(page, dict) else None
    if not isinstance(incidents, list):
        return "Amazon's status page could not be understood."
    if not incidents:
        return "Amazon's status page names no incident."
    texts = dict.fromkeys(text for text in _list_texts(incidents, MAX_DEPTH) if text)
    quoted = clean_text(", ".join(list(texts)[:MAX_TEXTS]), MAX_CHARACTERS)
    return f"Amazon's status page says: “{quoted}”."


def _list_texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield clean_text(value, MAX_CHARACTERS)
    elif isinstance(value, dict | list) and depth:
        for part in value.values() if isinstance(value, dict) else value:
            yield from _list_texts(part, depth - 1)
