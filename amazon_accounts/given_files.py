"""Reading the files that people give to commands, in the forms in which Windows and spreadsheets save them."""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

from django.core.management.base import CommandError

BYTE_ORDER_MARK: Final = "\ufeff"
DELIMITERS: Final = (",", ";", "\t")


def read_given_text(path: str, stdin: TextIO) -> str:
    """Return the text of a file; the path `-` is standard input. UTF-8 and UTF-16 are read, with or without a mark.

    Raises CommandError, which repeats nothing of the content.
    """
    name = name_given_file(path)
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
        return decode_given_text(content)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # Without its cause, which holds the whole content.
        raise CommandError(f"{name} is not text in UTF-8 or UTF-16: see line {line}.") from None


def name_given_file(path: str) -> str:
    return "Standard input" if path == "-" else path


def decode_given_text(content: bytes) -> str:
    """Decode UTF-8 or UTF-16, and drop the byte order mark. Raises UnicodeDecodeError."""
    return content.decode(_find_encoding(content)).removeprefix(BYTE_ORDER_MARK)


def _find_encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # The first character of every file for a command is an ASCII character: one of its bytes is zero in UTF-16.
    if content[:1] == b"\0":
        return "utf-16-be"
    return "utf-16-le" if content[1:2] == b"\0" else "utf-8"


def read_given_rows(
    path: str, stdin: TextIO, is_right: Callable[[Sequence[str]], bool]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV file that are not empty, each with the number of its last line.

    The columns are divided by commas, semicolons or tabs: `is_right` tells whether a first row is divided rightly.
    Raises CommandError, which repeats nothing of the content.
    """
    text = read_given_text(path, stdin)
    delimiter = next((each for each in DELIMITERS if _divides_rightly(text, each, is_right)), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error:
        raise CommandError(
            f"{name_given_file(path)} is not a CSV file: see line {reader.line_num}."
        ) from None


def _divides_rightly(text: str, delimiter: str, is_right: Callable[[Sequence[str]], bool]) -> bool:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return next((is_right(cells) for row in rows if any(cells := [cell.strip() for cell in row])), False)
    except csv.Error:
        return False
