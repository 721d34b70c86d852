"""Moving the accounts of a connection to another team, together with the connection.

An account goes to the new team with its history, if no other connection of the old team sees it. An account that the
new team has already goes on there with its own values, and gets labels, history and access. An account that another
connection of the old team sees stays in the old team, and appears in the new team too, with a copy of its labels.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.backends.utils import CursorWrapper
from uuid_utils.compat import uuid7

from accounts.models import Account, BatchItem, SyncRun
from accounts.sync.claims import close_unfinished_runs
from accounts.sync.fences import lock_team
from accounts.sync.ghosts import TAKE_DEFAULT, UNITE_LABELS, merge_accounts
from accounts.sync.next_sync import sync_soon
from amazon_accounts.labels import MAX_LABELS
from amazon_accounts.postgresql.statements import load
from tokens.connect.move import MoveRefusedError
from tokens.models import Connection

LOCK: Final = load(__file__, "lock_moved_accounts")
FIND: Final = load(__file__, "find_moved_accounts")
FIND_TOO_MANY_LABELS: Final = load(__file__, "find_too_many_labels")
COPY: Final = load(__file__, "copy_accounts")
COPY_LINKS: Final = load(__file__, "copy_manager_links")
MOVE_ACCESS: Final = load(__file__, "move_access")
MOVE: Final = load(__file__, "move_accounts")
SEPARATE: Final = load(__file__, "separate_teams")
HAND_OVER_LEFT: Final = load(__file__, "hand_over_left_accounts")

# How many accounts a refusal names.
MAX_NAMED: Final = 3

Parameters = dict[str, Any]


@dataclass
class _Plan:
    """What becomes of the accounts. The values of the mappings are the ids of the same accounts in the new team."""

    moved: list[UUID] = field(default_factory=list)
    merged: dict[UUID, UUID] = field(default_factory=dict)
    copied: dict[UUID, UUID] = field(default_factory=dict)
    # They stay in the old team, and the new team has them already.
    shared: dict[UUID, UUID] = field(default_factory=dict)

    @property
    def elsewhere(self) -> dict[UUID, UUID]:
        return self.merged | self.copied | self.shared


def move_accounts(connection: Connection, old_team: UUID) -> None:
    """Move what belongs to the connection to the team that it has now. The caller has locked the connection.

    Raises MoveRefusedError.
    """
    is_interrupted = SyncRun.objects.unfinished().filter(connection=connection).exists()
    close_unfinished_runs(connection, "The connection was moved to another team.")
    parameters: Parameters = {
        "connection": connection.pk,
        "client": settings.AMAZON_CLIENT_ID,
        "team": connection.team_id,
        "old_team": old_team,
    }
    with database.cursor() as cursor:
        for team in sorted((old_team, connection.team_id)):
            lock_team(cursor, team)
        cursor.execute(LOCK, parameters)
        plan = _make_plan(cursor, parameters)
        _carry_out(cursor, plan, parameters)
        cursor.execute(HAND_OVER_LEFT, parameters)
        (new_owners,) = cursor.fetchone()
    # After the commit, because `sync_soon` locks connections.
    transaction.on_commit(partial(sync_soon, new_owners))
    if is_interrupted or plan.elsewhere:
        # The scheduler queues the sync. Queued here, it could wait for a run that waits for this transaction.
        sync_soon([connection.pk])


def _make_plan(cursor: CursorWrapper, parameters: Parameters) -> _Plan:
    cursor.execute(FIND, parameters)
    plan = _Plan()
    for account, is_seen, stays, twin in cursor.fetchall():
        if not stays:
            if twin is None:
                plan.moved.append(account)
            else:
                plan.merged[account] = twin
        elif is_seen:
            if twin is None:
                plan.copied[account] = uuid7()
            else:
                plan.shared[account] = twin
    _refuse_too_many_labels(cursor, plan.merged | plan.shared)
    # An item of an operation cannot become an item of another account while it waits.
    if plan.merged and BatchItem.objects.filter(batch__finished_at=None, account__in=plan.merged).exists():
        raise MoveRefusedError(
            "An operation is under way with accounts that the new team has, too. Move the connection when it has ended."
        )
    return plan


def _refuse_too_many_labels(cursor: CursorWrapper, united: dict[UUID, UUID]) -> None:
    cursor.execute(
        FIND_TOO_MANY_LABELS,
        {"accounts": list(united), "others": list(united.values()), "max_labels": MAX_LABELS},
    )
    if found := [account for (account,) in cursor.fetchall()]:
        named = Account.objects.filter(pk__in=found).order_by("name", "pk")[:MAX_NAMED]
        names = ", ".join(f"“{account}”" for account in named)
        more = f" and {len(found) - MAX_NAMED:,} more" if len(found) > MAX_NAMED else ""
        raise MoveRefusedError(
            f"The new team has accounts of this connection already, and with the labels of both teams they would have "
            f"more than {MAX_LABELS}: {names}{more}. Remove labels first."
        )


def _carry_out(cursor: CursorWrapper, plan: _Plan, parameters: Parameters) -> None:
    def execute(statement: str, pairs: dict[UUID, UUID], **more: list[UUID]) -> None:
        cursor.execute(
            statement, {**parameters, "accounts": list(pairs), "others": list(pairs.values()), **more}
        )

    everything = {each: each for each in plan.moved} | plan.elsewhere
    if plan.copied:
        execute(COPY, plan.copied)
    if plan.shared:
        execute(UNITE_LABELS, plan.shared)
    if plan.elsewhere:
        execute(COPY_LINKS, everything)
        execute(MOVE_ACCESS, plan.elsewhere)
    if plan.merged:
        # The new team chooses its default account itself.
        execute(TAKE_DEFAULT, plan.merged)
        merge_accounts(cursor, plan.merged, keeps_all=True)
    cursor.execute(MOVE, {**parameters, "accounts": plan.moved})
    execute(SEPARATE, everything, stored=[*plan.moved, *plan.copied.values()])
