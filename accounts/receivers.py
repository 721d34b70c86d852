"""Reactions to signals: of accounts to a change of a connection, of batches and due syncs to the end of a sync.

And the answers to the watcher, which asks for logins that fail, and to the daily mail, which asks for what has changed.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.dispatch import receiver

from accounts.batch.ending import end_stored_items, settle_syncs
from accounts.lists.daily import describe_changes
from accounts.models import Note, SyncRun
from accounts.signals import accounts_stored, sync_ended
from accounts.sync.claims import close_unfinished_runs
from accounts.sync.due import queue_more
from accounts.sync.erasure import erase_names
from accounts.sync.failing import find_failing_syncs
from accounts.sync.handover import (
    hand_over_broken,
    hand_over_disconnected,
    hand_over_dropped_regions,
    merge_accounts_into,
)
from accounts.sync.moving import move_accounts
from accounts.sync.requests import queue_sync
from amazon_accounts.amazon_ads.causes import Cause
from tokens.models import Connection
from tokens.processes.watch.logins import FailingLogin
from tokens.signals import changes_wanted, connection_changed, failing_logins_wanted


@receiver(connection_changed, dispatch_uid="accounts")
def on_connection_changed(
    connection: Connection,
    change: str,
    user: User | None = None,
    into: Connection | None = None,
    old_team: UUID | None = None,
    **_: Any,
) -> None:
    # Runs inside the transaction that changes the connection.
    if change in {"connected", "healed"} and not connection.reason_not_synced:
        queue_sync(connection, trigger=SyncRun.Trigger.CONNECT)
    elif change == "regions":
        if not connection.reason_not_synced:
            queue_sync(connection, trigger=SyncRun.Trigger.MANUAL, requested_by=user)
        hand_over_dropped_regions(connection)
    elif change == "paused":
        close_unfinished_runs(connection, "The connection was paused.", Cause.PAUSED)
    elif change == "broken":
        hand_over_broken(connection)
    elif change == "disconnected":
        hand_over_disconnected(connection)
    elif change == "forgotten":
        erase_names(connection)
    elif change == "merged" and into is not None:
        merge_accounts_into(connection, into)
        Note.objects.filter(connection=connection).update(connection=into)
        queue_sync(into, trigger=SyncRun.Trigger.CONNECT)
    elif change == "moved" and old_team is not None:
        move_accounts(connection, old_team)


@receiver(accounts_stored, dispatch_uid="accounts.batch")
def on_accounts_stored(
    run_id: UUID, listing: int, after: int, up_to: int, refused: Sequence[str], **_: Any
) -> None:
    end_stored_items(run_id, listing=listing, after=after, up_to=up_to, refused=refused)


@receiver(sync_ended, dispatch_uid="accounts.batch")
def on_sync_ended(run_id: UUID, **_: Any) -> None:
    # After the transaction, which locks the connection of the run: a batch must be locked before its connections.
    transaction.on_commit(partial(settle_syncs, run_id))


@receiver(sync_ended, dispatch_uid="accounts.due")
def on_scheduled_sync_ended(run_id: UUID, **_: Any) -> None:
    transaction.on_commit(partial(queue_more, run_id))


@receiver(failing_logins_wanted, dispatch_uid="accounts.failing")
def on_failing_logins_wanted(**_: Any) -> list[FailingLogin]:
    return find_failing_syncs()


@receiver(changes_wanted, dispatch_uid="accounts.changes")
def on_changes_wanted(user: User, since: datetime, until: datetime, **_: Any) -> list[str]:
    return describe_changes(user, since, until)
