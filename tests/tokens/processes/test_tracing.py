"""What a worker knows of the request that queued its job."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.worker import Worker

from amazon_accounts.logs.trace import Trace, read_trace, traced
from amazon_accounts.postgresql.threads import in_thread
from tests.tokens.conftest import ConnectionFactory
from tokens.models import AuditEntry
from tokens.people.audit import Action, record_audit
from tokens.permissions import SYSTEM
from tokens.processes.repeating import ReturningJobManager
from tokens.processes.tracing import trace_job
from tokens.refresh.tasks import request_refresh

REQUEST = "0193c8a05b1d7a22b3c4d5e6f7a8b9c0"
pytestmark = pytest.mark.django_db(transaction=True)


def work() -> Trace:
    """Let a worker take the only job, which writes an entry of the audit trail; return what the job knew."""
    manager = ReturningJobManager(app.job_manager.connector, app.tasks)

    async def do_job() -> Trace:
        await in_thread(record_audit)(SYSTEM, Action.CONNECTION_REFRESH, None)
        return read_trace()

    async def run() -> Trace:
        job = await manager.fetch_job(queues=None, worker_id=await manager.register_worker())
        context = cast("JobContext", SimpleNamespace(job=job, app=SimpleNamespace(job_manager=manager)))
        known: Trace = await trace_job(do_job, context, cast("Worker", cast("Any", None)))
        await sync_to_async(connections.close_all)()
        return known

    return asyncio.run(run())


def test_a_job_belongs_to_the_request_that_queued_it(connect: ConnectionFactory) -> None:
    with traced(Trace(request_id=REQUEST)):
        request_refresh(SYSTEM, connect())
    known = work()
    assert (known.request_id, known.task) == (REQUEST, "tokens.refresh_connection")
    assert list(AuditEntry.objects.values_list("request_id", flat=True)) == [REQUEST, REQUEST]
    assert read_trace() == Trace()


def test_a_job_of_the_schedule_belongs_to_no_request(connect: ConnectionFactory) -> None:
    request_refresh(SYSTEM, connect())
    assert work().request_id == ""


def test_what_is_known_of_a_job_is_deleted_with_it(connect: ConnectionFactory) -> None:
    with traced(Trace(request_id=REQUEST)):
        request_refresh(SYSTEM, connect())
    ProcrastinateJob.objects.filter().update(status="succeeded")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
        cursor.execute("SELECT count(*) FROM job_requests")
        assert cursor.fetchone() == (0,)
