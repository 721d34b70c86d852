"""The tasks of batches, and the requests that queue them."""

import time
from uuid import UUID

from procrastinate.contrib.django import app

from accounts.batch import upkeep
from accounts.batch.ending import settle_syncs
from accounts.batch.work import run_chunk
from amazon_accounts.postgresql.threads import in_thread
from tokens.queues import MAX_TASK_SECONDS, PEOPLE, defer_once


@app.task(queue=PEOPLE, name="accounts.run_batch")
async def run_batch(batch_id: str) -> None:
    deadline = time.monotonic() + MAX_TASK_SECONDS
    while await in_thread(run_chunk)(UUID(batch_id)):
        if time.monotonic() > deadline:
            await in_thread(queue_batch)(UUID(batch_id))
            return


def queue_batch(batch_id: UUID) -> None:
    # The job is stored in the transaction of the caller: a batch that is rolled back leaves no job behind.
    defer_once(run_batch, f"{run_batch.name}:{batch_id}", batch_id=str(batch_id))


def queue_unstarted_batches() -> None:
    for batch_id in upkeep.find_unstarted():
        queue_batch(batch_id)


@app.task(queue=PEOPLE, name="accounts.settle_batches")
async def settle_batches() -> None:
    await in_thread(settle_syncs)()
    await in_thread(queue_unstarted_batches)()
