"""Runs whose process died, and runs whose job was lost."""

from datetime import timedelta

import pytest
from django.db import connection as database
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.models import SyncRun
from accounts.sync.claims import claim_run
from accounts.sync.requests import open_run, queue_sync
from accounts.sync.rescue import DIED, MAX_RESTARTS, rescue_runs
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import MANUAL, let_die, list_queued_runs, make_older
from tokens.models import Connection

pytestmark = pytest.mark.django_db


def start_and_kill(connection: Connection, trigger: SyncRun.Trigger = MANUAL) -> SyncRun:
    run = queue_sync(connection, trigger=trigger)
    claim_run(run.pk)
    let_die(run)
    return run


def lose_jobs() -> None:
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_events")
        cursor.execute("DELETE FROM procrastinate_jobs")


def test_a_run_whose_process_died_is_closed_and_requested_again(connect: ConnectionFactory) -> None:
    dead = start_and_kill(connect(), SyncRun.Trigger.BATCH)
    assert rescue_runs() == 1
    dead.refresh_from_db()
    assert (dead.state, dead.error) == ("failed", DIED)
    again = SyncRun.objects.get(state=SyncRun.State.WAITING)
    assert again.trigger == SyncRun.Trigger.BATCH
    assert str(again.pk) in list_queued_runs()


def test_a_run_with_a_recent_heartbeat_is_not_rescued(connect: ConnectionFactory) -> None:
    run = queue_sync(connect(), trigger=MANUAL)
    claim_run(run.pk)
    assert rescue_runs() == 0
    run.refresh_from_db()
    assert run.state == SyncRun.State.RUNNING


def test_a_death_counts_as_a_failure_of_the_connection(connect: ConnectionFactory) -> None:
    connection = connect()
    start_and_kill(connection)
    rescue_runs()
    connection.refresh_from_db()
    assert (connection.sync_failures, connection.sync_error) == (
        1,
        "The process that ran the last sync died.",
    )
    assert connection.next_sync_at is not None


def test_a_run_that_kills_every_process_is_restarted_a_limited_number_of_times(
    connect: ConnectionFactory,
) -> None:
    connection = connect()
    for _ in range(MAX_RESTARTS + 1):
        start_and_kill(connection)
        assert rescue_runs() == 1
    assert not SyncRun.objects.filter(state=SyncRun.State.WAITING).exists()


def test_other_failures_do_not_count_as_deaths(connect: ConnectionFactory) -> None:
    connection = connect()
    Connection.objects.update(sync_failures=10)
    start_and_kill(connection)
    assert rescue_runs() == 1
    assert SyncRun.objects.filter(state=SyncRun.State.WAITING).exists()


def test_a_run_of_a_connection_that_became_unusable_is_not_requested_again(
    connect: ConnectionFactory,
) -> None:
    connection = connect()
    dead = start_and_kill(connection)
    Connection.objects.update(state=Connection.State.REAUTHORIZATION_REQUIRED)
    assert rescue_runs() == 1
    assert list(SyncRun.objects.all()) == [dead]


def test_the_run_that_waits_for_a_dead_run_is_queued(connect: ConnectionFactory) -> None:
    connection = connect()
    start_and_kill(connection)
    waiting = open_run(connection, trigger=SyncRun.Trigger.API)
    lose_jobs()
    assert rescue_runs() == 1
    assert SyncRun.objects.filter(state=SyncRun.State.WAITING).get() == waiting
    assert list_queued_runs() == [str(waiting.pk)]


def test_a_run_that_waits_without_a_job_is_queued(connect: ConnectionFactory) -> None:
    run = open_run(connect(), trigger=MANUAL)
    make_older(run, timedelta(minutes=1))
    rescue_runs()
    assert list_queued_runs() == [str(run.pk)]


def test_a_run_that_waits_with_a_job_is_not_queued_twice(connect: ConnectionFactory) -> None:
    run = queue_sync(connect(), trigger=MANUAL)
    make_older(run, timedelta(minutes=1))
    rescue_runs()
    assert list_queued_runs() == [str(run.pk)]


def test_a_new_run_without_a_job_is_not_queued_yet(connect: ConnectionFactory) -> None:
    open_run(connect(), trigger=MANUAL)
    rescue_runs()
    assert list_queued_runs() == []


def test_a_run_that_waits_for_another_run_is_not_queued(connect: ConnectionFactory) -> None:
    connection = connect()
    claim_run(open_run(connection, trigger=MANUAL).pk)
    make_older(open_run(connection, trigger=MANUAL), timedelta(minutes=1))
    rescue_runs()
    assert list_queued_runs() == []


def test_a_run_whose_job_has_just_started_is_not_queued(connect: ConnectionFactory) -> None:
    run = queue_sync(connect(), trigger=MANUAL)
    make_older(run, timedelta(minutes=1))
    with database.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    rescue_runs()
    assert ProcrastinateJob.objects.count() == 1
