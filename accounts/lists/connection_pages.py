"""Pages of connections, in the orderings that the list offers."""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Q, QuerySet

from accounts.lists.pages import KeysetPaginator, order_by, select_after
from tokens.models import Connection, first_consent_with_end

# The column of each ordering.
_COLUMNS: Final = {
    "label": "label",
    "last_synced_at": "last_synced_at",
    "expires_at": "expires_at",
    # A consent holds for the same number of days as every other.
    "consent_ends_at": "consented_at",
}
CONNECTION_ORDERINGS: Final = tuple(_COLUMNS)


def paginate_connections(
    queryset: QuerySet[Connection], ordering: str, page_size: int
) -> KeysetPaginator[Connection]:
    """Return the pages of connections in one of CONNECTION_ORDERINGS, with `-` for descending.

    Ascending, what was never synced comes first; what has no end, or none that is known, comes last.
    """
    if ordering.removeprefix("-") == "label":
        return KeysetPaginator(queryset, ordering, page_size)
    return _DatedPaginator(queryset, ordering, page_size)


class _DatedPaginator(KeysetPaginator[Connection]):
    """Orders connections by a time that some do not have: these are a range of their own, in the order of ids."""

    def __init__(self, queryset: QuerySet[Connection], ordering: str, page_size: int) -> None:
        super().__init__(queryset, ordering, page_size)
        name = ordering.removeprefix("-")
        self._column = _COLUMNS[name]
        self._is_undated_first = name == "last_synced_at"
        dated, undated = (Q(**{f"{self._column}__isnull": is_null}) for is_null in (False, True))
        if name == "consent_ends_at":
            first = first_consent_with_end()
            dated, undated = Q(consented_at__gte=first), undated | Q(consented_at__lt=first)
        self._ranges = {True: queryset.filter(dated), False: queryset.filter(undated)}

    def _fetch_rows(self, position: list[Any] | None, *, descending: bool) -> list[Connection]:
        # The range of the position, from there on; then the other range, if it comes after it.
        order = [False, True] if self._is_undated_first != descending else [True, False]
        if position is not None and (position[0] is not None) == order[1]:
            order = order[1:]
        rows: list[Connection] = []
        for is_dated in order:
            columns = (self._column, "pk") if is_dated else ("pk",)
            # An index has the rows without a time in the order of ids, if the query names the time too.
            ordering = ("pk",) if self._column == "consented_at" and not is_dated else (self._column, "pk")
            found = self._ranges[is_dated]
            if position is not None and (position[0] is not None) == is_dated:
                values = position if is_dated else position[1:]
                found = found.filter(select_after(columns, values, descending=descending))
            missing = self.page_size + 1 - len(rows)
            rows += found.order_by(*order_by(ordering, descending=descending))[:missing]
            if len(rows) > self.page_size:
                break
        return rows

    def _get_position(self, row: Connection) -> list[Any]:
        value = getattr(row, self._column)
        if self._column == "consented_at" and row.consent_ends_at is None:
            value = None
        return [value, row.pk]

    def _get_fields(self) -> Sequence[Any]:
        return [Connection._meta.get_field(self._column), Connection._meta.pk]
