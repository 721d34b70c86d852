"""Entering the days of many consents at once, from a CSV file."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from amazon_accounts.given_files import DELIMITERS, decode_given_text
from tokens.connect.update import update_connection
from tokens.models import Connection, ConnectionQuerySet
from tokens.permissions import System, require

PERMISSION: Final = "tokens.connect_amazon"
MAX_BYTES: Final = 512 * 1024
MAX_ROWS: Final = 2000
# A file in which every line is wrong says so in less than its own length.
MAX_ERRORS: Final = 50


class Row(NamedTuple):
    line: int
    key: str
    day: str


def enter_consent_dates(user: User | System, data: bytes) -> int:
    """Enter the days of a CSV file with the columns `id` or `login`, and `consented_on`; return how many were changed.

    A login is its e-mail address, name or id at Amazon. Raises PermissionDenied, and ValidationError with what is wrong
    in each line; then nothing is changed.
    """
    require(user, PERMISSION)
    column, rows = _read(data)
    errors: list[str] = []
    changed = 0
    with transaction.atomic():
        connections = _find(user, column, rows)
        for row in rows:
            found = connections.get(row.key.lower(), [])
            try:
                connection = _get_one(row, column, found)
                changed += update_connection(user, connection, {"consented_on": row.day}).changed
            except ValidationError as error:
                errors.append(f"Line {row.line}: {' '.join(error.messages)}")
        if errors:
            more = [f"{len(errors) - MAX_ERRORS:,} more lines are wrong."] if len(errors) > MAX_ERRORS else []
            raise ValidationError([*errors[:MAX_ERRORS], *more])
    return changed


def _read(data: bytes) -> tuple[str, list[Row]]:
    """Return the column that names the connections, and the rows that are not empty."""
    if len(data) > MAX_BYTES:
        raise ValidationError(f"The file has more than {MAX_BYTES // 1024} KB.")
    try:
        text = decode_given_text(data)
    except UnicodeDecodeError:
        raise ValidationError("The file is not text in UTF-8.") from None
    if "\0" in text:
        raise ValidationError("The file is not text in UTF-8.")
    header = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except csv.Error:
        raise ValidationError(f"The file is not a CSV file: see line {reader.line_num}.") from None
    names = [name.lower() for name in lines[0][1]] if lines else []
    column = next((name for name in ("id", "login") if name in names), "")
    if not column or "consented_on" not in names:
        raise ValidationError("The first line must name the columns: `id` or `login`, and `consented_on`.")
    if len(lines) - 1 > MAX_ROWS:
        raise ValidationError(f"The file has more than {MAX_ROWS:,} lines. Divide it.")
    return column, list(_pick(lines[1:], names.index(column), names.index("consented_on")))


def _pick(lines: Sequence[tuple[int, list[str]]], key: int, day: int) -> Iterator[Row]:
    for line, cells in lines:
        padded = [*cells, *[""] * (max(key, day) + 1 - len(cells))]
        yield Row(line, padded[key], padded[day])


def _find(user: User | System, column: str, rows: Sequence[Row]) -> dict[str, list[Connection]]:
    """Return the connections that the person sees, by the text of the file that may name them, in small letters."""
    keys = {row.key for row in rows}
    visible = Connection.objects.visible_to(user).exclude(state=Connection.State.DISCONNECTED)
    if column == "id":
        ids = [row_id for key in keys if (row_id := _parse_id(key))]
        return {str(row.pk): [row] for row in _load(visible.filter(pk__in=ids))}
    named = Q(amazon_user_email__in=keys) | Q(amazon_user_name__in=keys) | Q(amazon_user_id__in=keys)
    found: dict[str, list[Connection]] = {}
    for row in _load(visible.filter(named)):
        for name in {row.amazon_user_email, row.amazon_user_name, row.amazon_user_id or ""} - {""}:
            found.setdefault(name.lower(), []).append(row)
    return found


def _load(connections: ConnectionQuerySet) -> ConnectionQuerySet:
    return connections.defer("access_token", "refresh_token")


def _parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _get_one(row: Row, column: str, found: Sequence[Connection]) -> Connection:
    if not row.key:
        raise ValidationError(f"The {column} is missing.")
    if not found:
        raise ValidationError(f"None of your connections has this {column}.")
    if len(found) > 1:
        raise ValidationError("Several of your connections have this login. Name it by its id.")
    if not row.day:
        raise ValidationError("The day is missing.")
    return found[0]
