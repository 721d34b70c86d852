"""The body of a request to the control path: a JSON object."""

import json
from typing import Any

Body = dict[str, Any]


class BadRequestError(ValueError):
    """The body of a request is not what the path expects."""


def read_object(text: bytes) -> Body:
    body = json.loads(text) if text.strip() else {}
    if not isinstance(body, dict):
        raise BadRequestError("The body is a JSON object.")
    return body


def read_text(body: Body, name: str, *, pop: bool = False) -> str:
    value = body.pop(name, None) if pop else body.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequestError(f"{name} is missing.")
    return value
