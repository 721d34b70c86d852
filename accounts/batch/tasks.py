"""The tasks of batches, and the requests that queue them."""

import time
from uuid import UUID

from django.db import transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from accounts.batch import upkeep
from accounts.batch.ending import settle_syncs
from accounts.batch.work import run_chunk
from amazon_accounts.postgresql.threads import in_thread

QUEUE = "batch"
# After this time other jobs get their turn, and a worker that is stopped does not have to wait.
MAX_TASK_SECONDS = 3.0


@app.task(queue=QUEUE, name="accounts.run_batch")
async def run_batch(batch_id: str) -> None:
    deadline = time.monotonic() + MAX_TASK_SECONDS
    while await in_thread(run_chunk)(UUID(batch_id)):
        if time.monotonic() > deadline:
            await in_thread(queue_batch)(UUID(batch_id))
            return


def queue_batch(batch_id: UUID) -> None:
    # The job is stored in the transaction of the caller: a batch that is rolled back leaves no job behind.
    job = run_batch.configure(queueing_lock=f"{run_batch.name}:{batch_id}")
    try:
        # The inner transaction keeps the transaction of the caller usable when the job is queued already.
        with transaction.atomic():
            job.defer(batch_id=str(batch_id))
    except AlreadyEnqueued:
        return


def queue_unstarted_batches() -> None:
    for batch_id in upkeep.find_unstarted():
        queue_batch(batch_id)


@app.task(queue=QUEUE, name="accounts.settle_batches")
async def settle_batches() -> None:
    await in_thread(settle_syncs)()
    await in_thread(queue_unstarted_batches)()


@app.task(queue=QUEUE, name="accounts.prune_batches")
async def prune_batches() -> None:
    await in_thread(upkeep.prune_ended)()
