"""JSON as Amazon and what stands before it may send it."""

import json
from typing import NoReturn

import msgspec

from amazon_accounts.amazon_ads.foreign_text import make_storable


class NotJsonError(ValueError):
    """The body is not JSON that could be stored."""


def decode_json(body: bytes) -> object:
    """The JSON value in the body, every text in it make_storable. NotJsonError if there is none."""
    if b"\\u" not in body:
        try:
            value: object = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # The patient reader below takes a byte order mark, broken UTF-8 and lone surrogates.
        except RecursionError as error:
            raise NotJsonError("nested too deeply") from error
        else:
            return value
    return _patiently_decoded(body)


def _patiently_decoded(body: bytes) -> object:
    try:
        text = body.decode("utf-8-sig", errors="replace")
        # JSON knows no NaN and no infinity, and neither does PostgreSQL's.
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        return make_storable(value)
    except RecursionError as error:
        raise NotJsonError("nested too deeply") from error
    except ValueError as error:
        raise NotJsonError("not JSON") from error


def _refuse(constant: str) -> NoReturn:
    raise NotJsonError(f"{constant} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise NotJsonError("a number beyond every bound")
    return number
