"""Jobs whose worker died are queued again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection as database
from django.db import connections
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.threads import in_thread
from tests.database_outage import DatabaseOutage
from tests.tokens.conftest import ConnectionFactory
from tokens.permissions import SYSTEM
from tokens.processes.stalled import MAX_WAIT_SECONDS, choose_wait_seconds, rescue
from tokens.refresh.tasks import request_refresh

pytestmark = pytest.mark.django_db(transaction=True)


class InterruptedManager(JobManager):
    """Something happens between the search for stalled jobs and their rescue."""

    def __init__(self, happens: Callable[[list[Job]], Awaitable[None]]) -> None:
        super().__init__(app.job_manager.connector)
        self._happens = happens

    async def get_stalled_jobs(self, *args: Any, **options: Any) -> Iterable[Job]:
        jobs = list(await super().get_stalled_jobs(*args, **options))
        await self._happens(jobs)
        return jobs


def kill_the_worker(attempts: int = 0) -> None:
    """Leave every waiting job in the hands of a worker that died a minute ago."""
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')"
        )
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', attempts = %s,"
            " worker_id = (SELECT max(id) FROM procrastinate_workers) WHERE status = 'todo'",
            [attempts],
        )


def run_rescue(manager: JobManager | None = None) -> int:
    async def run() -> int:
        try:
            return await rescue(manager or app.job_manager)
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(run())


def statuses() -> list[str]:
    return list(ProcrastinateJob.objects.order_by("id").values_list("status", flat=True))


def test_a_stalled_job_is_queued_again(connect: ConnectionFactory) -> None:
    request_refresh(SYSTEM, connect())
    kill_the_worker()
    assert run_rescue() == 1
    assert statuses() == ["todo"]
    assert run_rescue() == 0


def test_a_job_of_a_living_worker_is_left_alone(connect: ConnectionFactory) -> None:
    request_refresh(SYSTEM, connect())
    kill_the_worker()
    with database.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '20 seconds'")
    assert run_rescue() == 0
    assert statuses() == ["doing"]


def test_a_stalled_job_is_dropped_when_another_one_waits_for_the_same_work(
    connect: ConnectionFactory,
) -> None:
    connection = connect()
    request_refresh(SYSTEM, connection)
    kill_the_worker()
    assert request_refresh(SYSTEM, connection)
    assert run_rescue() == 0
    assert statuses() == ["todo"]


def test_a_stalled_job_is_kept_when_the_database_goes_away(
    connect: ConnectionFactory, database_outage: DatabaseOutage
) -> None:
    async def go_away(jobs: list[Job]) -> None:
        assert len(jobs) == 1
        await in_thread(database_outage.begin)()

    request_refresh(SYSTEM, connect())
    kill_the_worker()
    assert run_rescue(InterruptedManager(go_away)) == 0
    database_outage.end()
    assert statuses() == ["doing"]
    assert run_rescue() == 1


def test_a_stalled_job_that_another_rescue_has_queued_is_left_alone(connect: ConnectionFactory) -> None:
    async def rescue_first(jobs: list[Job]) -> None:
        for job in jobs:
            await app.job_manager.retry_job(job)

    request_refresh(SYSTEM, connect())
    kill_the_worker()
    assert run_rescue(InterruptedManager(rescue_first)) == 0
    assert statuses() == ["todo"]


def test_a_job_that_loses_its_workers_is_never_given_up_and_waits_longer_each_time(
    connect: ConnectionFactory,
) -> None:
    request_refresh(SYSTEM, connect())
    waits = []
    for attempts in range(8):
        kill_the_worker(attempts)
        assert run_rescue() == 1
        job = ProcrastinateJob.objects.get()
        assert (job.status, job.attempts) == ("todo", attempts + 1)
        waits.append((job.scheduled_at - database_now()).total_seconds() if job.scheduled_at else 0)
    assert waits[:2] == [0, 0]
    assert 0 < waits[2] < 16 < waits[3]
    assert choose_wait_seconds(1_000) == MAX_WAIT_SECONDS
