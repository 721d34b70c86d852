"""A strict JSON reader for requests. It refuses values that PostgreSQL cannot store, and ambiguous objects."""

import json
import math
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 32  # levels of objects and arrays
MAX_INTEGER_LENGTH = 20  # characters; Amazon's ids have up to 20


class BadJSONError(ValueError):
    """The text is not JSON that can be stored. `field` is the path of the wrong value, empty if it is unknown."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


def read_json(text: bytes | str) -> Any:
    """Return the value, or raise BadJSONError with a sentence that tells a person what to change.

    Refuses malformed text, a name that stands twice in one object, NaN, infinite numbers, integers of more than 20
    characters, lone surrogates, NUL characters, and more than 32 levels.
    """
    try:
        value = _DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError:
        raise BadJSONError(f"It is nested more than {MAX_DEPTH} levels deep.") from None
    except UnicodeDecodeError:
        raise BadJSONError("It is not UTF-8 text.") from None
    except json.JSONDecodeError as error:
        raise BadJSONError(
            f"It is not valid JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}."
        ) from None
    _refuse_what_cannot_be_stored(value, 1, "")
    return value


@dataclass(frozen=True)
class _Refused:
    """Takes the place of a refused value until the field that holds it is known."""

    sentence: str
    key: str = ""


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Refused:
    read = dict(pairs)
    if len(read) == len(pairs):
        return read
    seen = set[str]()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    return _Refused(f"“{name[:60]}” stands twice in one object, and only one can be meant.", name)


def _read_integer(digits: str) -> int | _Refused:
    return int(digits) if len(digits) <= MAX_INTEGER_LENGTH else _Refused("It is too large a number.")


def _read_number(digits: str) -> float | _Refused:
    return number if math.isfinite(number := float(digits)) else _Refused("It is too large a number.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_int=_read_integer,
    parse_float=_read_number,
    parse_constant=lambda name: _Refused(f"{name} is not a number."),
)


def _refuse_what_cannot_be_stored(value: Any, level: int, field: str) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise BadJSONError("It has a NUL character in it.", field)
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise BadJSONError("It has half a character in it: a surrogate without its other half.", field)
    elif isinstance(value, dict | list):
        if level > MAX_DEPTH:
            raise BadJSONError(f"It is nested more than {MAX_DEPTH} levels deep.", field)
        for key in value:
            _refuse_what_cannot_be_stored(key, level + 1, field)
            if isinstance(value, dict):
                _refuse_what_cannot_be_stored(value[key], level + 1, _join_path(field, key, level))
    elif isinstance(value, _Refused):
        raise BadJSONError(value.sentence, _join_path(field, value.key, level) if value.key else field)


def _join_path(field: str, key: str, level: int) -> str:
    # A path has at most two names, because the fields of requests are at most two levels deep.
    if not field:
        return key[:60]
    return f"{field}.{key[:60]}" if level == 2 else field
