"""A paused connection is not synced, by whatever way; its token is refreshed all the same."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import SyncRun
from accounts.sync.claims import claim_run
from accounts.sync.due import sync_due
from accounts.sync.requests import queue_sync, request_sync
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import MANUAL, list_queued_runs
from tokens.connect.update import update_connection
from tokens.errors import ConnectionUnusableError
from tokens.models import Connection
from tokens.permissions import SYSTEM
from tokens.refresh.tasks import request_refresh

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(connect: ConnectionFactory) -> Connection:
    return connect(next_sync_at=timezone.now() - timedelta(hours=1))


def test_it_is_neither_due_nor_synced_on_request(connection: Connection) -> None:
    update_connection(SYSTEM, connection, {"paused": True})
    assert sync_due() == 0
    with pytest.raises(ConnectionUnusableError, match="paused"):
        request_sync(SYSTEM, connection, trigger=MANUAL)
    assert queue_sync(connection, trigger=MANUAL).error == "The connection is paused. Resume it first."
    assert list_queued_runs() == []
    assert request_refresh(SYSTEM, connection)


@pytest.mark.parametrize("is_running", [False, True])
def test_a_pause_ends_the_sync_under_way(connection: Connection, is_running: bool) -> None:
    run = request_sync(SYSTEM, connection, trigger=MANUAL)
    if is_running:
        claim_run(run.pk)
    update_connection(SYSTEM, connection, {"paused": True})
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "The connection was paused.")
    connection.refresh_from_db()
    assert connection.sync_failures == 0


def test_it_is_due_when_it_is_resumed(connection: Connection) -> None:
    update_connection(SYSTEM, connection, {"paused": True})
    Connection.objects.update(next_sync_at=timezone.now() + timedelta(days=1))
    update_connection(SYSTEM, connection, {"paused": False})
    assert sync_due() == 1
    assert SyncRun.objects.get(finished_at=None).connection == connection


def test_it_is_neither_late_nor_failing(connection: Connection) -> None:
    for fields in ({"sync_failures": 3}, {"last_synced_at": timezone.now() - timedelta(days=9)}):
        Connection.objects.update(**{"sync_failures": 0, "paused": False, **fields})
        assert Connection.objects.late().exists() or Connection.objects.failing().exists()
        Connection.objects.update(paused=True)
        assert not Connection.objects.late().exists()
        assert not Connection.objects.failing().exists()
        row = Connection.objects.get()
        assert not row.is_late
        assert not row.is_failing
