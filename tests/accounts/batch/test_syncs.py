"""Batches that sync: one run for each connection, and the result of each account."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.batch import cancel_batch, retry_batch, start_batch
from accounts.batch.ending import BatchStateError, settle_syncs
from accounts.batch.syncs import request_syncs
from accounts.models import AccountAccess, BatchItem, SyncRun
from accounts.sync.requests import queue_sync
from tests.accounts.batch.batches import ids, results, run_to_end
from tests.accounts.conftest import AccountFactory, ConnectionFactory


class TestSync:
    def finish(self, run: SyncRun, state: str, **fields: Any) -> None:
        now = timezone.now()
        SyncRun.objects.filter(pk=run.pk).update(state=state, started_at=now, finished_at=now, **fields)

    def test_it_requests_one_run_for_each_connection(
        self,
        alice: User,
        new_account: AccountFactory,
        new_connection: ConnectionFactory,
    ) -> None:
        for connection in [new_connection(alice) for _ in range(5)]:
            for _ in range(4):
                new_account(alice, connection=connection)
        batch = start_batch(alice, "sync", filters={})
        runs = []
        while request_syncs(batch, max_connections=2):
            runs.append(SyncRun.objects.count())
        assert runs == [2, 4]
        run_to_end(batch)
        assert SyncRun.objects.count() == 5
        assert batch.state == "running"
        assert batch.count_items()["waiting"] == 20
        assert ProcrastinateJob.objects.filter(task_name="accounts.run_sync").count() == 5
        for sync_run in SyncRun.objects.all():
            self.finish(sync_run, "succeeded")
        settle_syncs()
        batch.refresh_from_db()
        assert (batch.state, batch.succeeded) == ("succeeded", 20)

    def test_it_joins_a_waiting_run(self, alice: User, new_account: AccountFactory) -> None:
        account = new_account(alice)
        waiting = SyncRun.objects.create(connection=account.connection, trigger="scheduled")
        run_to_end(start_batch(alice, "sync", account_ids=ids(account)))
        assert BatchItem.objects.get().run == waiting

    def test_it_skips_accounts_without_sync_and_fails_for_broken_connections(
        self, alice: User, new_account: AccountFactory, new_connection: ConnectionFactory
    ) -> None:
        off = new_account(alice, sync_enabled=False)
        disconnected = new_account(alice, status="inactive", inactive_reason="disconnected")
        dead = new_account(alice, connection=new_connection(alice, state="reauthorization_required"))
        batch = run_to_end(start_batch(alice, "sync", account_ids=ids(off, disconnected, dead)))
        assert (batch.state, batch.failed, batch.skipped) == ("failed", 1, 2)
        assert results(batch)[dead.pk][1] == "Amazon refuses this login. It must be reconnected."
        assert not SyncRun.objects.exists()

    @pytest.mark.parametrize(("outcome", "state"), [("failed", "partial"), ("forbidden", "succeeded")])
    def test_an_account_fails_only_if_no_list_that_shows_it_was_read(
        self, alice: User, new_account: AccountFactory, outcome: str, state: str
    ) -> None:
        accounts = {
            name: new_account(alice, name, source=source)
            for name, source in (
                ("listed", "ads_accounts"), ("here", "dsp_advertisers"), ("there", "dsp_advertisers"),
                ("both", "dsp_advertisers"), ("managed", "dsp_advertisers"),
            )
        }  # fmt: skip
        here, there = "dsp_advertisers:EU:1", "dsp_advertisers:NA:2"
        for name, seen_in in (
            ("listed", ["ads_accounts"]), ("here", [here]), ("there", [there]),
            ("both", [here, there]), ("managed", [here, "manager_accounts:NA:3"]),
        ):  # fmt: skip
            AccountAccess.objects.filter(account=accounts[name]).update(seen_in=seen_in)
        batch = run_to_end(start_batch(alice, "sync", filters={}))
        sources = [
            {"source": "ads_accounts", "region": None, "outcome": "complete"},
            {"source": "dsp_advertisers", "region": "NA", "profile_id": "2", "outcome": "complete"},
            {
                "source": "dsp_advertisers", "region": "EU", "profile_id": "1", "outcome": outcome,
                "errors": [{"message": "first"}, {"message": "Amazon said no."}],
            },
        ]  # fmt: skip
        self.finish(
            SyncRun.objects.get(), state, sources=sources, error="dsp advertisers EU: Amazon said no."
        )
        settle_syncs()
        batch.refresh_from_db()
        assert batch.state == "partial"
        found = results(batch)
        assert {name: found[account.pk] for name, account in accounts.items()} == {
            **dict.fromkeys(("listed", "there", "both"), ("succeeded", "Synced.")),
            **dict.fromkeys(("here", "managed"), ("failed", "Amazon said no.")),
        }

    def test_it_follows_the_run_that_replaces_a_dead_one(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        batch = run_to_end(start_batch(alice, "sync", filters={}))
        dead = SyncRun.objects.get()
        self.finish(dead, "failed", error="The process that ran it died.")
        again = SyncRun.objects.create(connection=account.connection, trigger="batch")
        settle_syncs(dead.pk)
        assert BatchItem.objects.get().run == again
        self.finish(again, "succeeded")
        settle_syncs(again.pk)
        batch.refresh_from_db()
        assert batch.state == "succeeded"

    def test_it_follows_a_run_that_waited_when_the_worker_died(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        run_to_end(start_batch(alice, "sync", filters={}))
        dead = SyncRun.objects.get()
        SyncRun.objects.filter(pk=dead.pk).update(state="running", started_at=timezone.now())
        waiting = SyncRun.objects.create(connection=account.connection, trigger="manual")
        self.finish(dead, "failed", error="The process that ran it died.")
        settle_syncs(dead.pk)
        assert BatchItem.objects.get().run == waiting

    def test_an_item_of_a_postponed_run_waits_again(self, alice: User, new_account: AccountFactory) -> None:
        new_account(alice)
        batch = run_to_end(start_batch(alice, "sync", filters={}))
        SyncRun.objects.update(state="running", started_at=timezone.now())
        settle_syncs()
        assert batch.count_items()["running"] == 1
        SyncRun.objects.update(state="waiting", started_at=None)
        assert cancel_batch(alice, batch).state == "cancelled"
        assert batch.count_items()["skipped"] == 1

    def test_cancelling_ends_the_syncs_that_only_this_batch_waits_for(
        self, alice: User, new_account: AccountFactory, new_connection: ConnectionFactory
    ) -> None:
        alone, shared, joined = (new_account(alice, connection=new_connection(alice)) for _ in range(3))
        batch = run_to_end(start_batch(alice, "sync", filters={}))
        run_to_end(start_batch(alice, "sync", account_ids=ids(shared)))
        queue_sync(joined.connection, trigger=SyncRun.Trigger.MANUAL, requested_by=alice)
        assert SyncRun.objects.count() == 3
        cancel_batch(alice, batch)
        states = dict(SyncRun.objects.values_list("connection", "state"))
        assert states == {
            shared.connection_id: "waiting", joined.connection_id: "waiting",
        }  # fmt: skip
        assert batch.count_items()["skipped"] == 3
        assert alone.connection_id not in states  # no run of it has started, so nothing failed

    def test_a_cancelled_run_that_had_started_stays_in_the_history(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        new_account(alice)
        batch = run_to_end(start_batch(alice, "sync", filters={}))
        SyncRun.objects.update(sources=[{"source": "profiles"}], postponed=1)
        cancel_batch(alice, batch)
        ended = SyncRun.objects.get()
        assert (ended.state, ended.error) == ("failed", "Cancelled while it waited for Amazon.")

    def test_cancelling_lets_running_items_end(
        self, alice: User, new_account: AccountFactory, new_connection: ConnectionFactory
    ) -> None:
        running, waiting = new_account(alice), new_account(alice, connection=new_connection(alice))
        batch = run_to_end(start_batch(alice, "sync", filters={}))
        begun = SyncRun.objects.get(connection=running.connection)
        SyncRun.objects.filter(pk=begun.pk).update(state="running", started_at=timezone.now())
        settle_syncs()
        assert batch.count_items() == {"waiting": 1, "running": 1, "succeeded": 0, "failed": 0, "skipped": 0}
        assert cancel_batch(alice, batch).state == "running"
        self.finish(begun, "succeeded")
        settle_syncs()
        batch.refresh_from_db()
        assert (batch.state, batch.succeeded, batch.skipped) == ("cancelled", 1, 1)
        assert results(batch)[waiting.pk][0] == "skipped"

    def test_a_batch_of_which_every_item_is_done_is_not_called_cancelled(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        new_account(alice)
        batch = run_to_end(start_batch(alice, "sync", filters={}))
        SyncRun.objects.update(state="running", started_at=timezone.now())
        with pytest.raises(BatchStateError, match="what has begun goes on to its end"):
            cancel_batch(alice, batch)
        self.finish(SyncRun.objects.get(), "succeeded")
        settle_syncs()
        batch.refresh_from_db()
        assert (batch.state, batch.succeeded, batch.cancelled_at) == ("succeeded", 1, None)

    def test_a_retry_requests_new_runs_for_failed_items(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        new_account(alice)
        batch = run_to_end(start_batch(alice, "sync", filters={}))
        self.finish(SyncRun.objects.get(), "failed", error="Amazon is busy.")
        settle_syncs()
        batch.refresh_from_db()
        assert (batch.state, batch.failed) == ("failed", 1)
        run_to_end(retry_batch(alice, batch))
        self.finish(SyncRun.objects.get(state="waiting"), "succeeded")
        settle_syncs()
        batch.refresh_from_db()
        assert (batch.state, batch.succeeded, batch.failed) == ("succeeded", 1, 0)
