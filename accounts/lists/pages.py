"""Pages by key instead of by number: each is found by an index, however deep, and stays right while rows change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, F, Func, OuterRef, Q, QuerySet, Value, When
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.db.models.functions import Coalesce

from accounts.lists.any_of import id_is_one_of
from accounts.models import Account
from tokens.models import Connection

Row = TypeVar("Row", bound=models.Model)

ACCOUNT_ORDERINGS = ("name", "last_synced_at", "status")
COUNT_CAP = 10_000
# Up to so many accounts are sorted by their connection's last sync; more are walked connection by connection.
SORTED_AT_MOST = 5_000
NEVER = datetime.min.replace(tzinfo=UTC)  # sorts before every sync
FIRST_ID, LAST_ID = UUID(int=0), UUID(int=2**128 - 1)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows in order, and where the pages beside them begin (None: there is none)."""

    items: list[Row]
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True)
class Count:
    """How many rows there are; with `capped`, at least so many."""

    number: int
    capped: bool


def capped_count(queryset: QuerySet[Any], cap: int = COUNT_CAP) -> Count:
    """Count at most `cap` rows: a page needs "10,000+" and not the second that the exact number takes."""
    number = queryset.order_by().values("pk")[: cap + 1].count()
    return Count(min(number, cap), capped=number > cap)


class KeysetPaginator(Generic[Row]):
    """Cuts a queryset into pages by the values of one column and the primary key.

    `ordering` names a column that is never null, `-` before it for descending. A cursor holds the direction and the
    values of the row it starts beside; it is signed for this model and ordering, so that a foreign, old or tampered
    one is a ValidationError on `cursor`. A `unique` column needs no primary key beside it.

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
        backward, position = self._read(cursor) if cursor else (False, None)
        rows = self._rows(position, backward=backward)
        has_more = len(rows) > self.page_size
        rows = rows[: self.page_size]
        if backward:
            rows.reverse()
        if not rows:
            return Page([], None, None)
        follows = has_more or backward
        precedes = has_more if backward else position is not None
        return Page(
            rows,
            self._write(rows[-1], backward=False) if follows else None,
            self._write(rows[0], backward=True) if precedes else None,
        )

    def _rows(self, position: list[Any] | None, *, backward: bool) -> list[Row]:
        """Return up to one row more than a page, read from the position away."""
        descending = self.ordering.startswith("-") != backward
        queryset = self.queryset
        if position is not None:
            queryset = queryset.filter(beyond(self.columns, position, descending=descending))
        return list(queryset.order_by(*ordered(self.columns, descending=descending))[: self.page_size + 1])

    def _position(self, row: Row) -> list[Any]:
        return [getattr(row, column) for column in self.columns]

    def _fields(self) -> "list[models.Field[Any, Any]]":
        """Return the fields whose values a position holds."""
        options = self.queryset.model._meta
        names = [options.pk.name if column == "pk" else column for column in self.columns]
        return [options.get_field(name) for name in names]  # type: ignore[misc]

    def _signer(self) -> signing.Signer:
        return signing.Signer(salt=f"{self.queryset.model._meta.label_lower}:{self.ordering}")

    def _write(self, row: Row, *, backward: bool) -> str:
        position = [None if value is None else str(value) for value in self._position(row)]
        return self._signer().sign_object([int(backward), *position])

    def _read(self, cursor: str) -> tuple[bool, list[Any]]:
        try:
            backward, *position = self._signer().unsign_object(cursor)
        except (signing.BadSignature, ValueError):
            raise ValidationError(
                {"cursor": "It is not a cursor of this list in this ordering. Start from the first page."}
            ) from None
        values = [column.to_python(value) for column, value in zip(self._fields(), position, strict=True)]
        return bool(backward), values


class _LastSyncedPaginator(KeysetPaginator[Account]):
    """Orders accounts by the last sync of their connection, then by connection, then by account.

    The time stands on the connection, so no index of the accounts has this order. Few accounts are sorted; of many,
    only so many are read as the page holds, connection by connection in their order.
    """

    def _rows(self, position: list[Any] | None, *, backward: bool) -> list[Account]:
        descending = self.ordering.startswith("-") != backward
        matching = self._few()
        if matching == []:
            return []
        if matching is not None:
            rows = self._sorted(matching, position, descending=descending)
        else:
            rows = self.queryset.filter(pk__in=self._walked(position, descending=descending))
        synced = Coalesce("connection__last_synced_at", Value(NEVER))
        keys = ("synced", "connection_id", "pk")
        return list(
            rows.alias(synced=synced).order_by(*ordered(keys, descending=descending))[: self.page_size + 1]
        )

    def _few(self) -> list[UUID] | None:
        """Return the ids of all rows if they are few."""
        if not self.queryset.query.where:
            return None
        ids = list(self.queryset.order_by().values_list("pk", flat=True)[: SORTED_AT_MOST + 1])
        return ids if len(ids) <= SORTED_AT_MOST else None

    def _sorted(self, ids: list[UUID], position: list[Any] | None, *, descending: bool) -> QuerySet[Account]:
        rows = self.queryset.filter(id_is_one_of(ids))
        if position is None:
            return rows
        synced = Coalesce("connection__last_synced_at", Value(NEVER))
        keys = ("synced", "connection_id", "pk")
        return rows.alias(synced=synced).filter(beyond(keys, position, descending=descending))

    def _walked(self, position: list[Any] | None, *, descending: bool) -> QuerySet[Any]:
        """Return the ids of a page and one more, read from the indexes of each connection in turn."""
        connections = Connection.objects.alias(synced=Coalesce("last_synced_at", Value(NEVER)))
        begin: UUID | Case = LAST_ID if descending else FIRST_ID
        if position is not None:
            synced, connection_id, account_id = position
            connections = connections.filter(
                beyond(("synced", "pk"), [synced, connection_id], descending=descending)
                | Q(synced=synced, pk=connection_id)
            )
            begin = Case(
                When(Q(pk=connection_id), then=Value(account_id)),
                default=Value(begin),
                output_field=models.UUIDField(),
            )
            connections = connections.alias(begin=begin)
        else:
            connections = connections.alias(begin=Value(begin, output_field=models.UUIDField()))
        comparison = "pk__lt" if descending else "pk__gt"
        accounts = self.queryset.order_by("-pk" if descending else "pk").filter(
            connection=OuterRef("pk"), **{comparison: OuterRef("begin")}
        )
        return connections.order_by(*ordered(("synced", "pk"), descending=descending)).values(
            account=_Unnest(ArraySubquery(accounts.values("pk")[: self.page_size + 1]))
        )[: self.page_size + 1]

    def _position(self, row: Account) -> list[Any]:
        return [row.connection.last_synced_at, row.connection_id, row.pk]

    def _fields(self) -> "list[models.Field[Any, Any]]":
        last_synced_at = Connection._meta.get_field("last_synced_at")
        return [last_synced_at, Connection._meta.pk, Account._meta.pk]

    def _read(self, cursor: str) -> tuple[bool, list[Any]]:
        backward, (synced, *ids) = super()._read(cursor)
        return backward, [synced or NEVER, *ids]


class _Unnest(Func):
    function = "unnest"
    set_returning = True
    output_field = models.UUIDField()
    arity = 1


def paginate_accounts(queryset: QuerySet[Account], ordering: str, page_size: int) -> KeysetPaginator[Account]:
    """Return the pages of accounts in one of the orderings `name`, `last_synced_at` and `status`, `-` for descending.

    `last_synced_at` needs the connection of each row: give it a queryset that selects it.
    """
    column = ordering.removeprefix("-")
    if column not in ACCOUNT_ORDERINGS:
        offered = ", ".join(f"{name}, -{name}" for name in ACCOUNT_ORDERINGS)
        raise ValidationError(
            {"ordering": f"There is no ordering “{column[:40]}”. Those there are: {offered}."}
        )
    paginator = _LastSyncedPaginator if column == "last_synced_at" else KeysetPaginator[Account]
    return paginator(queryset, ordering, page_size)


def ordered(columns: Sequence[str], *, descending: bool) -> list[str]:
    return [f"-{column}" if descending else column for column in columns]


def beyond(columns: Sequence[str], values: Sequence[Any], *, descending: bool) -> Q:
    """Return the condition "after these values in this order", as a comparison of rows: `(a, b) > (x, y)`.

    An index begins to read at the values. Of `a > x OR (a = x AND b > y)` it reads everything before them, of
    `a >= x AND (a > x OR b > y)` all rows that have the same `a`: half a table if it is the status.
    """
    if len(columns) == 1:
        return Q(**{f"{columns[0]}__{'lt' if descending else 'gt'}": values[0]})
    comparison = TupleLessThan if descending else TupleGreaterThan
    return Q(comparison(Tuple(*map(F, columns)), tuple(values)))
