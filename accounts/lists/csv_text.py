"""CSV that is harmless in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Sequence

# A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def format_csv(rows: Iterable[Sequence[str]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([escape_formula(cell) for cell in row] for row in rows)
    return file.getvalue()


def escape_formula(text: str) -> str:
    # After a quote, a spreadsheet shows the cell as text.
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) else text
