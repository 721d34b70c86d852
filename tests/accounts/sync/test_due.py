"""The scheduler's task queues a sync of each connection that is due."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from accounts.models import SyncRun
from accounts.sync.claims import claim_run, close_run
from accounts.sync.due import MAX_WAITING, sync_due
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
    assert sync_due(limit=1) == 0
    claim_run(SyncRun.objects.get().pk)
    assert sync_due(limit=1) == 1
    assert SyncRun.objects.latest("pk").connection == long_ago


def test_a_connection_that_is_being_synced_is_not_due(connect: ConnectionFactory) -> None:
    connection = connect(next_sync_at=None)
    claim_run(queue_sync(connection, trigger=MANUAL).pk)
    assert sync_due() == 0


def test_few_syncs_wait_at_a_time_and_teams_take_turns(connect: ConnectionFactory, owner: User) -> None:
    other = User.objects.create_user("other")
    long_ago = timezone.now() - timedelta(days=1)
    for number in range(MAX_WAITING + 5):
        connect(next_sync_at=long_ago + timedelta(minutes=number))
    few = [connect(owner=other, next_sync_at=timezone.now()) for number in range(3)]
    assert sync_due() == MAX_WAITING
    waiting = [run.connection for run in SyncRun.objects.order_by("pk").select_related("connection__owner")]
    assert set(few) <= set(waiting)
    assert [connection.owner for connection in waiting[:6]] == [owner, other] * 3
    # The jobs wait in the same order.
    assert list_queued_runs() == [str(run.pk) for run in SyncRun.objects.order_by("pk")]
    assert sync_due() == 0


def end(run: SyncRun) -> None:
    claim = claim_run(run.pk)
    close_run(claim, SyncRun.State.SUCCEEDED, [])


def test_the_end_of_a_scheduled_sync_queues_more_when_few_wait(
    connect: ConnectionFactory, django_capture_on_commit_callbacks: Any
) -> None:
    for _ in range(2 * MAX_WAITING):
        connect(next_sync_at=None)
    sync_due()
    runs = list(SyncRun.objects.order_by("pk"))
    for number, run in enumerate(runs, start=1):
        with django_capture_on_commit_callbacks(execute=True):
            end(run)
        waiting = SyncRun.objects.filter(state="waiting").count()
        if number <= MAX_WAITING // 2:
            assert waiting == MAX_WAITING - number
        else:
            assert waiting == MAX_WAITING
            return


def test_the_end_of_another_sync_queues_nothing(
    connect: ConnectionFactory, django_capture_on_commit_callbacks: Any
) -> None:
    connect(next_sync_at=None)
    run = queue_sync(connect(), trigger=MANUAL)
    with django_capture_on_commit_callbacks(execute=True):
        end(run)
    assert not SyncRun.objects.filter(trigger="scheduled").exists()


def test_a_postponed_sync_takes_no_place(connect: ConnectionFactory) -> None:
    for _ in range(2):
        connect(next_sync_at=None)
    assert sync_due(limit=1) == 1
    SyncRun.objects.update(postponed=1)
    assert sync_due(limit=1) == 1


@pytest.mark.django_db(transaction=True)
def test_two_processes_do_not_queue_at_once(connect: ConnectionFactory) -> None:
    connect(next_sync_at=None)

    def queue_elsewhere() -> int:
        with closing(database):
            return sync_due()

    with transaction.atomic(), ThreadPoolExecutor(1) as other:
        assert sync_due() == 1
        assert other.submit(queue_elsewhere).result() == 0
