"""Jobs whose worker died. Procrastinate leaves them as they are, so a task of ours queues them again."""

import logging

from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from tokens.processes.repeating import return_job
from tokens.queues import TOKENS

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 30.0
# A job that has lost two workers may be what kills them. It waits longer after each further loss, so that the other
# jobs get on, and it is never given up.
LOSSES_WITHOUT_WAIT = 2
FIRST_WAIT_SECONDS = 15.0
MAX_WAIT_SECONDS = 600.0
# After this number people should look at it.
MANY_LOSSES = 5


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
    losses = job.attempts + 1
    wait = choose_wait_seconds(losses)
    try:
        is_waiting = await return_job(jobs, job, attempts=1, wait_seconds=wait)
    except ConnectorException as error:
        # Another rescue was faster, or the database went away. In that case the next rescue finds the job.
        logger.warning("Job %s of a dead worker is left as it is: %s", name, error.__cause__ or error)
        return False
    if not is_waiting:
        logger.info("Job %s of a dead worker is left to others that do the same.", name)
    elif losses >= MANY_LOSSES:
        logger.error("Job %s lost its worker %d times. It is tried again in %.0f s.", name, losses, wait)
    else:
        logger.warning("Job %s lost its worker and is queued again.", name)
    return is_waiting


def choose_wait_seconds(losses: int) -> float:
    if losses <= LOSSES_WITHOUT_WAIT:
        return 0.0
    doublings = min(losses - LOSSES_WITHOUT_WAIT - 1, 20)
    return min(FIRST_WAIT_SECONDS * 2.0**doublings, MAX_WAIT_SECONDS)
