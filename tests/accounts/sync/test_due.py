"""The scheduler's task queues a sync of each connection that is due."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import SyncRun
from accounts.sync.claims import claim_run
from accounts.sync.due import sync_due
from accounts.sync.requests import queue_sync
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import MANUAL, list_queued_runs
from tokens.models import Connection

pytestmark = pytest.mark.django_db


def test_each_connection_that_is_due_gets_one_run(connect: ConnectionFactory) -> None:
    now = timezone.now()
    due = [connect("alice", next_sync_at=None), connect("bob", next_sync_at=now - timedelta(seconds=1))]
    connect("charlie", next_sync_at=now + timedelta(minutes=1))
    connect("alice", state=Connection.State.REAUTHORIZATION_REQUIRED, amazon_user_id="x")
    connect("alice", client_id="another application")
    assert sync_due() == 2
    assert sync_due() == 0
    assert set(SyncRun.objects.values_list("connection", "trigger")) == {
        (connection.pk, "scheduled") for connection in due
    }
    assert len(list_queued_runs()) == 2


def test_the_connection_that_is_longest_overdue_comes_first(connect: ConnectionFactory) -> None:
    now = timezone.now()
    connect("alice", next_sync_at=now - timedelta(minutes=1))
    never = connect("bob", next_sync_at=None)
    long_ago = connect("charlie", next_sync_at=now - timedelta(hours=1))
    assert sync_due(limit=1) == 1
    assert SyncRun.objects.get().connection == never
    assert sync_due(limit=1) == 1
    assert SyncRun.objects.latest("pk").connection == long_ago


def test_a_connection_that_is_being_synced_is_not_due(connect: ConnectionFactory) -> None:
    connection = connect(next_sync_at=None)
    claim_run(queue_sync(connection, trigger=MANUAL).pk)
    assert sync_due() == 0
