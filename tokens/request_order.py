"""The order of the requests that change accounts and connections: what was asked last wins for each field.

A request takes a number when a person asks, and a later request has a larger number. `request_numbers` of an account
or a connection holds, by field, the number of the newest request that was carried out. An older request leaves the field as it is.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.db import connection as database
from django.db.models import Func, Value

from amazon_accounts.postgresql.statements import load

SEQUENCE = "accounts_request_number"
# A number is needed as long as an older request may still be carried out. This number of newer numbers covers the
# requests whose transaction has not ended yet.
KEPT_NUMBERS = 10_000


class RequestNumber(NamedTuple):
    """The number of a request, and the number up to which no request needs these numbers any more."""

    number: int
    last_forgettable: int


class Ordered(NamedTuple):
    """The numbers of a row after a request, and the fields that newer requests have changed."""

    numbers: dict[str, int]
    overtaken: list[str]


def next_request_number() -> Func:
    """Return the default of a column in the database."""
    return Func(Value(SEQUENCE), function="nextval")


def take_request_number() -> RequestNumber:
    return RequestNumber(*_fetch("take_request_number"))


def find_last_forgettable_number() -> int:
    (number,) = _fetch("find_last_forgettable_number")
    return number


def _fetch(statement: str) -> tuple[int, ...]:
    with database.cursor() as cursor:
        cursor.execute(load(__file__, statement), {"kept": KEPT_NUMBERS})
        row: tuple[int, ...] = cursor.fetchone()
    return row


def number_fields(changes: Mapping[str, object], names: Collection[str] = ("sync_enabled",)) -> list[str]:
    """Return the fields of `request_numbers` that stand for these changes: each label, and the fields of `names`."""
    labels = changes.get("labels", {})
    fields = [f"labels.{name}" for name in labels] if isinstance(labels, Mapping) else []
    return [*fields, *(name for name in names if name in changes)]


def note_request(numbers: Mapping[str, int], fields: Iterable[str], request: RequestNumber) -> dict[str, int]:
    """Return the numbers of a row after this request, without the numbers that are forgotten."""
    kept = {field: number for field, number in numbers.items() if number > request.last_forgettable}
    return kept | dict.fromkeys(fields, request.number)


class OvertakenError(Exception):
    """A newer request changed it."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def order_request(numbers: Mapping[str, int], fields: Collection[str], number: int | None) -> Ordered:
    """Return which fields of a locked row this request may change; without a number it is asked now, and newest.

    Raises OvertakenError if newer requests have changed all of them.
    """
    if number is None:
        request = take_request_number()
    else:
        request = RequestNumber(number, find_last_forgettable_number())
    overtaken = [field for field in fields if numbers.get(field, 0) > request.number]
    if fields and len(overtaken) == len(fields):
        raise OvertakenError
    free = [field for field in fields if field not in overtaken]
    return Ordered(note_request(numbers, free, request), overtaken)
