"""Batches and syncs done by real worker processes: a worker that is killed, and people who do not wait."""

import os
import signal
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone

from accounts.batch import start_batch
from accounts.batch.tasks import queue_unstarted_batches
from accounts.models import Account, BatchItem, BatchOperation, SyncRun
from accounts.sync.due import sync_due
from accounts.sync.requests import request_sync
from tests.accounts.conftest import AccountFactory, ConnectionFactory
from tests.processes import eventually, running
from tests.sandbox_fixtures import SandboxServer

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


def test_what_a_person_asks_for_does_not_wait_behind_scheduled_syncs(
    alice: User,
    new_account: AccountFactory,
    new_connection: ConnectionFactory,
    sandbox_server: SandboxServer,
    log: Path,
) -> None:
    for _ in range(10):
        new_connection(alice, next_sync_at=None)
    assert sync_due() == 10
    running_syncs = SyncRun.objects.filter(state="running")
    # Scheduled syncs take all slots that they have, and keep them.
    sandbox_server.sandbox.faults.add("hang", path="/adsAccounts/list", seconds=60)
    with running("runworker", "--concurrency", "2", log=log) as worker:
        eventually(lambda: running_syncs.count() == 2, describe=worker.output)
        account = new_account(alice, connection=new_connection(alice, next_sync_at=None))
        batch = start_batch(alice, "update", account_ids=[account.pk], options={"labels": {"a": "b"}})
        asked = request_sync(alice, account.connection, trigger=SyncRun.Trigger.MANUAL)
        scheduled = SyncRun.objects.filter(state="waiting", trigger="scheduled").first()
        assert scheduled is not None
        request_sync(alice, scheduled.connection, trigger=SyncRun.Trigger.MANUAL)
        eventually(
            lambda: (
                BatchOperation.objects.get(pk=batch.pk).state == "succeeded"
                and running_syncs.filter(pk__in=[asked.pk, scheduled.pk]).count() == 2
            ),
            describe=worker.output,
        )
        assert running_syncs.filter(trigger="scheduled").count() == 2
