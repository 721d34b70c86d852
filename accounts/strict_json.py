"""JSON from people, read strictly: what PostgreSQL could not store, or Python could not walk, is refused here."""

from typing import Any

import msgspec

DEEPEST = 32  # levels of objects and arrays


class BadJSONError(ValueError):
    """The text is not JSON that can be stored. `field` is the path of what is wrong, as far as it is known."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


def read_json(text: bytes | str) -> Any:
    """Return what the text says, or raise BadJSONError with a sentence that a person can act on.

    Refused beside malformed text: NaN and infinite numbers, lone surrogates, NUL characters, more than 32 levels.
    """
    try:
        value = msgspec.json.decode(text)
    except RecursionError:
        raise BadJSONError(f"It is nested more than {DEEPEST} levels deep.") from None
    except UnicodeError:
        raise BadJSONError("It is not UTF-8 text.") from None
    except msgspec.MsgspecError as error:
        raise BadJSONError(f"It is not valid JSON: {error}.") from None
    _refuse_what_cannot_be_stored(value, 1, "")
    return value


def _refuse_what_cannot_be_stored(value: Any, level: int, field: str) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise BadJSONError("It has a NUL character in it.", field)
    elif isinstance(value, dict | list):
        if level > DEEPEST:
            raise BadJSONError(f"It is nested more than {DEEPEST} levels deep.", field)
        for key in value:
            _refuse_what_cannot_be_stored(key, level + 1, field)
            if isinstance(value, dict):
                _refuse_what_cannot_be_stored(value[key], level + 1, _inside(field, key, level))


def _inside(field: str, key: str, level: int) -> str:
    """Return the path of what the key holds: of two names at most, since no request has fields further inside."""
    if not field:
        return key[:60]
    return f"{field}.{key[:60]}" if level == 2 else field
