"""CSV that is harmless in a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

# A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


# Excel takes a file without this mark for another encoding than UTF-8.
BYTE_ORDER_MARK: Final = "\ufeff"
# Excel takes a cell like this for a number: it rounds an id of 18 digits, and drops zeros at the begin.
LIKE_A_NUMBER: Final = re.compile(r"[0-9][0-9.,]*(e[+-]?[0-9]+)?", re.IGNORECASE)


def format_csv(rows: Iterable[Sequence[str]], *, for_excel: bool = False) -> str:
    escape = _escape_for_excel if for_excel else escape_formula
    file = io.StringIO()
    csv.writer(file).writerows([escape(cell) for cell in row] for row in rows)
    return file.getvalue()


def format_header(columns: Sequence[str], *, for_excel: bool = False) -> str:
    return f"{BYTE_ORDER_MARK if for_excel else ''}{format_csv([columns])}"


def escape_formula(text: str) -> str:
    # After a quote, a spreadsheet shows the cell as text.
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text


def _escape_for_excel(text: str) -> str:
    # A formula that is nothing but a text: Excel shows the text.
    return f'="{text}"' if LIKE_A_NUMBER.fullmatch(text) else escape_formula(text)
