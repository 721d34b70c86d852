"""Undoing a batch of labels: a new batch that gives the labels back, where they still are as the batch left them."""

from django.contrib.auth.models import User

from accounts.batch.ending import BatchStateError, hold_batch
from accounts.batch.operations import Operation, Subject, find_permission, require_to_steer
from accounts.batch.rows import ACCOUNTS
from accounts.batch.start import store_batch
from accounts.models import Account, BatchItem, BatchOperation
from accounts.models.batch import ItemQuerySet
from tokens.people.keys import get_api_key_id, speaks_for_team
from tokens.permissions import System, get_person


def undo_batch(user: User | System, batch: BatchOperation) -> BatchOperation:
    """Store a batch that gives the labels back which this one set or removed, and queue it.

    Raises BatchStateError if the batch has not ended, changed no label, or was undone already.
    """
    # The lock lets one of two requests at once store its undo.
    with hold_batch(batch.pk) as batch:
        require_to_steer(user, batch)
        if refusal := find_refusal(user, batch):
            raise BatchStateError(refusal)
        undo = BatchOperation(
            user=get_person(user),
            by_team_key=speaks_for_team(user),
            asked_by_key=get_api_key_id(user),
            subject=batch.subject,
            operation=Operation.UNDO,
            options={"undoes": str(batch.pk)},
            undoes=batch.pk,
        )
        store_batch(
            user, undo, ACCOUNTS, Account.objects.filter(pk__in=_find_items(user, batch).values("account"))
        )
    return undo


def find_refusal(user: User | System, batch: BatchOperation) -> str:
    """Return why the batch cannot be undone; "" if it can."""
    if batch.subject != Subject.ACCOUNTS or batch.operation != Operation.UPDATE:
        return "Only an update of accounts can be undone."
    if not batch.is_finished:
        return "The operation has not ended. Undo it when it has."
    if find_undo(batch) is not None:
        return "The operation was undone already."
    if not _find_items(user, batch).exists():
        return "There is nothing to undo: the operation changed no label."
    return ""


def find_undo(batch: BatchOperation) -> BatchOperation | None:
    """Return the batch that undoes this one."""
    return BatchOperation.objects.filter(undoes=batch.pk).first()


def _find_items(user: User | System, batch: BatchOperation) -> ItemQuerySet[BatchItem]:
    items = BatchItem.objects.filter(batch=batch, labels_before__isnull=False)
    # The person may have left a team since.
    return items.allowing(user, find_permission(batch)).order_by()
