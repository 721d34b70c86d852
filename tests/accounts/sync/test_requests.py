"""A request checks its permission, joins a waiting run or creates one, and queues it in its transaction."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import SyncRun
from accounts.sync.claims import AnotherRunActiveError, claim_run
from accounts.sync.requests import (
    Wait,
    find_waits,
    open_run,
    queue_sync,
    request_sync,
)
from accounts.sync.run import queue_run
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import (
    MANUAL,
    list_queued_jobs,
    list_queued_runs,
    list_scheduled_times,
    make_ended_listing,
)
from tests.teams import join, team_of
from tokens.errors import ConnectionUnusableError
from tokens.models import Connection
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.signals import connection_changed

pytestmark = pytest.mark.django_db


def disconnected() -> dict[str, Any]:
    return {
        "state": Connection.State.DISCONNECTED,
        "refresh_token": None,
        "disconnected_at": timezone.now() + timedelta(seconds=1),
    }


def test_a_request_joins_the_waiting_run(connect: ConnectionFactory) -> None:
    connection = connect()
    first = request_sync(SYSTEM, connection, trigger=MANUAL)
    second = request_sync(SYSTEM, connection, trigger=SyncRun.Trigger.API)
    assert second == first
    assert list_queued_runs() == [str(first.pk)]


def test_a_request_never_joins_a_running_run(connect: ConnectionFactory) -> None:
    connection = connect()
    first = request_sync(SYSTEM, connection, trigger=MANUAL)
    claim_run(first.pk)
    second = request_sync(SYSTEM, connection, trigger=MANUAL)
    assert second != first
    with pytest.raises(AnotherRunActiveError):
        claim_run(second.pk)


def test_a_request_records_the_person(connect: ConnectionFactory, owner: User, admin: User) -> None:
    join(admin, team_of(owner).name, Role.OPERATOR)
    run = request_sync(admin, connect(), trigger=SyncRun.Trigger.API)
    assert (run.requested_by, run.trigger, run.state) == (admin, "api", "waiting")


def test_a_person_without_the_permission_cannot_request_a_sync(
    connect: ConnectionFactory, owner: User
) -> None:
    with pytest.raises(PermissionDenied, match="sync_account"):
        request_sync(owner, connect(), trigger=MANUAL)
    assert not SyncRun.objects.exists()
    assert list_queued_runs() == []


@pytest.mark.parametrize("state", [Connection.State.REAUTHORIZATION_REQUIRED, Connection.State.DISCONNECTED])
def test_a_request_for_an_unusable_connection_is_refused(connect: ConnectionFactory, state: str) -> None:
    fields = disconnected() if state == Connection.State.DISCONNECTED else {"state": state}
    with pytest.raises(ConnectionUnusableError):
        request_sync(SYSTEM, connect(**fields), trigger=MANUAL)
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize("state", [Connection.State.REAUTHORIZATION_REQUIRED, Connection.State.DISCONNECTED])
def test_an_unusable_connection_gets_a_failed_run_with_the_reason(
    connect: ConnectionFactory, state: str
) -> None:
    fields = disconnected() if state == Connection.State.DISCONNECTED else {"state": state}
    connection = connect(**fields)
    run = queue_sync(connection, trigger=MANUAL)
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", connection.reason_unusable)
    assert run.finished_at is not None
    assert list_queued_runs() == []


def test_a_person_who_joins_a_run_takes_it_over_from_its_batch(connect: ConnectionFactory) -> None:
    connection = connect()
    run = queue_sync(connection, trigger=SyncRun.Trigger.BATCH)
    queue_sync(connection, trigger=MANUAL)
    run.refresh_from_db()
    assert run.trigger == MANUAL


def test_a_batch_that_joins_the_run_of_a_person_does_not_take_it_over(connect: ConnectionFactory) -> None:
    connection = connect()
    run = queue_sync(connection, trigger=MANUAL)
    queue_sync(connection, trigger=SyncRun.Trigger.BATCH)
    run.refresh_from_db()
    assert run.trigger == MANUAL


def test_a_run_can_be_opened_without_a_job(connect: ConnectionFactory) -> None:
    run = open_run(connect(), trigger=MANUAL)
    assert run.state == SyncRun.State.WAITING
    assert list_queued_runs() == []


def test_a_constraint_allows_one_running_run_of_a_connection(connect: ConnectionFactory) -> None:
    fields = {"connection": connect(), "trigger": MANUAL, "started_at": timezone.now()}
    SyncRun.objects.create(state=SyncRun.State.RUNNING, **fields)
    with pytest.raises(IntegrityError, match="one_running_sync_per_connection"):
        SyncRun.objects.create(state=SyncRun.State.RUNNING, **fields)


@pytest.mark.parametrize("change", ["connected", "healed"])
def test_a_new_consent_queues_a_sync(connect: ConnectionFactory, change: str) -> None:
    connection_changed.send(sender=Connection, connection=connect(), change=change)
    run = SyncRun.objects.get()
    assert (run.trigger, run.state) == ("connect", "waiting")
    assert list_queued_runs() == [str(run.pk)]


def test_the_name_and_arguments_of_the_job_stay_as_existing_databases_have_them(
    connect: ConnectionFactory,
) -> None:
    run = queue_sync(connect(), trigger=SyncRun.Trigger.SCHEDULED)
    [job] = list_queued_jobs()
    assert (job.task_name, job.queue_name) == ("accounts.run_sync", "sync")
    assert job.queueing_lock == f"accounts.run_sync:{run.pk}"
    assert job.args == {"run_id": str(run.pk)}


def test_queueing_a_run_again_moves_its_job_only_when_a_time_is_given(connect: ConnectionFactory) -> None:
    run = open_run(connect(), trigger=MANUAL)
    later = timezone.now() + timedelta(minutes=3)
    queue_run(run.pk, at=later)
    queue_run(run.pk)
    assert list_scheduled_times() == [later]
    earlier = later - timedelta(minutes=2)
    queue_run(run.pk, at=earlier)
    assert list_scheduled_times() == [earlier]


def test_a_request_starts_a_postponed_run_at_once(connect: ConnectionFactory) -> None:
    connection = connect()
    run = open_run(connection, trigger=MANUAL)
    SyncRun.objects.filter(pk=run.pk).update(postponed=1)
    queue_run(run.pk, at=timezone.now() + timedelta(minutes=3))
    assert queue_sync(connection, trigger=MANUAL) == run
    [scheduled_at] = list_scheduled_times()
    assert scheduled_at <= timezone.now()


def test_the_wait_of_a_postponed_run_has_its_times_its_regions_and_its_reason(
    connect: ConnectionFactory,
) -> None:
    run = open_run(connect(), trigger=MANUAL)
    until = timezone.now() + timedelta(minutes=3)
    sources = [make_ended_listing("profiles", region=region).as_data() for region in ("NA", "FE", "EU")]
    for source in sources[:2]:
        source["errors"] = [{"kind": "postponed", "message": "Wait."}]
    since = until - timedelta(minutes=5)
    SyncRun.objects.filter(pk=run.pk).update(
        postponed=1, postponed_at=since, sources=sources, error="profiles FE, NA: Wait. Another list failed."
    )
    queue_run(run.pk, at=until)
    assert find_waits([run.pk])[run.pk] == Wait(since, until, ("FE", "NA"), "Wait.")


def test_a_run_that_an_older_version_postponed_waits_since_it_was_requested(
    connect: ConnectionFactory,
) -> None:
    run = open_run(connect(), trigger=MANUAL)
    SyncRun.objects.filter(pk=run.pk).update(postponed=1)
    queue_run(run.pk, at=timezone.now() + timedelta(minutes=3))
    assert find_waits([run.pk])[run.pk].since == run.created_at


@pytest.mark.parametrize("postponed", [0, 1])
def test_a_run_that_waits_for_a_worker_has_no_wait(connect: ConnectionFactory, postponed: int) -> None:
    run = queue_sync(connect(), trigger=MANUAL)
    SyncRun.objects.filter(pk=run.pk).update(postponed=postponed)
    assert find_waits([run.pk]) == {}
    assert find_waits([]) == {}
