"""The order of the requests that change accounts: what was asked last wins for each field of an account.

A request takes a number when a person asks, and a later request has a larger number. `Account.request_numbers` holds,
by field, the number of the newest request that was carried out. An older request leaves the field as it is.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.db import connection as database
from django.db.models import Func, Value

from amazon_accounts.postgresql.statements import load

SEQUENCE = "accounts_request_number"
# A number is needed as long as an older request may still be carried out. This number of newer numbers covers the
# requests whose transaction has not ended yet.
KEPT_NUMBERS = 10_000


class RequestNumber(NamedTuple):
    """The number of a request, and the number up to which no request needs the numbers of accounts any more."""

    number: int
    last_forgettable: int


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


def number_fields(changes: Mapping[str, object]) -> list[str]:
    """Return the fields of `request_numbers` that stand for these changes of an account."""
    labels = changes.get("labels", {})
    fields = [f"labels.{name}" for name in labels] if isinstance(labels, Mapping) else []
    return [*fields, *(["sync_enabled"] if "sync_enabled" in changes else [])]


def note_request(numbers: Mapping[str, int], fields: Iterable[str], request: RequestNumber) -> dict[str, int]:
    """Return the numbers of an account after this request, without the numbers that are forgotten."""
    kept = {field: number for field, number in numbers.items() if number > request.last_forgettable}
    return kept | dict.fromkeys(fields, request.number)
