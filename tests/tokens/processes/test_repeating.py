"""Jobs that failed because of the database are done again."""

import asyncio
import json
import re
from datetime import timedelta
from typing import Any, cast

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, connections
from django.db import connection as database
from procrastinate import JobContext, utils
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job, Status
from procrastinate.retry import RetryDecision, RetryStrategy
from procrastinate.worker import Worker

from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.outages import OUTAGES
from amazon_accounts.postgresql.statements import load
from tests.database_outage import wait_for_the_end_of_outages
from tests.tokens.conftest import ConnectionFactory
from tokens.permissions import SYSTEM
from tokens.processes import repeating
from tokens.processes.repeating import (
    MAX_PASSING_ERRORS,
    OutageRetry,
    ReturningJobManager,
    wait_for_the_database,
)
from tokens.refresh.tasks import request_refresh

pytestmark = pytest.mark.django_db(transaction=True)

FULL = psycopg.errors.DiskFull("No space left on device")
DEADLOCK = OperationalError("deadlock")
DEADLOCK.__cause__ = psycopg.errors.DeadlockDetected("deadlock detected")
JOB = Job(id=1, queue="q", lock=None, queueing_lock=None, task_name="t")


def test_a_job_that_an_outage_ended_is_repeated() -> None:
    assert isinstance(OutageRetry(None).get_retry_decision(exception=FULL, job=JOB), RetryDecision)


def test_for_other_errors_the_strategy_of_the_task_decides() -> None:
    own = RetryStrategy(max_attempts=3, retry_exceptions={OSError})
    assert OutageRetry(None).get_retry_decision(exception=OSError(), job=JOB) is None
    assert OutageRetry(own).get_retry_decision(exception=OSError(), job=JOB) is not None
    assert OutageRetry(own).get_retry_decision(exception=ValueError(), job=JOB) is None


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(asyncio.CancelledError(), id="worker stops"),
        pytest.param(OperationalError("no cause"), id="cause lost"),
        pytest.param(InterfaceError("no cause"), id="cause of an interface error lost"),
    ],
)
def test_a_job_is_repeated_at_once_however_it_learns_of_the_outage_or_the_end(error: BaseException) -> None:
    decision = OutageRetry(None).get_retry_decision(exception=error, job=JOB)
    assert decision is not None
    assert decision.retry_at is None


def test_a_job_that_met_a_deadlock_is_repeated_a_limited_number_of_times() -> None:
    decision = OutageRetry(None).get_retry_decision(exception=DEADLOCK, job=JOB)
    assert decision is not None
    assert decision.retry_at is not None
    often = JOB.evolve(attempts=MAX_PASSING_ERRORS)
    assert OutageRetry(None).get_retry_decision(exception=DEADLOCK, job=often) is None


@pytest.mark.parametrize(
    ("error", "seconds"), [(DEADLOCK, 1), (OSError(), 60)], ids=["passing error", "strategy of the task"]
)
@pytest.mark.parametrize("hours", [-1, 1], ids=["an hour slow", "an hour fast"])
def test_the_clock_of_the_process_changes_no_wait_for_another_try(
    monkeypatch: pytest.MonkeyPatch, error: Exception, seconds: int, hours: int
) -> None:
    right = utils.utcnow
    monkeypatch.setattr(utils, "utcnow", lambda: right() + timedelta(hours=hours))
    own = RetryStrategy(max_attempts=3, wait=60, retry_exceptions={OSError})
    decision = OutageRetry(own).get_retry_decision(exception=error, job=JOB)
    assert decision is not None
    assert decision.retry_at is not None
    assert abs(decision.retry_at - database_now() - timedelta(seconds=seconds)) < timedelta(seconds=20)


@pytest.mark.parametrize("cancel", [False, True])
def test_it_fails_with_the_error_of_the_database_though_the_worker_stops(*, cancel: bool) -> None:
    async def fail() -> None:
        raise FULL

    async def run() -> None:
        nothing = cast("Any", None)
        task = asyncio.create_task(
            wait_for_the_database(fail, cast("JobContext", nothing), cast("Worker", nothing))
        )
        await asyncio.sleep(0.05)
        if cancel:
            task.cancel()
        await task

    with pytest.raises(psycopg.errors.DiskFull):
        asyncio.run(run())
    wait_for_the_end_of_outages()
    assert not OUTAGES.is_on


def take_and_return(*, taken_over: bool = False) -> list[tuple[str, int, object]]:
    """Let a worker take the only job and return it; give back the job's status, attempts and scheduled time."""
    manager = ReturningJobManager(app.job_manager.connector, app.tasks)

    async def work() -> None:
        job = await manager.fetch_job(queues=None, worker_id=await manager.register_worker())
        assert job is not None
        if taken_over:
            other = await manager.register_worker()
            await sync_to_async(ProcrastinateJob.objects.filter(pk=job.id).update)(worker_id=other)
        await manager.retry_job(job)
        await sync_to_async(connections.close_all)()

    asyncio.run(work())
    return list(ProcrastinateJob.objects.values_list("status", "attempts", "scheduled_at"))


def test_a_job_that_is_repeated_at_once_loses_no_attempt(connect: ConnectionFactory) -> None:
    request_refresh(SYSTEM, connect())
    assert take_and_return() == [("todo", 0, None)]


def test_the_other_workers_are_told_of_a_job_that_is_returned(connect: ConnectionFactory) -> None:
    request_refresh(SYSTEM, connect())
    with psycopg.connect(**database.get_connection_params(), autocommit=True) as listener:
        listener.execute('LISTEN "procrastinate_queue_v1#tokens"')
        take_and_return()
        (told,) = listener.notifies(timeout=30, stop_after=1)
    assert json.loads(told.payload) == {
        "type": "job_inserted",
        "job_id": ProcrastinateJob.objects.get().pk,
    }


def test_a_job_that_another_worker_has_taken_over_is_left_to_it(connect: ConnectionFactory) -> None:
    request_refresh(SYSTEM, connect())
    assert take_and_return(taken_over=True) == [("doing", 0, None)]


def test_jobs_are_chosen_as_procrastinate_chooses_them() -> None:
    with database.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'procrastinate_fetch_job_v2'")
        (function,) = cursor.fetchone()
    own = load(repeating.__file__, "fetch_job")
    known = "AND jobs.task_name = any(%(known_tasks)s::varchar[])"
    assert known in own
    own = own.replace(known, "").replace("%(queues)s::varchar[]", "target_queue_names")
    assert squeeze(function).startswith(f"declarefound_jobsprocrastinate_jobs;begin{choice_of(squeeze(own))}")


def squeeze(statement: str) -> str:
    return re.sub(r"--.*|\s", "", statement).lower()


def choice_of(statement: str) -> str:
    return statement[: statement.index("updateprocrastinate_jobs")]


def test_a_job_of_an_unknown_task_stays_in_the_queue(connect: ConnectionFactory) -> None:
    request_refresh(SYSTEM, connect())
    manager = ReturningJobManager(app.job_manager.connector, ["tokens.refresh_due"])

    async def fetch() -> Job | None:
        try:
            return await manager.fetch_job(queues=None, worker_id=await manager.register_worker())
        finally:
            await sync_to_async(connections.close_all)()

    assert asyncio.run(fetch()) is None
    assert list(ProcrastinateJob.objects.values_list("status", "attempts")) == [("todo", 0)]


def test_a_job_that_cannot_wait_again_is_dropped(connect: ConnectionFactory) -> None:
    connection = connect()
    request_refresh(SYSTEM, connection)
    with database.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    assert request_refresh(SYSTEM, connection)
    manager = ReturningJobManager(app.job_manager.connector, app.tasks)

    async def retry() -> None:
        (job,) = await manager.list_jobs_async(status="doing")
        await manager.retry_job(job)
        await sync_to_async(connections.close_all)()

    asyncio.run(retry())
    assert list(ProcrastinateJob.objects.values_list("status", flat=True)) == ["todo"]


def test_a_worker_that_comes_back_may_find_its_job_done_by_another(
    connect: ConnectionFactory, caplog: pytest.LogCaptureFixture
) -> None:
    request_refresh(SYSTEM, connect())
    manager = ReturningJobManager(app.job_manager.connector, app.tasks)

    async def finish_twice() -> None:
        job = await manager.fetch_job(queues=None, worker_id=await manager.register_worker())
        assert job is not None
        for _ in range(2):
            await manager.finish_job(job, status=Status.SUCCEEDED, delete_job=True)
        await sync_to_async(connections.close_all)()

    with caplog.at_level("INFO"):
        asyncio.run(finish_twice())
    assert not ProcrastinateJob.objects.exists()
    assert "was taken from this worker and has ended" in caplog.text
