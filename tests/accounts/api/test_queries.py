"""A request of the API costs at most ten statements, reads and writes, whatever it touches.

The two that end what is under way elsewhere, cancelling a batch and disconnecting a connection, cost at most eighteen.
Marks of transactions (`BEGIN`, `SAVEPOINT` and their ends) are not counted: they are none of the database's work.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from accounts.batch import start_batch
from accounts.models import Account, SyncRun
from tests.accounts.conftest import AccountFactory, ClientFactory

MAX_QUERIES = 10
# One more notes which request has queued the job.
MAX_QUERIES_TO_QUEUE = 11
MAX_QUERIES_TO_END = 19
ROOT = "/api/v1/"
MARKS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK")

Sender = Callable[..., list[str]]


@pytest.fixture
def accounts(admin: User, new_account: AccountFactory) -> list[Account]:
    return [new_account(admin, labels={"team": "north"}) for _ in range(30)]


@pytest.fixture
def send(admin: User, client_of: ClientFactory) -> Sender:
    client = client_of(admin)

    def statements(method: str, address: str, body: Any = None) -> list[str]:
        with CaptureQueriesContext(database) as captured:
            response = getattr(client, method)(ROOT + address, body, format="json")
        assert response.status_code < 300, response.content
        return [query["sql"] for query in captured if not query["sql"].startswith(MARKS)]

    return statements


def test_reads(send: Sender, admin: User, accounts: list[Account]) -> None:
    account, connection = accounts[0], accounts[0].connection
    batch = start_batch(admin, "sync", filters={})
    SyncRun.objects.create(connection=connection, trigger="manual", state="failed")
    for address in (
        "accounts/",
        f"accounts/{account.pk}/",
        f"accounts/{account.pk}/changes/",
        "accounts/changes/",
        "accounts/health/",
        "accounts/amazon-profiles/",
        f"accounts/amazon-profiles/?account={account.pk}",
        "accounts/sync-runs/",
        f"accounts/batch/{batch.pk}/",
        f"accounts/batch/{batch.pk}/items/",
        "connections/",
        f"connections/{connection.pk}/",
        f"connections/{connection.pk}/availability/",
        f"connections/{connection.pk}/refreshes/",
    ):
        seen = send("get", address)
        assert len(seen) <= MAX_QUERIES, (address, seen)


@pytest.mark.parametrize(
    ("operation", "options"), [("sync", {}), ("disconnect", {}), ("update", {"labels": {"team": "south"}})]
)
def test_starting_a_batch(
    send: Sender, accounts: list[Account], operation: str, options: dict[str, Any]
) -> None:
    request = {"operation": operation, "options": options}
    for chosen in (
        {"account_ids": [str(account.pk) for account in accounts]},
        {"filter": {"status": "active"}},
    ):
        seen = send("post", "accounts/batch/", request | chosen)
        assert len(seen) <= MAX_QUERIES_TO_QUEUE, seen


@pytest.mark.parametrize(
    "change", [{"labels": {"team": "south"}}, {"sync_enabled": False}, {"is_default": True}]
)
def test_changing_an_account(send: Sender, accounts: list[Account], change: dict[str, Any]) -> None:
    seen = send("patch", f"accounts/{accounts[0].pk}/", change)
    assert len(seen) <= MAX_QUERIES, seen


@pytest.mark.parametrize("verb", ["refresh", "sync", "access-token"])
def test_acting_on_a_connection(send: Sender, accounts: list[Account], verb: str) -> None:
    for _ in range(2):
        seen = send("post", f"connections/{accounts[0].connection_id}/{verb}/")
        assert len(seen) <= MAX_QUERIES_TO_QUEUE, seen


def test_ending_what_is_under_way(send: Sender, admin: User, accounts: list[Account]) -> None:
    batch = start_batch(admin, "sync", filters={})
    for address in (
        f"accounts/batch/{batch.pk}/cancel/",
        f"connections/{accounts[0].connection_id}/disconnect/",
    ):
        seen = send("post", address)
        assert len(seen) <= MAX_QUERIES_TO_END, (address, seen)
