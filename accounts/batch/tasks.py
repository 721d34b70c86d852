"""The tasks behind batch operations and the search: each is a door to one operation."""

import time
from uuid import UUID

from procrastinate.contrib.django import app

from accounts.batch import start as batch
from accounts.lists import search
from amazon_accounts.postgresql.threads import in_thread

# Then others get their turn, and a worker that is stopped need not wait.
SECONDS = 3.0


@app.task(queue=batch.QUEUE, name=batch.TASK)
async def run_batch(batch_id: str) -> None:
    deadline = time.monotonic() + SECONDS
    while await in_thread(batch.run_chunk)(UUID(batch_id)):
        if time.monotonic() > deadline:
            await in_thread(batch.queue)(UUID(batch_id))
            return


@app.task(queue=batch.QUEUE, name="accounts.settle_batches")
async def settle_batches() -> None:
    await in_thread(batch.settle)()
    await in_thread(batch.revive)()


@app.task(queue=batch.QUEUE, name="accounts.index_search")
async def index_search() -> None:
    deadline = time.monotonic() + SECONDS
    while await in_thread(search.index_some)():
        if time.monotonic() > deadline:
            return


@app.task(queue=batch.QUEUE, name="accounts.prune_batches")
async def prune_batches() -> None:
    await in_thread(batch.prune)()
