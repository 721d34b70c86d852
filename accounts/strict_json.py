"""JSON from people, read strictly: what PostgreSQL could not store, or what may mean two things, is refused here."""

import json
import math
from dataclasses import dataclass
from typing import Any

DEEPEST = 32  # levels of objects and arrays
LONGEST_INTEGER = 20  # characters: ids of Amazon's have up to 19


class BadJSONError(ValueError):
    """The text is not JSON that can be stored. `field` is the path of what is wrong, as far as it is known."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


def read_json(text: bytes | str) -> Any:
    """Return what the text says, or raise BadJSONError with a sentence that a person can act on.

    Refused beside malformed text: a name that stands twice in an object, NaN, infinite numbers and integers of more
    than 20 characters, lone surrogates, NUL characters, more than 32 levels.
    """
    try:
        value = _DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError:
        raise BadJSONError(f"It is nested more than {DEEPEST} levels deep.") from None
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
    """Stands where something was that cannot be taken, until it is known in which field that is."""

    sentence: str
    key: str = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Refused:
    read = dict(pairs)
    if len(read) == len(pairs):
        return read
    seen = set[str]()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    return _Refused(f"“{name[:60]}” stands twice in one object, and only one can be meant.", name)


def _integer(digits: str) -> int | _Refused:
    return int(digits) if len(digits) <= LONGEST_INTEGER else _Refused("It is too large a number.")


def _number(digits: str) -> float | _Refused:
    return number if math.isfinite(number := float(digits)) else _Refused("It is too large a number.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=lambda name: _Refused(f"{name} is not a number."),
)


def _refuse_what_cannot_be_stored(value: Any, level: int, field: str) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise BadJSONError("It has a NUL character in it.", field)
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise BadJSONError("It has half a character in it: a surrogate without its other half.", field)
    elif isinstance(value, dict | list):
        if level > DEEPEST:
            raise BadJSONError(f"It is nested more than {DEEPEST} levels deep.", field)
        for key in value:
            _refuse_what_cannot_be_stored(key, level + 1, field)
            if isinstance(value, dict):
                _refuse_what_cannot_be_stored(value[key], level + 1, _inside(field, key, level))
    elif isinstance(value, _Refused):
        raise BadJSONError(value.sentence, _inside(field, value.key, level) if value.key else field)


def _inside(field: str, key: str, level: int) -> str:
    """Return the path of what the key holds: of two names at most, since no request has fields further inside."""
    if not field:
        return key[:60]
    return f"{field}.{key[:60]}" if level == 2 else field
