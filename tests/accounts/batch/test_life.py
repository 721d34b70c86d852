"""The life of a batch: chunks, cancelling, retrying, lost jobs, pruning."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.batch import cancel_batch, retry_batch, start_batch
from accounts.batch.ending import BatchStateError
from accounts.batch.tasks import queue_unstarted_batches
from accounts.batch.upkeep import prune_batches
from accounts.batch.work import run_chunk
from accounts.errors import UnknownObjectError
from accounts.models import Account, BatchItem, BatchOperation
from amazon_accounts.postgresql.clock import database_now
from tests.accounts.batch.batches import refused_position, run_to_end
from tests.accounts.conftest import AccountFactory, ConnectionFactory


class TestLife:
    @pytest.fixture
    def batch(self, alice: User, new_account: AccountFactory) -> BatchOperation:
        for _ in range(8):
            new_account(alice)
        return start_batch(alice, "update", filters={"status": "active"}, options={"labels": {"a": "b"}})

    def test_it_is_done_in_chunks(self, batch: BatchOperation) -> None:
        states = []
        while run_chunk(batch.pk, max_accounts=3):
            batch.refresh_from_db()
            states.append((batch.state, batch.count_items()["succeeded"]))
        assert states == [("running", 3), ("running", 6)]
        assert not run_chunk(batch.pk, max_accounts=3)
        batch.refresh_from_db()
        assert (batch.state, batch.total, batch.succeeded) == ("succeeded", 8, 8)

    @pytest.mark.usefixtures("wrong_clock")
    def test_its_times_are_those_of_the_database(self, batch: BatchOperation, alice: User) -> None:
        run_chunk(batch.pk, max_accounts=3)
        cancel_batch(alice, batch)
        batch.refresh_from_db()
        for moment in (batch.started_at, batch.cancelled_at, batch.finished_at):
            assert moment is not None
            assert abs(moment - database_now()) < timedelta(seconds=20)

    def test_a_chunk_that_failed_is_done_again(self, batch: BatchOperation) -> None:
        run_chunk(batch.pk, max_accounts=3)
        run_chunk(batch.pk, max_accounts=3)
        with refused_position(), pytest.raises(DatabaseError, match="killed in the middle"):
            run_chunk(batch.pk, max_accounts=3)
        assert BatchItem.objects.count_by_state([batch.pk])[batch.pk] == {
            "waiting": 2,
            "running": 0,
            "succeeded": 6,
            "failed": 0,
            "skipped": 0,
        }
        versions = dict(Account.objects.values_list("pk", "updated_at"))
        run_to_end(batch, max_accounts=3)
        changed = [
            pk for pk, version in Account.objects.values_list("pk", "updated_at") if versions[pk] != version
        ]
        assert len(changed) == 2

    def test_cancelling_skips_the_waiting_items(self, batch: BatchOperation, alice: User) -> None:
        run_chunk(batch.pk, max_accounts=3)
        ended = cancel_batch(alice, batch)
        assert (ended.state, ended.succeeded, ended.skipped) == ("cancelled", 3, 5)
        assert not run_chunk(batch.pk)
        with pytest.raises(BatchStateError):
            cancel_batch(alice, batch)

    def test_a_batch_without_failed_items_cannot_be_retried(self, batch: BatchOperation, alice: User) -> None:
        with pytest.raises(BatchStateError):
            retry_batch(alice, run_to_end(batch))

    def test_a_job_is_stored_only_with_its_batch(self, batch: BatchOperation, alice: User) -> None:
        def jobs() -> int:
            return ProcrastinateJob.objects.filter(task_name="accounts.run_batch").count()

        assert jobs() == 1
        with pytest.raises(UnknownObjectError):
            start_batch(alice, "disconnect", account_ids=[uuid4()])
        assert jobs() == BatchOperation.objects.count() == 1
        queue_unstarted_batches()
        assert jobs() == 1
        ProcrastinateJob.objects.all()._raw_delete("default")
        queue_unstarted_batches()
        assert jobs() == 1

    def test_a_batch_of_no_accounts_ends_at_once(self, alice: User) -> None:
        batch = start_batch(alice, "sync", filters={"status": "suspended"})
        assert (batch.state, batch.total) == ("succeeded", 0)
        assert not ProcrastinateJob.objects.exists()

    @pytest.mark.parametrize("word", ["failing", "stale", "never"])
    def test_a_filter_that_no_connection_matches_chooses_no_account(
        self, alice: User, new_account: AccountFactory, new_connection: ConnectionFactory, word: str
    ) -> None:
        healthy = new_connection(alice, last_synced_at=timezone.now())
        new_account(alice, connection=healthy)
        for filter_ in ({"sync_status": word}, {"sync_status": word, "connection": str(healthy.pk)}):
            batch = start_batch(alice, "sync", filters=filter_)
            assert (batch.state, batch.total) == ("succeeded", 0)

    def test_old_batches_are_pruned(self, batch: BatchOperation) -> None:
        run_to_end(batch)
        assert prune_batches() == 0
        long_ago = timezone.now() - timedelta(days=91)
        BatchOperation.objects.update(created_at=long_ago, finished_at=long_ago)
        assert prune_batches() == 1
        assert not BatchItem.objects.exists()
