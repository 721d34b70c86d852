"""How many accounts each connection has, at a cost that does not grow with their number."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import connection as database

from amazon_accounts.postgresql.statements import load

# Accounts of one connection. A larger number is shown as "5,000+".
MAX_ACCOUNTS_COUNTED = 5_000
# Of more connections, only the first are counted, and a sum over all of them is shown with "+".
MAX_CONNECTIONS_COUNTED = 50
# Accounts that one connection sees, of which those are counted that another one syncs.
MAX_SHARED_COUNTED = 1_000


@dataclass(frozen=True)
class AtLeast:
    """A number of accounts. With `or_more` there are at least that many."""

    number: int
    or_more: bool = False

    @property
    def text(self) -> str:
        return f"{self.number:,}{'+' if self.or_more else ''}"

    def __str__(self) -> str:
        return f"{self.text} account{'' if self.number == 1 else 's'}"


@dataclass(frozen=True)
class Seen:
    """The accounts that a login sees: those that are synced by it, and those that another login syncs."""

    own: AtLeast
    shared: AtLeast

    @property
    def number(self) -> int:
        return self.own.number + self.shared.number

    def __str__(self) -> str:
        if not self.shared.number:
            return str(self.own)
        return f"{self.own} + {self.shared.number:,}{'+' if self.shared.or_more else ''} shared"


@dataclass(frozen=True)
class AccountCounts:
    by_connection: Mapping[UUID, int]
    max_accounts: int

    def of(self, *connections: UUID) -> AtLeast:
        known = [self.by_connection[key] for key in connections if key in self.by_connection]
        or_more = len(known) < len(connections) or any(number > self.max_accounts for number in known)
        return AtLeast(sum(min(number, self.max_accounts) for number in known), or_more)


def count_accounts(
    connections: Collection[UUID],
    *,
    only_live: bool = False,
    max_connections: int = MAX_CONNECTIONS_COUNTED,
    max_accounts: int = MAX_ACCOUNTS_COUNTED,
) -> AccountCounts:
    """Count the accounts of the first `max_connections`. With `only_live` inactive accounts are left out."""
    if not connections:
        return AccountCounts({}, max_accounts)
    with database.cursor() as cursor:
        cursor.execute(
            load(__file__, "count_accounts"),
            {
                "connections": list(connections)[:max_connections],
                "max": max_accounts,
                "only_live": only_live,
            },
        )
        return AccountCounts(dict(cursor.fetchall()), max_accounts)


def count_seen(
    connections: Collection[UUID],
    *,
    max_connections: int = MAX_CONNECTIONS_COUNTED,
    max_shared: int = MAX_SHARED_COUNTED,
    with_shared: bool = True,
) -> dict[UUID, Seen]:
    """Count what the first `max_connections` see, in two queries; without those that are shared in one."""
    own = count_accounts(connections, max_connections=max_connections)
    shared: dict[UUID, AtLeast] = {}
    if connections and with_shared:
        with database.cursor() as cursor:
            cursor.execute(
                load(__file__, "count_shared"),
                {"connections": list(connections)[:max_connections], "max": max_shared},
            )
            shared = {key: AtLeast(number, or_more) for key, number, or_more in cursor.fetchall()}
    return {key: Seen(own.of(key), shared.get(key, AtLeast(0))) for key in connections}
