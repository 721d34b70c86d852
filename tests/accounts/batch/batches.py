"""What the tests of batches share."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection as database

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


@contextmanager
def refused_position() -> Iterator[None]:
    """Let the database refuse what a chunk writes last."""
    with database.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''killed in the middle''; END';
            CREATE TRIGGER refuse BEFORE UPDATE OF position ON accounts_batchoperation
            FOR EACH ROW WHEN (NEW.position IS DISTINCT FROM OLD.position) EXECUTE FUNCTION refuse()
            """
        )
        yield
        cursor.execute("DROP FUNCTION refuse CASCADE")
