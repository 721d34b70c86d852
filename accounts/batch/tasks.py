"""The tasks of batches, and the requests that queue them."""

import time
from typing import Any
from uuid import UUID

from procrastinate.contrib.django import app
from procrastinate.tasks import Task

from accounts.batch import upkeep
from accounts.batch.ending import settle_syncs
from accounts.batch.work import run_chunk
from accounts.models import BatchOperation
from amazon_accounts.postgresql.threads import in_thread
from tokens.queues import MAX_TASK_SECONDS, PEOPLE, defer_once


@app.task(queue=PEOPLE, name="accounts.run_batch")
async def run_batch(batch_id: str) -> None:
    await _run(run_batch, batch_id)


# A worker of a version that knows only items of accounts would find none, and end the batch as done. It leaves a task
# whose name it does not know.
@app.task(queue=PEOPLE, name="accounts.run_connection_batch")
async def run_connection_batch(batch_id: str) -> None:
    await _run(run_connection_batch, batch_id)


async def _run(task: Task[Any, Any, Any], batch_id: str) -> None:
    deadline = time.monotonic() + MAX_TASK_SECONDS
    while await in_thread(run_chunk)(UUID(batch_id)):
        if time.monotonic() > deadline:
            await in_thread(_queue)(task, batch_id)
            return


def queue_batch(batch: BatchOperation) -> None:
    is_of_connections = batch.subject == BatchOperation.Subject.CONNECTIONS
    _queue(run_connection_batch if is_of_connections else run_batch, str(batch.pk))


def _queue(task: Task[Any, Any, Any], batch_id: str) -> None:
    # The job is stored in the transaction of the caller: a batch that is rolled back leaves no job behind.
    defer_once(task, f"{task.name}:{batch_id}", batch_id=batch_id)


def queue_unstarted_batches() -> None:
    for batch in upkeep.find_unstarted():
        queue_batch(batch)


@app.task(queue=PEOPLE, name="accounts.settle_batches")
async def settle_batches() -> None:
    await in_thread(settle_syncs)()
    await in_thread(queue_unstarted_batches)()
