"""Where the job of a run waits: what people asked for has a queue of its own, and one person does not fill it."""

from datetime import timedelta

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.batch.tasks import run_batch, run_connection_batch, settle_batches
from accounts.models import SyncRun
from accounts.sync.due import sync_due
from accounts.sync.lanes import SCHEDULED
from accounts.sync.requests import queue_sync, request_sync
from accounts.sync.run import queue_run
from tests.accounts.conftest import person
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import MANUAL, list_queued_jobs
from tests.teams import join, team_of
from tokens.people.roles import Role
from tokens.queues import PEOPLE, PEOPLE_SYNC

pytestmark = pytest.mark.django_db


def add_operator(name: str, owner: User) -> User:
    """Make a person who may act on what the owner's team has."""
    user = person(name, "")
    join(user, team_of(owner).name, Role.OPERATOR)
    return user


def list_places() -> list[tuple[str, int]]:
    return [(job.queue_name, job.priority) for job in list_queued_jobs()]


@pytest.mark.parametrize("trigger", [each for each in SyncRun.Trigger if each != "scheduled"])
def test_a_sync_that_a_person_asked_for_waits_with_what_people_asked_for(
    connect: ConnectionFactory, trigger: SyncRun.Trigger
) -> None:
    queue_sync(connect(), trigger=trigger)
    assert list_places() == [(PEOPLE_SYNC, 0)]


def test_batches_are_done_in_the_queue_of_people() -> None:
    assert run_batch.queue == run_connection_batch.queue == settle_batches.queue == PEOPLE


def test_a_request_moves_a_scheduled_sync_that_waits(connect: ConnectionFactory, owner: User) -> None:
    connection = connect(next_sync_at=None)
    sync_due()
    assert list_places() == [(SCHEDULED, 0)]
    run = queue_sync(connection, trigger=MANUAL, requested_by=owner)
    assert list_places() == [(PEOPLE_SYNC, 0)]
    stored = SyncRun.objects.get()
    assert (stored.pk, stored.trigger, stored.requested_by) == (run.pk, "manual", owner)


def test_a_batch_moves_a_scheduled_sync_that_waits(connect: ConnectionFactory) -> None:
    connection = connect(next_sync_at=None)
    sync_due()
    queue_sync(connection, trigger=SyncRun.Trigger.BATCH)
    assert list_places() == [(PEOPLE_SYNC, 0)]


def test_a_sync_that_people_asked_for_is_never_moved_back(connect: ConnectionFactory) -> None:
    run = queue_sync(connect(), trigger=MANUAL)
    queue_sync(run.connection, trigger=SyncRun.Trigger.SCHEDULED)
    queue_run(run.pk)
    assert list_places() == [(PEOPLE_SYNC, 0)]


def test_a_postponed_sync_stays_in_its_queue(connect: ConnectionFactory) -> None:
    run = queue_sync(connect(), trigger=MANUAL)
    ProcrastinateJob.objects.all()._raw_delete("default")
    queue_run(run.pk, at=timezone.now() + timedelta(minutes=1))
    assert list_places() == [(PEOPLE_SYNC, 0)]


def test_one_sync_of_a_person_does_not_wait_behind_many_of_another(
    connect: ConnectionFactory, owner: User
) -> None:
    for number in range(3):
        request_sync(add_operator(f"operator {number}", owner), connect(), trigger=MANUAL)
    busy, other = add_operator("busy", owner), add_operator("other", owner)
    for _ in range(3):
        request_sync(busy, connect(), trigger=MANUAL)
    request_sync(other, connect(), trigger=MANUAL)
    assert [priority for _, priority in list_places()] == [0, 0, 0, 0, -1, -2, 0]


def test_a_request_of_another_person_brings_a_waiting_sync_forward(
    connect: ConnectionFactory, owner: User
) -> None:
    busy, other = add_operator("busy", owner), add_operator("other", owner)
    connections = [connect() for _ in range(3)]
    for connection in connections:
        queue_sync(connection, trigger=SyncRun.Trigger.BATCH, requested_by=busy)
    assert [priority for _, priority in list_places()] == [0, -1, -2]
    request_sync(other, connections[2], trigger=MANUAL)
    assert [priority for _, priority in list_places()] == [0, -1, 0]
    # A request never moves a sync back.
    request_sync(busy, connections[2], trigger=MANUAL)
    assert [priority for _, priority in list_places()] == [0, -1, 0]


@pytest.mark.django_db(transaction=True)
def test_a_sync_that_is_moved_wakes_the_workers(connect: ConnectionFactory) -> None:
    connection = connect(next_sync_at=None)
    sync_due()
    parameters = database.get_connection_params()
    for option in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(option, None)
    with psycopg.connect(**parameters, autocommit=True) as listener:
        listener.execute(f'LISTEN "procrastinate_queue_v1#{PEOPLE_SYNC}"')
        queue_sync(connection, trigger=MANUAL)
        assert len(list(listener.notifies(timeout=5, stop_after=1))) == 1
