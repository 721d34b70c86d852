"""Batches through the REST API."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.batch import cancel_batch, start_batch
from accounts.models import BatchOperation, SyncRun
from accounts.sync.run import queue_run
from tests.accounts.batch.batches import ids, run_to_end
from tests.accounts.conftest import AccountFactory, ClientFactory, ConnectionFactory

BATCH = "/api/v1/accounts/batch/"


class TestAPI:
    def test_a_batch_is_started_and_its_items_are_listed(
        self, api: APIClient, alice: User, bob: User, new_account: AccountFactory, client_of: ClientFactory
    ) -> None:
        accounts = [new_account(alice) for _ in range(3)]
        body = {"operation": "disconnect", "account_ids": [str(account.pk) for account in accounts]}
        response = api.post(BATCH, body, format="json", headers={"Idempotency-Key": "one"})
        assert response.status_code == 202
        started = response.json()
        assert response["Location"] == f"{settings.PUBLIC_URL}{BATCH}{started['id']}/"
        assert started == {
            "id": started["id"], "operation": "disconnect", "state": "waiting", "total": 3, "succeeded": 0,
            "failed": 0, "skipped": 0, "created_at": started["created_at"], "finished_at": None,
            "wait": None,
        }  # fmt: skip
        assert api.post(BATCH, body, format="json", headers={"Idempotency-Key": "one"}).json() == started
        run_to_end(BatchOperation.objects.get())
        ended = api.get(response["Location"]).json()
        assert (ended["state"], ended["succeeded"]) == ("succeeded", 3)
        page = api.get(f"{BATCH}{started['id']}/items/", {"page_size": 2}).json()
        rest = api.get(page["next"]).json()
        assert [item["account"] for item in page["results"] + rest["results"]] == body["account_ids"]
        assert rest["results"][0] == {
            "account": body["account_ids"][2], "state": "succeeded", "message": "Disconnected.", "cause": "",
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

    @pytest.mark.parametrize("key", ["", "x" * 201, "é"])
    def test_a_key_must_be_printable_ascii(self, api: APIClient, key: str) -> None:
        response = api.post(
            BATCH, {"operation": "sync", "filter": {}}, format="json", headers={"Idempotency-Key": key}
        )
        assert response.status_code == 400
        [error] = response.json()["errors"]
        assert (error["field"], "ASCII" in error["detail"]) == ("Idempotency-Key", True)

    def test_a_batch_says_since_and_until_when_it_waits_for_amazon_and_why(
        self, api: APIClient, alice: User, new_account: AccountFactory, new_connection: ConnectionFactory
    ) -> None:
        connections = [new_connection(alice) for _ in range(3)]
        accounts = [new_account(alice, connection=connection) for connection in connections]
        batch = run_to_end(start_batch(alice, "sync", account_ids=ids(*accounts)))
        address = f"{BATCH}{batch.pk}/"
        assert api.get(address).json()["wait"] is None
        now = timezone.now().replace(microsecond=0)
        for minutes, connection in enumerate(connections[:2], start=1):
            run = SyncRun.objects.get(connection=connection)
            SyncRun.objects.filter(pk=run.pk).update(
                postponed=1,
                postponed_at=now - timedelta(minutes=minutes),
                error=f"Amazon is down ({minutes}).",
            )
            queue_run(run.pk, at=now + timedelta(minutes=minutes))
        assert api.get(address).json()["wait"] == {
            "since": f"{now - timedelta(minutes=2):%Y-%m-%dT%H:%M:%SZ}",
            "until": f"{now + timedelta(minutes=2):%Y-%m-%dT%H:%M:%SZ}",
            "reason": "Amazon is down (2).",
        }
        cancel_batch(alice, batch)
        assert api.get(address).json()["wait"] is None


@pytest.mark.parametrize("on", ["accounts", "connections"])
def test_operations_are_listed_newest_first(
    admin: User, new_account: AccountFactory, client_of: ClientFactory, on: str
) -> None:
    account, client = new_account(admin), client_of(admin)
    row = account.pk if on == "accounts" else account.connection_id
    address = f"/api/v1/{on}/batch/"
    request = {f"{on[:-1]}_ids": [str(row)]}
    ids = [
        client.post(address, {"operation": operation, **request}, format="json").json()["id"]
        for operation in ("sync", "disconnect")
    ]
    listed = client.get(address).json()["results"]
    assert [batch["id"] for batch in listed] == ids[::-1]
    assert (listed[0]["total"], listed[0]["succeeded"], "wait" in listed[0]) == (1, 0, False)
    found = client.get(address, {"operation": "sync", "state": "waiting"}).json()["results"]
    assert [batch["id"] for batch in found] == ids[:1]
    other = "connections" if on == "accounts" else "accounts"
    assert client.get(f"/api/v1/{other}/batch/").json()["results"] == []
