"""Jobs whose worker died: put back into the queue, which nothing else does."""

import logging

from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 30.0
# A job that took so many workers with it is left alone, for people to look at.
MOST_ATTEMPTS = 5


async def rescue(jobs: JobManager) -> int:
    """Queue again what dead workers left; return how many jobs that were."""
    await jobs.prune_stalled_workers(SILENCE_SECONDS)
    rescued = 0
    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=SILENCE_SECONDS):
        rescued += await _rescue_one(job, jobs)
    return rescued


async def _rescue_one(job: Job, jobs: JobManager) -> bool:
    name = f"{job.task_name} ({job.id})"
    try:
        if job.attempts >= MOST_ATTEMPTS:
            logger.error("Job %s lost its worker %d times and is given up.", name, job.attempts)
            await jobs.finish_job(job, status=Status.FAILED, delete_job=False)
            return False
        try:
            await jobs.retry_job(job)
        except UniqueViolation:
            logger.info("Job %s of a dead worker is dropped: the same work waits already.", name)
            await jobs.finish_job(job, status=Status.ABORTED, delete_job=True)
            return False
    except ConnectorException as error:
        # Another rescuer was sooner, or the database went away: then the next rescue finds the job as it is.
        logger.warning("Job %s of a dead worker is left as it is: %s", name, error.__cause__ or error)
        return False
    logger.warning("Job %s lost its worker and is queued again.", name)
    return True
