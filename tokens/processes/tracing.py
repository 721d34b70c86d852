"""Each job of a worker is timed, and belongs to the request that queued it."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from procrastinate import JobContext
from procrastinate.worker import Worker

from amazon_accounts.logs.spans import span
from amazon_accounts.logs.trace import Trace, traced
from amazon_accounts.postgresql.measures import JOBS
from tokens.processes.repeating import ReturningJobManager


async def trace_job(run_job: Callable[[], Awaitable[Any]], context: JobContext, _worker: Worker) -> Any:
    """Run the job so that its lines in the log, and its entries in the audit trail, name the request."""
    job = context.job
    jobs = context.app.job_manager
    request_id = jobs.take_request_id(job) if isinstance(jobs, ReturningJobManager) else ""
    began_at, outcome = time.monotonic(), "failed"
    try:
        trace = Trace(request_id=request_id, task=job.task_name, job=str(job.id))
        with traced(trace), span("consumer", job.task_name):
            result = await run_job()
        outcome = "succeeded"
        return result
    finally:
        JOBS.time(time.monotonic() - began_at, job.task_name, outcome)
