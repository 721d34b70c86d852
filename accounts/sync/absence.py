"""Removing access to accounts that Amazon's lists do not show any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection as database

from accounts.sync.handover import hand_over_unseen
from accounts.sync.store import PLAN_BY_HASH, PLAN_BY_INDEX, Store
from accounts.update import MAX_LABELS
from amazon_accounts.postgresql.statements import load

CLEAR_MISSING_MARKS: Final = load(__file__, "clear_missing_marks")
COUNT_ACCOUNTS: Final = load(__file__, "count_accounts")
INHERIT_LABELS: Final = load(__file__, "inherit_labels")
LIST_SCOPES: Final = load(__file__, "list_scopes")
REASSIGN_PARENTS: Final = load(__file__, "reassign_parents")
REMOVE_ACCESS: Final = load(__file__, "remove_access")


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What a run removed."""

    # Access rows by scope: removed, and marked until a second run confirms that the list misses the account.
    gone: Mapping[str, int]
    unconfirmed: Mapping[str, int]
    # The connections that received accounts which this connection does not see any more.
    new_owners: Sequence[UUID]


def find_complete_scopes(store: Store) -> None:
    # Only a list that was read to its end proves that an account is not in it, so this runs after the last
    # list.
    with database.cursor() as cursor:
        cursor.execute(LIST_SCOPES, store.parameters())
        scopes = [scope for (scope,) in cursor.fetchall()]
    store.complete_scopes = [scope for scope in scopes if store.coverage.proves_absence(scope)]


def remove_unseen(store: Store) -> Removal:
    parameters = store.parameters(max_labels=MAX_LABELS)
    counts: dict[str, dict[str, int]] = {"removed": {}, "marked": {}, "reduced": {}}
    reduced: list[UUID] = []
    with store.open_accounts() as cursor:
        cursor.execute(PLAN_BY_HASH)
        cursor.execute(REMOVE_ACCESS, parameters)
        for what, scope, count, accounts in cursor.fetchall():
            counts[what][scope] = count
            reduced += accounts or []
        if any(listing.rejected for listing in store.coverage.listings):
            cursor.execute(CLEAR_MISSING_MARKS, parameters)
        cursor.execute(PLAN_BY_INDEX)
        if reduced:
            cursor.execute(REASSIGN_PARENTS, {**parameters, "accounts": reduced})
        vanished, new_owners = hand_over_unseen(cursor, parameters, include_unsynced=False)
        if vanished:
            cursor.execute(INHERIT_LABELS, {**parameters, "accounts": vanished})
    return Removal(gone=counts["removed"], unconfirmed=counts["marked"], new_owners=new_owners)


def count_accounts(store: Store) -> Mapping[int, int]:
    """Return the number of different accounts that each listing showed, by the number of the listing."""
    with database.cursor() as cursor:
        cursor.execute(COUNT_ACCOUNTS, store.parameters())
        counted: dict[int, Any] = dict(cursor.fetchall())
    return counted
