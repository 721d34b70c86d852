"""Transactions that keep a run from being closed by another process while it writes.

Locks are always taken in the order connection, run, team, so that two syncs cannot deadlock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.db.backends.utils import CursorWrapper

from accounts.sync.claims import RunClaim, RunLostError
from amazon_accounts.postgresql.statements import load

# The first key of our advisory locks, so that they differ from the locks of other applications.
LOCK_CLASS: Final = 20260

LOCK_RUN: Final = load(__file__, "lock_run")
LOCK_CONNECTION: Final = load(__file__, "lock_connection")


@contextmanager
def hold_run(claim: RunClaim) -> Iterator[CursorWrapper]:
    """Open a transaction in which rows may be staged. Raises RunLostError if the run was closed."""
    with transaction.atomic(), database.cursor() as cursor:
        # A crash empties the unlogged tables anyway, so the commit need not wait for the disk.
        _lock_run(cursor, claim, "synchronous_commit", "off")
        yield cursor


@contextmanager
def fence_run(claim: RunClaim) -> Iterator[CursorWrapper]:
    """Open a transaction in which accounts may be changed.

    Raises RunLostError if the run was closed, or if its connection was disconnected, reconnected or moved to another
    team: Amazon's answers belong to the old grant, and the accounts to the old team.
    """
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(
            LOCK_CONNECTION,
            {
                "connection": claim.connection_id,
                "grant_version": claim.grant_version,
                "team": claim.team_id,
            },
        )
        if cursor.fetchone() is None:
            raise RunLostError
        # The triggers that record changes read the run from this setting.
        _lock_run(cursor, claim, "amazon_accounts.sync_run", str(claim.run_id))
        lock_team(cursor, claim.team_id)
        yield cursor


def lock_team(cursor: CursorWrapper, team_id: UUID) -> None:
    # Two connections of one team may see the same accounts, so only one transaction at a time may change
    # the accounts of a team. The lock is released when the transaction ends. Two teams with the same hash wait for each
    # other, and nothing else.
    cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [LOCK_CLASS, str(team_id)])


def _lock_run(cursor: CursorWrapper, claim: RunClaim, setting: str, value: str) -> None:
    cursor.execute(
        LOCK_RUN,
        {"run": claim.run_id, "started_at": claim.started_at, "setting": setting, "value": value},
    )
    if cursor.fetchone() is None:
        raise RunLostError
