"""What the tests of batches share."""

from uuid import UUID

from accounts.batch.work import run_chunk
from accounts.models import Account, BatchItem, BatchOperation


def run_to_end(batch: BatchOperation, *, max_accounts: int = 2_000) -> BatchOperation:
    while run_chunk(batch.pk, max_accounts=max_accounts):
        pass
    batch.refresh_from_db()
    return batch


def results(batch: BatchOperation) -> dict[UUID, tuple[str, str]]:
    items = BatchItem.objects.filter(batch=batch)
    return {item.account_id: (item.state, item.message) for item in items}


def ids(*accounts: Account) -> list[UUID]:
    return [account.pk for account in accounts]
