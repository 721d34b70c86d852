"""Pages that begin after a key: an index finds every page, and no row is skipped or repeated while others change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

Row = TypeVar("Row", bound=models.Model)

MAX_COUNT = 10_000


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows in order, and where the next and the previous page begin (None: there is none)."""

    items: list[Row]
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True)
class Count:
    """How many rows there are. With `capped` there are more than `number`."""

    number: int
    capped: bool


def count_capped(queryset: QuerySet[Any], cap: int = MAX_COUNT) -> Count:
    # A page shows "10,000+", because the exact number of a million rows takes a second.
    number = queryset.order_by().values("pk")[: cap + 1].count()
    return Count(min(number, cap), capped=number > cap)


class KeysetPaginator(Generic[Row]):
    """Cuts a queryset into pages by the values of one column and the primary key.

    `ordering` names a column that is never null, with `-` before it for descending. A `unique` column is used
    without the primary key. A cursor holds a direction and the values of the row that it starts beside. It is signed
    for this model and ordering: an old, foreign or forged cursor is a ValidationError on `cursor`.

        page = KeysetPaginator(SyncRun.objects.all(), "-created_at", 100).page(request.GET.get("cursor"))

    Accounts have `paginate_accounts()`.
    """

    def __init__(
        self, queryset: QuerySet[Row], ordering: str, page_size: int, *, unique: bool = False
    ) -> None:
        self.queryset = queryset
        self.ordering = ordering
        self.page_size = page_size
        column = ordering.removeprefix("-")
        self.columns = (column,) if unique else (column, "pk")

    def page(self, cursor: str | None = None) -> Page[Row]:
        backward, position = self._read_cursor(cursor) if cursor else (False, None)
        rows = self._fetch_rows(position, descending=self.ordering.startswith("-") != backward)
        # One row more than a page was read: it tells whether another page follows.
        has_more = len(rows) > self.page_size
        rows = rows[: self.page_size]
        if backward:
            rows.reverse()
        if not rows:
            return Page([], None, None)
        has_next = has_more or backward
        has_previous = has_more if backward else position is not None
        return Page(
            rows,
            self._write_cursor(rows[-1], backward=False) if has_next else None,
            self._write_cursor(rows[0], backward=True) if has_previous else None,
        )

    def _fetch_rows(self, position: list[Any] | None, *, descending: bool) -> list[Row]:
        queryset = self.queryset
        if position is not None:
            queryset = queryset.filter(select_after(self.columns, position, descending=descending))
        return list(queryset.order_by(*order_by(self.columns, descending=descending))[: self.page_size + 1])

    def _get_position(self, row: Row) -> list[Any]:
        return [getattr(row, column) for column in self.columns]

    def _get_fields(self) -> Sequence[Any]:
        options = self.queryset.model._meta
        names = [options.pk.name if column == "pk" else column for column in self.columns]
        return [options.get_field(name) for name in names]

    def _signer(self) -> signing.Signer:
        return signing.Signer(salt=f"{self.queryset.model._meta.label_lower}:{self.ordering}")

    def _write_cursor(self, row: Row, *, backward: bool) -> str:
        position = [None if value is None else str(value) for value in self._get_position(row)]
        return self._signer().sign_object([int(backward), *position])

    def _read_cursor(self, cursor: str) -> tuple[bool, list[Any]]:
        try:
            backward, *position = self._signer().unsign_object(cursor)
            values = [
                column.to_python(value) for column, value in zip(self._get_fields(), position, strict=True)
            ]
        except (signing.BadSignature, TypeError, ValueError, ValidationError):
            raise ValidationError(
                {"cursor": "It is not a cursor of this list in this ordering. Start from the first page."}
            ) from None
        return bool(backward), values


def order_by(columns: Sequence[str], *, descending: bool) -> list[str]:
    return [f"-{column}" if descending else column for column in columns]


def select_after(columns: Sequence[str], values: Sequence[Any], *, descending: bool) -> Q:
    """Return the condition "after these values in this order", as a comparison of rows: `(a, b) > (x, y)`."""
    # PostgreSQL starts to read the index at the values. For `a > x OR (a = x AND b > y)` it would read all rows before
    # the values, for `a >= x AND (a > x OR b > y)` all rows with the same `a`: half a table if `a` is the status.
    if len(columns) == 1:
        return Q(**{f"{columns[0]}__{'lt' if descending else 'gt'}": values[0]})
    comparison = TupleLessThan if descending else TupleGreaterThan
    return Q(comparison(Tuple(*map(F, columns)), tuple(values)))
