"""Jobs that ended through no fault of their own are done again, and lose no attempt by it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

import psycopg
from procrastinate import JobContext, utils
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker

from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.postgresql.outages import OUTAGES, is_outage, is_passing
from amazon_accounts.postgresql.statements import load

logger = logging.getLogger(__name__)

# A job gives its slot back after this time, so that the worker can notice an outage too.
MAX_WAIT_SECONDS = 10.0
POLL_SECONDS = 0.5
# After a deadlock or the like, the waits before further tries double from one second.
MAX_PASSING_ERRORS = 8


async def wait_for_the_database(
    run_job: Callable[[], Awaitable[Any]], _context: JobContext, _worker: Worker
) -> Any:
    """Keep a job that an outage has ended from being repeated at once."""
    try:
        return await run_job()
    except Exception as error:
        if OUTAGES.note(error) is None:
            raise
        # A worker that stops cancels the wait. The job still failed because of the outage, and is repeated.
        with contextlib.suppress(asyncio.CancelledError):
            for _ in range(int(MAX_WAIT_SECONDS / POLL_SECONDS)):
                await asyncio.sleep(POLL_SECONDS)
                if not OUTAGES.is_on:
                    break
        raise


class OutageRetry(BaseRetryStrategy):
    """Repeats a job that an outage of the database or the end of the worker has ended.

    For other errors the task's own strategy decides, and after it whether the error passes by itself.
    """

    def __init__(self, own: BaseRetryStrategy | None) -> None:
        self._own = own

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        # A worker that stops cancels its jobs.
        if isinstance(exception, asyncio.CancelledError) or is_outage(exception):
            return RetryDecision()
        decision = self._own.get_retry_decision(exception=exception, job=job) if self._own else None
        if decision is None and is_passing(exception) and job.attempts < MAX_PASSING_ERRORS:
            decision = RetryDecision(retry_in={"seconds": 2**job.attempts})
        if decision is not None and decision.retry_at is not None:
            # Procrastinate has added the wait to the clock of this process. The queue goes by the database's clock.
            decision.retry_at += approximate_now() - utils.utcnow()
        return decision


class ReturningJobManager(JobManager):
    """Lets a job that is repeated without a wait keep its attempts: it ended through no fault of its own.

    A job whose task is not one of `known_tasks` stays in the queue. In an upgrade the new code queues such jobs while
    workers of the old code still run.
    """

    def __init__(self, connector: BaseConnector, known_tasks: Iterable[str]) -> None:
        super().__init__(connector)
        self._known_tasks = list(known_tasks)
        # Of the jobs that were fetched and have not begun.
        self._request_ids: dict[int, str] = {}

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        found = await self.connector.execute_query_all_async(
            load(__file__, "fetch_job"),
            queues=None if queues is None else list(queues),
            worker_id=worker_id,
            known_tasks=self._known_tasks,
        )
        if not found:
            return None
        job = Job.from_row(found[0])
        if job.id is not None and (request_id := found[0]["request_id"]):
            self._request_ids[job.id] = request_id
        return job

    def take_request_id(self, job: Job) -> str:
        """Return the id of the request that queued the job; nothing if no request did."""
        return "" if job.id is None else self._request_ids.pop(job.id, "")

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:  # noqa: FBT001 - the signature of Procrastinate
        try:
            await super().finish_job(job, status, delete_job)
        except ConnectorException as error:
            # Raised by the queue's own function. A worker that was frozen, or cut off from the database, finds that
            # another worker has done its job.
            if not _has_cause(error, psycopg.errors.RaiseException):
                raise
            logger.info("Job %s (%s) was taken from this worker and has ended.", job.task_name, job.id)

    async def retry_job(self, job: Job, retry_at: datetime | None = None, *args: Any, **options: Any) -> None:
        if retry_at is None:
            await return_job(self, job)
            return
        try:
            await super().retry_job(job, retry_at, *args, **options)
        except UniqueViolation:
            await self.finish_job(job, status=Status.ABORTED, delete_job=True)


def _has_cause(error: BaseException | None, kind: type[BaseException]) -> bool:
    return error is not None and (isinstance(error, kind) or _has_cause(error.__cause__, kind))


async def return_job(jobs: JobManager, job: Job, *, attempts: int = 0, wait_seconds: float = 0) -> bool:
    """Let a job wait again; return whether it does.

    It does not when another job waits that does the same, or when the job is no longer this worker's.
    """
    try:
        returned = await jobs.connector.execute_query_all_async(
            load(__file__, "return_job"),
            job_id=job.id,
            worker_id=job.worker_id,
            attempts=attempts,
            wait_seconds=wait_seconds,
        )
    except UniqueViolation:
        await jobs.finish_job(job, status=Status.ABORTED, delete_job=True)
        return False
    return bool(returned)
