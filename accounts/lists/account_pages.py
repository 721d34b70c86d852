"""Pages of accounts, in the orderings that the list offers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, Func, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from accounts.lists.any_of import id_is_one_of
from accounts.lists.pages import KeysetPaginator, order_by, select_after
from accounts.models import Account
from tokens.models import Connection

ACCOUNT_ORDERINGS = ("name", "last_synced_at", "status")
# Up to this number, accounts are sorted by the last sync of their connection. More are read connection by connection.
MAX_SORTED = 5_000
NEVER = datetime.min.replace(tzinfo=UTC)  # sorts before every sync
FIRST_ID, LAST_ID = UUID(int=0), UUID(int=2**128 - 1)


def paginate_accounts(
    queryset: QuerySet[Account], ordering: str, page_size: int, *, max_sorted: int = MAX_SORTED
) -> KeysetPaginator[Account]:
    """Return the pages of accounts ordered by `name`, `last_synced_at` or `status`, with `-` for descending.

    `last_synced_at` needs the connection of each row: give it a queryset that selects the connection.
    """
    column = ordering.removeprefix("-")
    if column not in ACCOUNT_ORDERINGS:
        offered = ", ".join(f"{name}, -{name}" for name in ACCOUNT_ORDERINGS)
        raise ValidationError(
            {"ordering": f"There is no ordering “{column[:40]}”. The orderings are: {offered}."}
        )
    if column == "last_synced_at":
        return _LastSyncedPaginator(queryset, ordering, page_size, max_sorted=max_sorted)
    return KeysetPaginator(queryset, ordering, page_size)


def select_keys(accounts: QuerySet[Account], ordering: str) -> QuerySet[Account]:
    """Load of each account only what `paginate_accounts` needs for the ordering."""
    column = ordering.removeprefix("-")
    if column == "last_synced_at":
        return accounts.select_related("connection").only("connection__last_synced_at")
    return accounts.only(column)


class _LastSyncedPaginator(KeysetPaginator[Account]):
    """Orders accounts by the last sync of their connection, then by connection, then by account.

    The time is stored with the connection, so no index of the accounts has this order. A few accounts are sorted. Of
    many accounts only one page is read, connection by connection in their order.
    """

    def __init__(
        self, queryset: QuerySet[Account], ordering: str, page_size: int, *, max_sorted: int
    ) -> None:
        super().__init__(queryset, ordering, page_size)
        self.max_sorted = max_sorted

    def _fetch_rows(self, position: list[Any] | None, *, descending: bool) -> list[Account]:
        # Sorting is fastest for a few accounts. For many accounts it would read all of them for one page.
        ids = self._fetch_few_ids()
        if ids == []:
            return []
        if ids is None:
            rows = self.queryset.filter(pk__in=self._select_page(position, descending=descending))
        else:
            rows = self._select_sorted(ids, position, descending=descending)
        synced = Coalesce("connection__last_synced_at", Value(NEVER))
        keys = ("synced", "connection_id", "pk")
        ordered = rows.alias(synced=synced).order_by(*order_by(keys, descending=descending))
        return list(ordered[: self.page_size + 1])

    def _fetch_few_ids(self) -> list[UUID] | None:
        # Return the ids of all rows, or None if there are too many to sort.
        # Without a filter there are as many rows as accounts, so counting would cost more than it saves.
        if not self.queryset.query.where:
            return None
        ids = list(self.queryset.order_by().values_list("pk", flat=True)[: self.max_sorted + 1])
        return ids if len(ids) <= self.max_sorted else None

    def _select_sorted(
        self, ids: list[UUID], position: list[Any] | None, *, descending: bool
    ) -> QuerySet[Account]:
        rows = self.queryset.filter(id_is_one_of(ids))
        if position is None:
            return rows
        synced = Coalesce("connection__last_synced_at", Value(NEVER))
        keys = ("synced", "connection_id", "pk")
        return rows.alias(synced=synced).filter(select_after(keys, position, descending=descending))

    def _select_page(self, position: list[Any] | None, *, descending: bool) -> QuerySet[Any]:
        connections = Connection.objects.alias(synced=Coalesce("last_synced_at", Value(NEVER)))
        begin: Value | Case = Value(LAST_ID if descending else FIRST_ID, output_field=models.UUIDField())
        if position is not None:
            synced, connection_id, account_id = position
            # The page before ended at this account of this connection. The page begins at the next account of the
            # connection, and continues with all accounts of the next connections.
            connections = connections.filter(
                select_after(("synced", "pk"), [synced, connection_id], descending=descending)
                | Q(synced=synced, pk=connection_id)
            )
            begin = Case(
                When(Q(pk=connection_id), then=Value(account_id)),
                default=begin,
                output_field=models.UUIDField(),
            )
        comparison = "pk__lt" if descending else "pk__gt"
        accounts = self.queryset.order_by("-pk" if descending else "pk").filter(
            connection=OuterRef("pk"), **{comparison: OuterRef("begin")}
        )
        page = ArraySubquery(accounts.values("pk")[: self.page_size + 1])
        return (
            connections.alias(begin=begin)
            .order_by(*order_by(("synced", "pk"), descending=descending))
            .values(account=_Unnest(page))[: self.page_size + 1]
        )

    def _get_position(self, row: Account) -> list[Any]:
        return [row.connection.last_synced_at, row.connection_id, row.pk]

    def _get_fields(self) -> Sequence[Any]:
        last_synced_at = Connection._meta.get_field("last_synced_at")
        return [last_synced_at, Connection._meta.pk, Account._meta.pk]

    def _read_cursor(self, cursor: str) -> tuple[bool, list[Any]]:
        backward, (synced, *ids) = super()._read_cursor(cursor)
        return backward, [synced or NEVER, *ids]


class _Unnest(Func):
    function = "unnest"
    set_returning = True
    output_field = models.UUIDField()
    arity = 1
