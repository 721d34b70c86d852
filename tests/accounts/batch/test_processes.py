"""Batches done by real worker processes, and a batch whose worker is killed."""

import os
import signal
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone

from accounts.batch import start_batch
from accounts.batch.tasks import queue_unstarted_batches
from accounts.models import Account, BatchItem, BatchOperation
from tests.accounts.conftest import AccountFactory
from tests.processes import eventually, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ACCOUNTS = 10_000


@pytest.fixture
def many(alice: User, new_account: AccountFactory) -> Account:
    """Ten thousand accounts, like the one returned."""
    first = new_account(alice)
    columns = ", ".join(
        str(field.column)
        for field in Account._meta.concrete_fields
        if field.column not in {"id", "amazon_account_id", "name"}
    )
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO user_accounts (id, amazon_account_id, name, {columns})"  # noqa: S608 - of the model
            f" SELECT gen_random_uuid(), 'many-' || number, 'Account ' || number, {columns}"
            " FROM user_accounts, generate_series(2, %s) number",
            [ACCOUNTS],
        )
    return first


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


def done(batch: BatchOperation) -> int:
    return BatchItem.objects.filter(batch=batch).exclude(state="waiting").count()


def test_every_item_is_done_once_when_the_worker_is_killed(alice: User, many: Account, log: Path) -> None:
    began = timezone.now()
    batch = start_batch(alice, "update", filters={}, options={"labels": {"team": "north"}})
    with running("runworker", log=log) as worker:
        eventually(lambda: done(batch) > 0, describe=worker.output)
        os.kill(worker.pid, signal.SIGKILL)
    before = done(batch)
    assert before < ACCOUNTS
    written = set(Account.objects.filter(updated_at__gt=began).values_list("pk", "updated_at"))
    assert len(written) == before

    def has_ended_after_requeue() -> bool:
        # The scheduler calls this every 15 seconds. One call may come too early: before the job of the dead worker is gone.
        queue_unstarted_batches()
        return BatchOperation.objects.get().is_finished

    with running("runworker", log=log) as worker:
        eventually(has_ended_after_requeue, 60, describe=worker.output)
    batch.refresh_from_db()
    assert (batch.state, batch.succeeded) == ("succeeded", ACCOUNTS)
    assert Account.objects.filter(labels={"team": "north"}).count() == ACCOUNTS
    assert written <= set(Account.objects.values_list("pk", "updated_at"))
