"""The logins that `connect` is given: one by options and standard input, or many in a CSV file.

Every error is a CommandError that repeats nothing of the input, because any part of it may be a token.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TextIO

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone

from tokens.connect.forms import RegionsField
from tokens.connect.update import clean_label

# Printable, without spaces. Amazon's tokens have at most 2048 characters.
REFRESH_TOKEN = re.compile(r"[\x21-\x7e]{1,2048}")
LIKE_A_TOKEN = re.compile(r"Atz[ar](\||%7C)", re.IGNORECASE)
BYTE_ORDER_MARK = "\ufeff"
COLUMNS = ("label", "refresh_token", "regions", "consented_at")


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
    if not REFRESH_TOKEN.fullmatch(refresh_token):
        raise CommandError("This is no refresh token: it must be one line of plain characters, `Atzr|...`.")
    if refresh_token.startswith("Atza|"):
        raise CommandError("This is an access token. The refresh token is the one that begins with `Atzr|`.")
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
    if consented_at > timezone.now():
        raise CommandError("The consent date lies in the future.")
    return consented_at


def _refuse_misplaced_tokens(*texts: str) -> None:
    # A token in one of these texts would be stored and shown as plain text.
    if any(LIKE_A_TOKEN.search(text) for text in texts):
        raise CommandError("A token is where none belongs; a text with a comma in it must be in quotes.")


def read_token(stdin: TextIO) -> str:
    try:
        token = stdin.readline().removeprefix(BYTE_ORDER_MARK).strip()
    except UnicodeDecodeError:
        raise CommandError("This is no refresh token: standard input is not text in UTF-8.") from None
    if not token:
        raise CommandError("There is no refresh token on standard input.")
    return token


def read_row(cells: list[str]) -> Login:
    label, token, regions, consented_at, *others = (*cells, "", "", "", "")
    _refuse_misplaced_tokens(*others)
    return read_login(label, token, regions, consented_at)


def read_rows(path: str, stdin: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Yield each row below the header, with the number of its last line. The path `-` is standard input."""
    name = "Standard input" if path == "-" else path
    reader = csv.reader(io.StringIO(_read_text(path, name, stdin), newline=""))
    is_first = True
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            is_header = is_first and tuple(cell.lower() for cell in cells[:2]) == COLUMNS[:2]
            is_first = False
            if not is_header:
                yield reader.line_num, cells
    except csv.Error:
        raise CommandError(f"{name} is not a CSV file: see line {reader.line_num}.") from None


def _read_text(path: str, name: str, stdin: TextIO) -> str:
    try:
        if path != "-":
            content = Path(path).read_bytes()
        elif isinstance(stdin, io.TextIOWrapper):
            # Bytes, because Python decodes standard input as the locale says.
            content = stdin.buffer.read()
        else:
            return stdin.read().removeprefix(BYTE_ORDER_MARK)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
    try:
        return content.decode().removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # Without its cause, which holds the whole content.
        raise CommandError(f"{name} is not text in UTF-8: see line {line}.") from None
