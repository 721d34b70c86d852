"""Removing access rows after a complete reading of a list.

`handover.py` then gives the accounts to another connection, or marks them `not_visible`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection as database

from accounts.sync.ghosts import merge_ghosts
from accounts.sync.handover import hand_over_unread, hand_over_unseen
from accounts.sync.run_context import PLAN_BY_HASH, PLAN_BY_INDEX, RunContext
from amazon_accounts.postgresql.statements import load

CLEAR_MISSING_MARKS: Final = load(__file__, "clear_missing_marks")
COUNT_ACCOUNTS: Final = load(__file__, "count_accounts")
LIST_SCOPES: Final = load(__file__, "list_scopes")
REASSIGN_PARENTS: Final = load(__file__, "reassign_parents")
REMOVE_ACCESS: Final = load(__file__, "remove_access")


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What a run removed."""

    # The number of deleted access rows, by scope.
    gone: Mapping[str, int]
    # The number of access rows, by scope, that stay until the next complete readings miss the account too.
    missed: Mapping[str, int]
    # The same, if all lists together missed more than half of the accounts.
    doubtful: Mapping[str, int]
    # The connections that received accounts which this connection does not see any more.
    new_owners: Sequence[UUID]


def record_complete_scopes(context: RunContext) -> None:
    # Only a complete reading proves that an account is not in the list, so this runs after the last list.
    with database.cursor() as cursor:
        cursor.execute(LIST_SCOPES, context.parameters())
        scopes = [scope for (scope,) in cursor.fetchall()]
    context.complete_scopes = [scope for scope in scopes if context.coverage.proves_absence(scope)]


def remove_unseen(context: RunContext) -> Removal:
    parameters = context.parameters()
    counts: dict[str, dict[str, int]] = {"removed": {}, "missed": {}, "doubtful": {}, "reduced": {}}
    reduced: list[UUID] = []
    with context.open_accounts() as cursor:
        cursor.execute(PLAN_BY_HASH)
        cursor.execute(REMOVE_ACCESS, parameters)
        for what, scope, count, accounts in cursor.fetchall():
            counts[what][scope] = count
            reduced += accounts or []
        if any(listing.rejected for listing in context.coverage.listings):
            cursor.execute(CLEAR_MISSING_MARKS, parameters)
        cursor.execute(PLAN_BY_INDEX)
        if reduced:
            cursor.execute(REASSIGN_PARENTS, {**parameters, "accounts": reduced})
        _, new_owners = hand_over_unseen(cursor, parameters, include_unsynced=False)
        merge_ghosts(cursor, context.claim.team_id)
        new_owners += hand_over_unread(cursor, parameters, read_regions=context.claim.regions)
    return Removal(
        gone=counts["removed"], missed=counts["missed"], doubtful=counts["doubtful"], new_owners=new_owners
    )


def count_accounts(context: RunContext) -> Mapping[int, int]:
    """Return the number of different accounts that each listing showed, by the number of the listing."""
    with database.cursor() as cursor:
        cursor.execute(COUNT_ACCOUNTS, context.parameters())
        counted: dict[int, Any] = dict(cursor.fetchall())
    return counted
