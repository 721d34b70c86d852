"""Reads JSON as Amazon, or a proxy before it, may send it."""

import json
from typing import NoReturn

import msgspec

from amazon_accounts.amazon_ads.foreign_text import make_storable


class NotJsonError(ValueError):
    """The body is not JSON that could be stored."""


def decode_json(body: bytes) -> object:
    """Return the JSON value of a body, with texts that PostgreSQL can store. NotJsonError if there is none."""
    if b"\\u" not in body:
        try:
            value: object = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # The tolerant decoder accepts a byte order mark, broken UTF-8 and lone surrogates.
        except RecursionError as error:
            raise NotJsonError("nested too deeply") from error
        else:
            return value
    return _decode_tolerantly(body)


def _decode_tolerantly(body: bytes) -> object:
    try:
        text = body.decode("utf-8-sig", errors="replace")
        # JSON has no NaN and no infinity, and neither has PostgreSQL's.
        value = json.loads(text, parse_constant=_refuse, parse_float=_parse_float)
        return make_storable(value)
    except RecursionError as error:
        raise NotJsonError("nested too deeply") from error
    except ValueError as error:
        raise NotJsonError("not JSON") from error


def _refuse(constant: str) -> NoReturn:
    raise NotJsonError(f"{constant} is not a number")


def _parse_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise NotJsonError("a number that is too large")
    return number
