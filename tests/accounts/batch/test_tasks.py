"""The tasks of batches, run in this process as a worker runs them."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.batch import start_batch, tasks
from accounts.batch.upkeep import RETENTION, find_unstarted, prune_batches
from accounts.batch.work import run_chunk
from accounts.lists.tasks import index_search
from accounts.models import Account, AccountSearch, BatchItem, BatchOperation, SyncRun
from tests.accounts.batch.batches import ids, results
from tests.accounts.conftest import AccountFactory

# Tasks reach the database from a thread of their own, so the rows must be committed.
pytestmark = pytest.mark.django_db(transaction=True)

RUN_BATCH = "accounts.run_batch"


@pytest.fixture
def batch(alice: User, new_account: AccountFactory) -> BatchOperation:
    accounts = [new_account(alice) for _ in range(3)]
    return start_batch(alice, "disconnect", account_ids=ids(*accounts))


def count_jobs() -> int:
    return ProcrastinateJob.objects.filter(task_name=RUN_BATCH, status="todo").count()


def delete_jobs() -> None:
    ProcrastinateJob.objects.all()._raw_delete("default")


def test_the_task_does_its_batch_to_the_end(batch: BatchOperation) -> None:
    async_to_sync(tasks.run_batch.func)(str(batch.pk))
    batch.refresh_from_db()
    assert (batch.state, batch.succeeded) == ("succeeded", 3)
    assert set(results(batch).values()) == {("succeeded", "Disconnected.")}


def test_the_task_of_an_ended_batch_changes_nothing(batch: BatchOperation) -> None:
    async_to_sync(tasks.run_batch.func)(str(batch.pk))
    finished_at = BatchOperation.objects.get().finished_at
    async_to_sync(tasks.run_batch.func)(str(batch.pk))
    assert BatchOperation.objects.get().finished_at == finished_at


def test_a_batch_is_queued_once(batch: BatchOperation) -> None:
    for _ in range(2):
        tasks.queue_batch(batch)
    assert count_jobs() == 1


def test_a_batch_whose_worker_died_between_two_chunks_goes_on(batch: BatchOperation) -> None:
    assert run_chunk(batch.pk, max_accounts=2)
    delete_jobs()
    async_to_sync(tasks.settle_batches.func)()
    assert count_jobs() == 1
    async_to_sync(tasks.run_batch.func)(str(batch.pk))
    batch.refresh_from_db()
    assert (batch.state, batch.succeeded) == ("succeeded", 3)


@pytest.mark.parametrize("state", ["running", "failed", "succeeded", "skipped"])
def test_a_batch_without_waiting_items_is_not_queued_again(batch: BatchOperation, state: str) -> None:
    assert find_unstarted() == [batch]
    BatchItem.objects.update(state=state)
    assert find_unstarted() == []


def test_a_batch_that_waits_for_a_sync_is_not_queued_again(alice: User, new_account: AccountFactory) -> None:
    batch = start_batch(alice, "sync", account_ids=ids(new_account(alice)))
    assert find_unstarted() == [batch]
    run_chunk(batch.pk)
    assert find_unstarted() == []


def test_the_scheduled_task_ends_a_batch_whose_sync_has_ended(
    alice: User, new_account: AccountFactory
) -> None:
    batch = start_batch(alice, "sync", account_ids=ids(new_account(alice)))
    run_chunk(batch.pk)
    SyncRun.objects.update(
        state="succeeded", started_at=timezone.now(), finished_at=timezone.now() + timedelta(seconds=1)
    )
    async_to_sync(tasks.settle_batches.func)()
    batch.refresh_from_db()
    assert (batch.state, batch.succeeded) == ("succeeded", 1)


@pytest.mark.parametrize(
    ("age", "left"), [(RETENTION + timedelta(days=1), 0), (RETENTION - timedelta(days=1), 1)]
)
def test_batches_are_kept_for_ninety_days(batch: BatchOperation, age: timedelta, left: int) -> None:
    async_to_sync(tasks.run_batch.func)(str(batch.pk))
    BatchOperation.objects.update(created_at=timezone.now() - age)
    prune_batches()
    assert BatchOperation.objects.count() == left
    assert BatchItem.objects.count() == 3 * left
    assert Account.objects.count() == 3


def test_an_old_batch_that_has_not_ended_is_kept(batch: BatchOperation) -> None:
    BatchOperation.objects.update(created_at=timezone.now() - 2 * RETENTION)
    prune_batches()
    assert BatchOperation.objects.count() == 1


def test_the_search_task_indexes_all_names(batch: BatchOperation) -> None:
    assert AccountSearch.objects.filter(is_indexed=False).count() == 3
    async_to_sync(index_search.func)()
    assert AccountSearch.objects.filter(is_indexed=True).count() == 3
    async_to_sync(index_search.func)()
    assert not AccountSearch.objects.filter(is_indexed=False).exists()
