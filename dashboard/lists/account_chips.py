"""The chips above the accounts: the choices of five filters, with the number of accounts that each would show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import EmptyResultSet
from django.db import connection as database

from accounts.lists.by_connection import NO_REASON
from accounts.lists.pages import MAX_COUNT, Count, count_capped
from accounts.models import Account
from dashboard.lists.account_list import AccountList
from dashboard.lists.chips import Chip, Group
from dashboard.status import ACCOUNT, REASON, STANDING, SYNC, Status
from tokens.models import Connection

TYPES = {kind.value: Status("off", str(kind.label).capitalize()) for kind in Account.Type}
TYPES[Account.Type.ADVERTISER] = Status("off", "DSP advertiser")
GROUPS: dict[str, tuple[str, Mapping[str, Status]]] = {
    "health_reason": ("State", REASON),
    "status": ("Status", ACCOUNT),
    "standing": ("Billing", STANDING),
    "account_type": ("Type", TYPES),
    "sync_status": ("Sync", SYNC),
}
# The words of all groups depend on these columns and the connection only.
COLUMNS = (
    "status",
    "inactive_reason",
    "standing",
    "source",
    "account_type",
    "sync_enabled",
    "unread_regions",
    "connection_id",
)


@dataclass(frozen=True)
class Tally:
    """How many accounts have the same word in every group."""

    words: Mapping[str, str]
    number: int

    def matches(self, state: AccountList, *, besides: str = "") -> bool:
        return all(
            name == besides or not state.values(name) or word in state.values(name)
            for name, word in self.words.items()
        )


def count_groups(user: User, state: AccountList, *, cap: int = MAX_COUNT) -> tuple[list[Group], Count]:
    """Return the chips of each group, and the number of accounts that match. One query counts for all groups.

    The counts of a group ignore the choice in this group and obey the choices in all others.
    """
    # Above `cap` accounts the chips have no numbers, because counting would take longer than the page.
    tallies = _tally(user, state.without(*GROUPS), cap)
    groups = [
        Group(title, [_make_chip(state, tallies, name, value, status) for value, status in words.items()])
        for name, (title, words) in GROUPS.items()
    ]
    if tallies is None:
        return groups, count_capped(state.accounts(user))
    return groups, Count(sum(tally.number for tally in tallies if tally.matches(state)), capped=False)


def _make_chip(
    state: AccountList, tallies: list[Tally] | None, name: str, value: str, status: Status
) -> Chip:
    number = None
    if tallies is not None:
        matching = (tally for tally in tallies if tally.matches(state, besides=name))
        number = sum(tally.number for tally in matching if tally.words[name] == value)
    return Chip(
        id=f"chip-{name}-{value}",
        state=status,
        number=number,
        current=value in state.values(name),
        address=state.toggle_address(name, value),
    )


def _tally(user: User, state: AccountList, cap: int) -> list[Tally] | None:
    """Count the accounts by their words in the groups; None if there are more than `cap`."""
    # Accounts that agree in the columns are counted together, and one instance of the model gives the words of all.
    columns = state.accounts(user).order_by().values_list(*COLUMNS)
    try:
        matched, parameters = columns[: cap + 1].query.sql_with_params()
    except EmptyResultSet:
        return []
    with database.cursor() as cursor:
        # Django cannot group a query that has a limit, and 10,000 rows are too many to group in Python.
        cursor.execute(
            f"SELECT matched.*, count(*) FROM ({matched}) AS matched ({', '.join(COLUMNS)})"  # noqa: S608 - SQL of Django's
            " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8",
            parameters,
        )
        rows = cursor.fetchall()
    if sum(number for *_, number in rows) > cap:
        return None
    connections = load_connections(state, {connection_id for *_, connection_id, _ in rows})
    tallies = []
    for *values, number in rows:
        account = build_account(values, connections)
        words = {
            "health_reason": account.health_reason or NO_REASON,
            "status": account.status,
            "standing": account.standing,
            "account_type": account.account_type,
            "sync_status": account.sync_status,
        }
        tallies.append(Tally(words, number))
    return tallies


def load_connections(state: AccountList, ids: set[UUID]) -> dict[UUID, Connection]:
    """Return the connections, each of which is read once for a page."""
    if missing := ids - state.connections.keys():
        state.connections.update(
            Connection.objects.defer("access_token", "refresh_token").in_bulk(list(missing))
        )
    return {pk: state.connections[pk] for pk in ids}


def build_account(values: Sequence[Any], connections: Mapping[UUID, Connection]) -> Account:
    """Return an account with these values of COLUMNS. It gives the words of all accounts that have them."""
    account = Account(**dict(zip(COLUMNS, values, strict=True)))
    account.connection = connections[account.connection_id]
    return account
