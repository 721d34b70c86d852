"""Jobs whose worker died. Procrastinate leaves them as they are, so a task of ours queues them again."""

import logging

from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from tokens.queues import TOKENS

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 30.0
# A job that may have killed this number of workers fails, and people can look at it.
MAX_ATTEMPTS = 5


@app.task(queue=TOKENS, name="tokens.rescue_stalled_jobs", pass_context=True)
async def rescue_stalled_jobs(context: JobContext) -> None:
    await rescue(context.app.job_manager)


async def rescue(jobs: JobManager) -> int:
    await jobs.prune_stalled_workers(SILENCE_SECONDS)
    rescued = 0
    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=SILENCE_SECONDS):
        rescued += await _rescue_one(job, jobs)
    return rescued


async def _rescue_one(job: Job, jobs: JobManager) -> bool:
    name = f"{job.task_name} ({job.id})"
    try:
        if job.attempts >= MAX_ATTEMPTS:
            logger.error("Job %s lost its worker %d times and is given up.", name, job.attempts)
            await jobs.finish_job(job, status=Status.FAILED, delete_job=False)
            return False
        try:
            await jobs.retry_job(job)
        except UniqueViolation:
            logger.info("Job %s of a dead worker is dropped: another job waits that does the same.", name)
            await jobs.finish_job(job, status=Status.ABORTED, delete_job=True)
            return False
    except ConnectorException as error:
        # Another rescue was faster, or the database went away. In that case the next rescue finds the job.
        logger.warning("Job %s of a dead worker is left as it is: %s", name, error.__cause__ or error)
        return False
    logger.warning("Job %s lost its worker and is queued again.", name)
    return True
