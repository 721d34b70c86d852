"""Doing a batch, chunk by chunk.

A chunk and its results are one transaction: when a worker dies, each account is either done or still waits.
"""

import json
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from django.db import connection as database

from accounts.batch.connections import MOVED, OVERTAKEN, do_connections
from accounts.batch.ending import finish_if_done, hold_batch
from accounts.batch.syncs import request_syncs
from accounts.models import Account, BatchItem, BatchOperation
from accounts.models.changes import change_in_the_name_of
from accounts.standing.listed_status import STATUSES
from amazon_accounts.labels import MAX_LABELS
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.postgresql.statements import load
from tokens.request_order import find_last_forgettable_number

MAX_ACCOUNTS_PER_CHUNK = 2_000

Operation = BatchOperation.Operation
Parameters = dict[str, Any]

FORGOTTEN = "What its labels were before is not known any more."

LOCK_ACCOUNTS = load(__file__, "lock_accounts")


def run_chunk(batch_id: UUID, *, max_accounts: int = MAX_ACCOUNTS_PER_CHUNK) -> bool:
    """Do the next chunk of a batch; return True while there is more to do.

    A sync batch only requests its runs here. It ends when the last run has ended.
    """
    with hold_batch(batch_id) as batch:
        if batch.is_finished:
            return False
        if batch.started_at is None:
            batch.started_at = approximate_now()
        batch.state = BatchOperation.State.RUNNING
        batch.save(update_fields=["state", "started_at"])
        if batch.subject == BatchOperation.Subject.CONNECTIONS:
            has_more = do_connections(batch)
        elif batch.operation == Operation.SYNC:
            has_more = request_syncs(batch)
        else:
            has_more = _change_accounts(batch, max_accounts)
        if not has_more:
            finish_if_done(batch)
    return has_more


def _change_accounts(batch: BatchOperation, max_accounts: int) -> bool:
    waiting = BatchItem.objects.filter(batch=batch, state=BatchItem.State.WAITING)
    # Without the position, each chunk would read over all items that have ended.
    if batch.position is not None:
        waiting = waiting.filter(account_id__gt=batch.position)
    ids = list(waiting.order_by("account_id").values_list("account_id", flat=True)[:max_accounts])
    if not ids:
        return False
    # The triggers that record changes read from here who made them.
    change_in_the_name_of(batch.user_id)
    name, parameters_of = _STATEMENTS[Operation(batch.operation)]
    with database.cursor() as cursor:
        cursor.execute(LOCK_ACCOUNTS, {"ids": ids})
        moved = skip_moved(batch, ids)
        parameters = {
            "batch": batch.pk,
            "ids": [each for each in ids if each not in moved],
            "request_number": batch.request_number,
            "overtaken": OVERTAKEN,
            **parameters_of(batch),
        }
        cursor.execute(load(__file__, name), parameters)
    batch.position = ids[-1]
    batch.save(update_fields=["position"])
    return len(ids) == max_accounts


def skip_moved(batch: BatchOperation, ids: Collection[UUID]) -> set[UUID]:
    """End the items of accounts that are now in a team of which the batch has none; return the accounts."""
    # Who started the batch need not have a right in the new team. A batch of an earlier version names no team.
    if not batch.team_ids:
        return set()
    accounts = Account.objects.filter(pk__in=ids).exclude(team__in=batch.team_ids)
    moved = set(accounts.values_list("pk", flat=True))
    BatchItem.objects.filter(batch=batch, account__in=moved).update(
        state=BatchItem.State.SKIPPED, message=MOVED
    )
    return moved


def _no_parameters(_batch: BatchOperation) -> Parameters:
    return {}


def _reconnect_parameters(_batch: BatchOperation) -> Parameters:
    return {"words": list(STATUSES), "statuses": [str(status) for status in STATUSES.values()]}


def _update_parameters(batch: BatchOperation) -> Parameters:
    labels: dict[str, str | None] = batch.options.get("labels", {})
    return {
        "set": json.dumps({key: value for key, value in labels.items() if value is not None}),
        "removed": [key for key, value in labels.items() if value is None],
        "sync_enabled": batch.options.get("sync_enabled"),
        **_label_parameters(),
    }


def _undo_parameters(batch: BatchOperation) -> Parameters:
    return {"undoes": batch.undoes, "forgotten": FORGOTTEN, **_label_parameters()}


def _label_parameters() -> Parameters:
    return {
        "last_forgettable": find_last_forgettable_number(),
        "max_labels": MAX_LABELS,
        "too_many": f"It would have more than {MAX_LABELS} labels.",
    }


_STATEMENTS: dict[Operation, tuple[str, Callable[[BatchOperation], Parameters]]] = {
    Operation.DISCONNECT: ("disconnect_accounts", _no_parameters),
    Operation.RECONNECT: ("reconnect_accounts", _reconnect_parameters),
    Operation.UPDATE: ("update_accounts", _update_parameters),
    Operation.UNDO: ("undo_labels", _undo_parameters),
}
