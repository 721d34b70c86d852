"""The logins that `connect` is given: one by options and standard input, or many in a CSV file.

Every error is a CommandError that repeats nothing of the input, because any part of it may be a token.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Final, TextIO

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from amazon_accounts.amazon_ads.foreign_text import has_token
from amazon_accounts.given_files import BYTE_ORDER_MARK, decode_given_text, read_given_rows
from amazon_accounts.postgresql.clock import approximate_now
from tokens.connect.forms import RegionsField
from tokens.connect.refresh_token import NotARefreshTokenError, looks_like_refresh_token
from tokens.connect.update import clean_label

COLUMNS: Final = ("label", "refresh_token", "regions", "consented_at")
# The place of a column that a header does not name.
NOWHERE: Final = -1


@dataclass(frozen=True)
class Login:
    """One login to connect."""

    label: str
    refresh_token: str = field(repr=False)
    regions: list[str]
    consented_at: datetime | None


def read_login(label: str, refresh_token: str, regions: str, consented_at: str) -> Login:
    _refuse_misplaced_tokens(label, regions, consented_at)
    try:
        label = clean_label(label)
    except ValidationError as error:
        raise CommandError(f"The label is wrong. {' '.join(error.messages)}") from error
    if refresh_token.startswith("Atza|"):
        raise CommandError("This is an access token. The refresh token is the one that begins with `Atzr|`.")
    if not looks_like_refresh_token(refresh_token):
        raise CommandError(str(NotARefreshTokenError()))
    try:
        chosen = RegionsField(required=False).clean(regions)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return Login(label, refresh_token, chosen, _consented_at(consented_at.strip()))


def _consented_at(text: str) -> datetime | None:
    if not text:
        return None
    try:
        consented_at = datetime.combine(date.fromisoformat(text), time.min, UTC)
    except ValueError:
        # Without its cause, which repeats the text where `--traceback` prints it.
        raise CommandError("The consent date must be a date like 2026-08-01.") from None
    if consented_at > approximate_now():
        raise CommandError("The consent date lies in the future.")
    return consented_at


def _refuse_misplaced_tokens(*texts: str) -> None:
    # A token in one of these texts would be stored and shown as plain text.
    if any(has_token(text) for text in texts):
        raise CommandError("A token is where none belongs; a text with a comma in it must be in quotes.")


def read_token(stdin: TextIO) -> str:
    try:
        token = _read_line(stdin).strip()
    except UnicodeDecodeError:
        raise CommandError(
            "This is no refresh token: standard input is not text in UTF-8 or UTF-16."
        ) from None
    if not token:
        raise CommandError("There is no refresh token on standard input.")
    return token


def _read_line(stdin: TextIO) -> str:
    if not isinstance(stdin, io.TextIOWrapper):
        return stdin.readline().removeprefix(BYTE_ORDER_MARK)
    line = stdin.buffer.readline()
    # The end of a line is two bytes in UTF-16, and only the first one has been read.
    return decode_given_text(
        line + b"\0" if line.endswith(b"\n") and len(line) % 2 and b"\0" in line else line
    )


def read_row(cells: list[str]) -> Login:
    label, token, regions, consented_at, *others = (*cells, "", "", "", "")
    _refuse_misplaced_tokens(*others)
    return read_login(label, token, regions, consented_at)


def read_rows(path: str, stdin: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield each row below the header, with the number of its last line. The path `-` is standard input.

    A header may name the columns in another order. Without a header they have the order of COLUMNS.
    """
    order: Sequence[int] | None = None
    is_first = True
    for line, cells in read_given_rows(path, stdin, _is_divided_rightly):
        if is_first and _is_header(cells):
            order = _read_order(cells)
        else:
            yield line, cells if order is None else _put_in_order(cells, order)
        is_first = False


def _is_divided_rightly(cells: Sequence[str]) -> bool:
    return _is_header(cells) or (len(cells) > 1 and any(looks_like_refresh_token(cell) for cell in cells))


def _is_header(cells: Sequence[str]) -> bool:
    return {"label", "refresh_token"} <= {cell.lower() for cell in cells}


def _read_order(header: Sequence[str]) -> list[int]:
    """Return the place of each column of COLUMNS in the rows, then the places of the other columns."""
    names = [cell.lower() for cell in header]
    known = [names.index(name) if name in names else NOWHERE for name in COLUMNS]
    return [*known, *(place for place in range(len(names)) if place not in known)]


def _put_in_order(cells: Sequence[str], order: Sequence[int]) -> list[str]:
    ordered = [cells[place] if 0 <= place < len(cells) else "" for place in order]
    # More cells than the header has: a text with the delimiter in it is not in quotes.
    ordered += cells[len([place for place in order if place != NOWHERE]) :]
    while ordered and not ordered[-1]:
        ordered.pop()
    return ordered
