"""Batch operations: one request, many accounts, a result for each."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from rest_framework.test import APIClient

from accounts.batch import start as batches
from accounts.batch.start import BatchStateError, cancel, prune, retry, revive, run_chunk, settle, start_batch
from accounts.lists.filters import NotFoundError
from accounts.models import Account, AccountAccess, BatchItem, BatchOperation, SyncRun
from accounts.sync.tasks import request_sync
from tests.accounts.conftest import AccountFactory, ClientFactory, ConnectionFactory
from tokens.models import Connection

BATCH = "/api/v1/accounts/batch/"


def run(batch: BatchOperation) -> BatchOperation:
    while run_chunk(batch.pk):
        pass
    batch.refresh_from_db()
    return batch


def results(batch: BatchOperation) -> dict[UUID, tuple[str, str]]:
    items = BatchItem.objects.filter(batch=batch)
    return {item.account_id: (item.state, item.message) for item in items}


def ids(*accounts: Account) -> list[UUID]:
    return [account.pk for account in accounts]


class TestDisconnect:
    def test_it_disconnects_and_says_what_was_so_before(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        active = new_account(alice)
        gone = new_account(alice, status="inactive", inactive_reason="not_visible")
        before = new_account(alice, status="inactive", inactive_reason="disconnected")
        batch = run(start_batch(alice, "disconnect", account_ids=ids(active, gone, before)))
        assert (batch.state, batch.succeeded, batch.failed, batch.skipped) == ("succeeded", 2, 0, 1)
        assert results(batch)[before.pk] == ("skipped", "It was disconnected before.")
        for account in (active, gone):
            version = account.updated_at
            account.refresh_from_db()
            assert (account.status, account.inactive_reason) == ("inactive", "disconnected")
            assert account.disconnected_at is not None
            assert account.updated_at > version

    def test_it_does_not_touch_others(self, alice: User, bob: User, new_account: AccountFactory) -> None:
        hers, his = new_account(alice), new_account(bob)
        run(start_batch(alice, "disconnect", filter={}))
        assert Account.objects.get(pk=his.pk).status == "active"
        assert Account.objects.get(pk=hers.pk).status == "inactive"


class TestReconnect:
    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("CREATED", "active"),
            ("DISABLED", "suspended"),
            ("PENDING", "pending"),
            (None, "active"),
            ("NEW", "pending"),
        ],
    )
    def test_it_returns_to_what_amazon_said_last(
        self, alice: User, new_account: AccountFactory, word: str | None, status: str
    ) -> None:
        account = new_account(alice, amazon_status=word)
        run(start_batch(alice, "disconnect", account_ids=ids(account)))
        batch = run(start_batch(alice, "reconnect", account_ids=ids(account)))
        account.refresh_from_db()
        assert results(batch) == {account.pk: ("succeeded", "Reconnected.")}
        assert (account.status, account.inactive_reason, account.disconnected_at) == (status, None, None)

    def test_an_account_that_nobody_sees_stays_out_of_sight(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account, active = new_account(alice), new_account(alice)
        run(start_batch(alice, "disconnect", account_ids=ids(account)))
        AccountAccess.objects.filter(account=account).delete()
        batch = run(start_batch(alice, "reconnect", account_ids=ids(account, active)))
        account.refresh_from_db()
        assert account.inactive_reason == "not_visible"
        assert "no login sees it now" in results(batch)[account.pk][1]
        assert results(batch)[active.pk] == ("skipped", "It was not disconnected here.")


class TestUpdate:
    def test_it_sets_and_removes_labels(self, alice: User, new_account: AccountFactory) -> None:
        one, another = new_account(alice, labels={"a": "1", "b": "2"}), new_account(alice)
        options = {"labels": {"a": None, "c": "3"}, "sync_enabled": False}
        run(start_batch(alice, "update", account_ids=ids(one, another), options=options))
        one.refresh_from_db()
        another.refresh_from_db()
        assert (one.labels, another.labels) == ({"b": "2", "c": "3"}, {"c": "3"})
        assert not one.sync_enabled

    def test_it_fails_for_accounts_that_would_have_too_many(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        full = new_account(alice, labels={str(number): "" for number in range(64)})
        other = new_account(alice)
        options = {"labels": {"one more": ""}}
        batch = run(start_batch(alice, "update", account_ids=ids(full, other), options=options))
        assert (batch.state, batch.succeeded, batch.failed) == ("partial", 1, 1)
        assert results(batch)[full.pk] == ("failed", "It would have more than 64 labels.")
        full.refresh_from_db()
        assert len(full.labels) == 64


class TestSync:
    def finish(self, run: SyncRun, state: str, **fields: Any) -> None:
        now = timezone.now()
        SyncRun.objects.filter(pk=run.pk).update(state=state, started_at=now, finished_at=now, **fields)

    def test_it_asks_for_one_run_of_each_login(
        self,
        alice: User,
        new_account: AccountFactory,
        new_connection: ConnectionFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(batches, "LOGINS_PER_CHUNK", 2)
        for connection in [new_connection(alice) for _ in range(5)]:
            for _ in range(4):
                new_account(alice, connection=connection)
        batch = run(start_batch(alice, "sync", filter={}))
        assert SyncRun.objects.count() == 5
        assert batch.state == "running"
        assert batch.counts()["waiting"] == 20
        assert ProcrastinateJob.objects.filter(task_name="accounts.run_sync").count() == 5
        for sync_run in SyncRun.objects.all():
            self.finish(sync_run, "succeeded")
        settle()
        batch.refresh_from_db()
        assert (batch.state, batch.succeeded) == ("succeeded", 20)

    def test_it_joins_a_run_that_waits(self, alice: User, new_account: AccountFactory) -> None:
        account = new_account(alice)
        waiting = SyncRun.objects.create(connection=account.connection, trigger="scheduled")
        run(start_batch(alice, "sync", account_ids=ids(account)))
        assert BatchItem.objects.get().run == waiting

    def test_it_skips_what_is_off_and_fails_for_dead_logins(
        self, alice: User, new_account: AccountFactory, new_connection: ConnectionFactory
    ) -> None:
        off = new_account(alice, sync_enabled=False)
        disconnected = new_account(alice, status="inactive", inactive_reason="disconnected")
        dead = new_account(alice, connection=new_connection(alice, state="reauthorization_required"))
        batch = run(start_batch(alice, "sync", account_ids=ids(off, disconnected, dead)))
        assert (batch.state, batch.failed, batch.skipped) == ("failed", 1, 2)
        assert results(batch)[dead.pk][1] == "Amazon no longer accepts this login; it must be reconnected."
        assert not SyncRun.objects.exists()

    @pytest.mark.parametrize(("outcome", "state"), [("failed", "partial"), ("forbidden", "succeeded")])
    def test_of_a_run_only_what_was_in_no_list_that_could_be_read_fails(
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
        batch = run(start_batch(alice, "sync", filter={}))
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
        settle()
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
        batch = run(start_batch(alice, "sync", filter={}))
        dead = SyncRun.objects.get()
        self.finish(dead, "failed", error="The process that ran it died.")
        again = SyncRun.objects.create(connection=account.connection, trigger="batch")
        settle(dead.pk)
        assert BatchItem.objects.get().run == again
        self.finish(again, "succeeded")
        settle(again.pk)
        batch.refresh_from_db()
        assert batch.state == "succeeded"

    def test_it_follows_a_run_that_waited_when_the_worker_died(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        run(start_batch(alice, "sync", filter={}))
        dead = SyncRun.objects.get()
        SyncRun.objects.filter(pk=dead.pk).update(state="running", started_at=timezone.now())
        waiting = SyncRun.objects.create(connection=account.connection, trigger="manual")
        self.finish(dead, "failed", error="The process that ran it died.")
        settle(dead.pk)
        assert BatchItem.objects.get().run == waiting

    def test_what_amazon_asked_us_to_put_off_waits_again(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        new_account(alice)
        batch = run(start_batch(alice, "sync", filter={}))
        SyncRun.objects.update(state="running", started_at=timezone.now())
        settle()
        assert batch.counts()["running"] == 1
        SyncRun.objects.update(state="waiting", started_at=None)
        assert cancel(batch, alice).state == "cancelled"
        assert batch.counts()["skipped"] == 1

    def test_cancelling_ends_the_syncs_that_nobody_else_waits_for(
        self, alice: User, new_account: AccountFactory, new_connection: ConnectionFactory
    ) -> None:
        alone, shared, joined = (new_account(alice, connection=new_connection(alice)) for _ in range(3))
        batch = run(start_batch(alice, "sync", filter={}))
        run(start_batch(alice, "sync", account_ids=ids(shared)))
        request_sync(joined.connection, trigger=SyncRun.Trigger.MANUAL, requested_by=alice)
        assert SyncRun.objects.count() == 3
        cancel(batch, alice)
        states = dict(SyncRun.objects.values_list("connection", "state"))
        assert states == {
            shared.connection_id: "waiting", joined.connection_id: "waiting",
        }  # fmt: skip
        assert batch.counts()["skipped"] == 3
        assert alone.connection_id not in states  # nothing of it has begun, so nothing failed

    def test_a_run_that_had_begun_before_stays_in_the_history(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        new_account(alice)
        batch = run(start_batch(alice, "sync", filter={}))
        SyncRun.objects.update(sources=[{"source": "profiles"}], postponed=1)
        cancel(batch, alice)
        ended = SyncRun.objects.get()
        assert (ended.state, ended.error) == ("failed", "Cancelled while it waited for Amazon.")

    def test_it_shows_what_is_under_way_and_cancels_the_rest(
        self, alice: User, new_account: AccountFactory, new_connection: ConnectionFactory
    ) -> None:
        running, waiting = new_account(alice), new_account(alice, connection=new_connection(alice))
        batch = run(start_batch(alice, "sync", filter={}))
        begun = SyncRun.objects.get(connection=running.connection)
        SyncRun.objects.filter(pk=begun.pk).update(state="running", started_at=timezone.now())
        settle()
        assert batch.counts() == {"waiting": 1, "running": 1, "succeeded": 0, "failed": 0, "skipped": 0}
        assert cancel(batch, alice).state == "running"
        self.finish(begun, "succeeded")
        settle()
        batch.refresh_from_db()
        assert (batch.state, batch.succeeded, batch.skipped) == ("cancelled", 1, 1)
        assert results(batch)[waiting.pk][0] == "skipped"

    def test_retry_asks_again_for_what_failed(self, alice: User, new_account: AccountFactory) -> None:
        new_account(alice)
        batch = run(start_batch(alice, "sync", filter={}))
        self.finish(SyncRun.objects.get(), "failed", error="Amazon is busy.")
        settle()
        batch.refresh_from_db()
        assert (batch.state, batch.failed) == ("failed", 1)
        run(retry(batch, alice))
        self.finish(SyncRun.objects.get(state="waiting"), "succeeded")
        settle()
        batch.refresh_from_db()
        assert (batch.state, batch.succeeded, batch.failed) == ("succeeded", 1, 0)


class TestLife:
    @pytest.fixture(autouse=True)
    def small_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(batches, "CHUNK", 3)

    @pytest.fixture
    def batch(self, alice: User, new_account: AccountFactory) -> BatchOperation:
        for _ in range(8):
            new_account(alice)
        return start_batch(alice, "update", filter={"status": "active"}, options={"labels": {"a": "b"}})

    def test_it_goes_by_chunks(self, batch: BatchOperation) -> None:
        states = []
        while run_chunk(batch.pk):
            batch.refresh_from_db()
            states.append((batch.state, batch.counts()["succeeded"]))
        assert states == [("running", 3), ("running", 6)]
        assert not run_chunk(batch.pk)
        batch.refresh_from_db()
        assert (batch.state, batch.total, batch.succeeded) == ("succeeded", 8, 8)

    def test_a_chunk_that_dies_is_done_again(
        self, batch: BatchOperation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_chunk(batch.pk)
        run_chunk(batch.pk)
        with monkeypatch.context() as patched:
            patched.setattr(batches, "_finish", lambda batch: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                run_chunk(batch.pk)
        assert batch.counted() == {"waiting": 2, "running": 0, "succeeded": 6, "failed": 0, "skipped": 0}
        versions = dict(Account.objects.values_list("pk", "updated_at"))
        run(batch)
        changed = [
            pk for pk, version in Account.objects.values_list("pk", "updated_at") if versions[pk] != version
        ]
        assert len(changed) == 2

    def test_cancelling_skips_what_waits(self, batch: BatchOperation, alice: User) -> None:
        run_chunk(batch.pk)
        ended = cancel(batch, alice)
        assert (ended.state, ended.succeeded, ended.skipped) == ("cancelled", 3, 5)
        assert not run_chunk(batch.pk)
        with pytest.raises(BatchStateError):
            cancel(batch, alice)

    def test_there_is_nothing_to_retry_if_nothing_failed(self, batch: BatchOperation, alice: User) -> None:
        with pytest.raises(BatchStateError):
            retry(run(batch), alice)

    def test_the_job_exists_only_with_the_operation(self, batch: BatchOperation, alice: User) -> None:
        def jobs() -> int:
            return ProcrastinateJob.objects.filter(task_name="accounts.run_batch").count()

        assert jobs() == 1
        with pytest.raises(NotFoundError):
            start_batch(alice, "disconnect", account_ids=[uuid4()])
        assert jobs() == BatchOperation.objects.count() == 1
        revive()
        assert jobs() == 1
        ProcrastinateJob.objects.all()._raw_delete("default")
        revive()
        assert jobs() == 1

    def test_of_nothing_it_is_done_at_once(self, alice: User) -> None:
        batch = start_batch(alice, "sync", filter={"status": "suspended"})
        assert (batch.state, batch.total) == ("succeeded", 0)
        assert not ProcrastinateJob.objects.exists()

    @pytest.mark.parametrize("word", ["failing", "stale", "never"])
    def test_a_filter_that_no_login_meets_chooses_nothing(
        self, alice: User, new_account: AccountFactory, new_connection: ConnectionFactory, word: str
    ) -> None:
        healthy = new_connection(alice, last_synced_at=timezone.now())
        new_account(alice, connection=healthy)
        for filter_ in ({"sync_status": word}, {"sync_status": word, "connection": str(healthy.pk)}):
            batch = start_batch(alice, "sync", filter=filter_)
            assert (batch.state, batch.total) == ("succeeded", 0)

    def test_old_ones_are_pruned(self, batch: BatchOperation) -> None:
        run(batch)
        assert prune() == 0
        long_ago = timezone.now() - timedelta(days=91)
        BatchOperation.objects.update(created_at=long_ago, finished_at=long_ago)
        assert prune() == 1
        assert not BatchItem.objects.exists()


class TestStart:
    def test_it_needs_the_permission_of_the_operation(self, alice: User, new_account: AccountFactory) -> None:
        account = new_account(alice)
        alice.groups.clear()
        alice = User.objects.get(pk=alice.pk)
        for operation, permission in batches.PERMISSIONS.items():
            options: dict[str, Any] | None = {"sync_enabled": True} if operation == "update" else None
            with pytest.raises(PermissionDenied, match=permission):
                start_batch(alice, operation, account_ids=ids(account), options=options)
        assert not BatchOperation.objects.exists()

    def test_a_command_may_do_all(self, alice: User, bob: User, new_account: AccountFactory) -> None:
        accounts = [new_account(alice), new_account(bob)]
        assert run(start_batch(None, "disconnect", account_ids=ids(*accounts))).succeeded == 2

    def test_the_same_key_is_the_same_operation(
        self, alice: User, bob: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        once, twice = (
            start_batch(alice, "sync", account_ids=[str(account.pk)], idempotency_key="k") for _ in range(2)
        )
        assert once == twice
        with pytest.raises(ValidationError) as caught:
            start_batch(alice, "disconnect", account_ids=[str(account.pk)], idempotency_key="k")
        assert set(caught.value.message_dict) == {"Idempotency-Key"}
        assert start_batch(bob, "sync", filter={}, idempotency_key="k") != once

    def test_two_at_once_with_one_key_are_one(
        self, alice: User, new_account: AccountFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The second has looked before the first was stored."""
        account = new_account(alice)
        first = start_batch(alice, "sync", account_ids=ids(account), idempotency_key="k")
        known, looks = batches._known, iter([None])
        monkeypatch.setattr(batches, "_known", lambda *args: next(looks, known(*args)))
        assert start_batch(alice, "sync", account_ids=ids(account), idempotency_key="k") == first


class TestAPI:
    def test_it_is_started_followed_and_listed(
        self, api: APIClient, alice: User, bob: User, new_account: AccountFactory, client_of: ClientFactory
    ) -> None:
        accounts = [new_account(alice) for _ in range(3)]
        body = {"operation": "disconnect", "account_ids": [str(account.pk) for account in accounts]}
        response = api.post(BATCH, body, format="json", headers={"Idempotency-Key": "one"})
        assert response.status_code == 202
        started = response.json()
        assert response["Location"] == f"http://testserver{BATCH}{started['id']}/"
        assert started == {
            "id": started["id"], "operation": "disconnect", "state": "waiting", "total": 3, "succeeded": 0,
            "failed": 0, "skipped": 0, "created_at": started["created_at"], "finished_at": None,
        }  # fmt: skip
        assert api.post(BATCH, body, format="json", headers={"Idempotency-Key": "one"}).json() == started
        run(BatchOperation.objects.get())
        ended = api.get(response["Location"]).json()
        assert (ended["state"], ended["succeeded"]) == ("succeeded", 3)
        page = api.get(f"{BATCH}{started['id']}/items/", {"page_size": 2}).json()
        rest = api.get(page["next"]).json()
        assert [item["account"] for item in page["results"] + rest["results"]] == body["account_ids"]
        assert rest["results"][0] == {
            "account": body["account_ids"][2], "state": "succeeded", "message": "Disconnected.",
        }  # fmt: skip
        assert api.get(f"{BATCH}{started['id']}/items/", {"state": "failed"}).json()["results"] == []
        stranger = client_of(bob)
        for path, method in (("", "get"), ("items/", "get"), ("cancel/", "post"), ("retry/", "post")):
            assert getattr(stranger, method)(f"{BATCH}{started['id']}/{path}").status_code == 404
        assert api.post(f"{BATCH}{started['id']}/cancel/").status_code == 409
        assert api.post(f"{BATCH}{started['id']}/retry/").status_code == 409

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ([], [""]),
            ({}, ["operation"]),
            ({"operation": "sync"}, ["account_ids"]),
            ({"operation": "sync", "account_ids": [], "filter": {}}, ["account_ids"]),
            ({"operation": "delete", "filter": {}}, ["operation"]),
            ({"operation": ["sync"], "filter": {}}, ["operation"]),
            ({"operation": "sync", "account_ids": []}, ["account_ids"]),
            ({"operation": "sync", "account_ids": "all"}, ["account_ids"]),
            ({"operation": "sync", "account_ids": [1]}, ["account_ids"]),
            ({"operation": "sync", "account_ids": [{}]}, ["account_ids"]),
            ({"operation": "sync", "account_ids": ["x" * 32]}, ["account_ids"]),
            ({"operation": "sync", "account_ids": [10**400]}, ["account_ids"]),
            ({"operation": "sync", "account_ids": [None]}, ["account_ids"]),
            ({"operation": "sync", "account_ids": [str(uuid4())] * 2}, ["account_ids"]),
            ({"operation": "sync", "account_ids": ["x"] * 100_001}, ["account_ids"]),
            ({"operation": "sync", "account_ids": None}, ["account_ids"]),
            ({"operation": "sync", "filter": {"colour": "red"}}, ["filter.colour"]),
            ({"operation": "sync", "filter": {"status": "on"}}, ["filter.status"]),
            ({"operation": "sync", "filter": {"search": "\0"}}, None),
            ({"operation": "sync", "filter": {}, "options": {"labels": {}}}, ["options"]),
            ({"operation": "update", "filter": {}}, ["options"]),
            ({"operation": "update", "filter": {}, "options": {}}, ["options"]),
            ({"operation": "update", "filter": {}, "options": {"name": "x"}}, ["options.name"]),
            ({"operation": "update", "filter": {}, "options": {"labels": {"a": 1}}}, ["options.labels"]),
            ({"operation": "update", "filter": {}, "options": {"labels": {}}}, ["options.labels"]),
            ({"operation": "update", "filter": {}, "options": {"sync_enabled": 1}}, ["options.sync_enabled"]),
            ({"operation": "sync", "filter": {}, "colour": "red"}, ["colour"]),
        ],
    )
    def test_it_names_the_field_at_fault(self, api: APIClient, body: Any, fields: list[str] | None) -> None:
        response = api.post(BATCH, body, format="json")
        assert response.status_code == 400
        if fields is not None:
            assert [error["field"] for error in response.json()["errors"]] == fields
        assert not BatchOperation.objects.exists()

    def test_accounts_of_others_are_not_found(
        self, api: APIClient, alice: User, bob: User, new_account: AccountFactory
    ) -> None:
        hers, his = new_account(alice), new_account(bob)
        body = {"operation": "disconnect", "account_ids": [str(hers.pk), str(his.pk)]}
        response = api.post(BATCH, body, format="json")
        assert response.status_code == 404
        [error] = response.json()["errors"]
        assert error["field"] == "account_ids"
        assert str(his.pk) in error["detail"]
        assert str(hers.pk) not in error["detail"]
        foreign = {"operation": "disconnect", "filter": {"connection": str(his.connection_id)}}
        assert api.post(BATCH, foreign, format="json").status_code == 404
        assert not BatchOperation.objects.exists()

    def test_of_very_many_the_first_are_looked_at_first(
        self, api: APIClient, alice: User, new_account: AccountFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batches, "MANY", 3)
        monkeypatch.setattr(batches, "SAMPLE", 2)
        hers = [new_account(alice).pk for _ in range(4)]
        for wrong, words in (([hers[0], uuid4(), *hers[1:]], "1 of 2 is"), ([*hers, uuid4()], "1 of 5 is")):
            body = {"operation": "sync", "account_ids": [str(each) for each in wrong]}
            response = api.post(BATCH, body, format="json")
            assert response.status_code == 404
            assert words in response.json()["detail"]
        twice = {"operation": "sync", "account_ids": [str(each) for each in [hers[0], *hers]]}
        assert "once" in api.post(BATCH, twice, format="json").json()["detail"]
        assert api.post(BATCH, {"operation": "sync", "account_ids": hers}, format="json").status_code == 202

    @pytest.mark.parametrize("key", ["", "x" * 201, "é"])
    def test_a_key_is_of_printable_ascii(self, api: APIClient, key: str) -> None:
        response = api.post(
            BATCH, {"operation": "sync", "filter": {}}, format="json", headers={"Idempotency-Key": key}
        )
        assert response.status_code == 400
        [error] = response.json()["errors"]
        assert (error["field"], "ASCII" in error["detail"]) == ("Idempotency-Key", True)

    def test_more_than_the_most_is_refused(
        self, api: APIClient, alice: User, new_account: AccountFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batches, "MOST_ITEMS", 2)
        for _ in range(3):
            new_account(alice)
        response = api.post(BATCH, {"operation": "sync", "filter": {}}, format="json")
        assert response.status_code == 400
        assert "more than 2 accounts" in response.json()["detail"]


def test_items_are_in_the_order_of_the_accounts(alice: User, new_account: AccountFactory) -> None:
    for _ in range(5):
        new_account(alice)
    batch = start_batch(alice, "sync", filter={"status": ["active", "pending"]})
    listed = list(BatchItem.objects.filter(batch=batch).values_list("account_id", flat=True))
    assert all(one < other for one, other in pairwise(listed))
    assert Counter(BatchItem.objects.values_list("state", flat=True)) == {"waiting": 5}
    assert Connection.objects.count() == 1
