"""The task that keeps the search index."""

import time

from procrastinate.contrib.django import app

from accounts.lists.search import index_some
from amazon_accounts.postgresql.threads import in_thread

# After this time other jobs get their turn, and a worker that is stopped does not have to wait.
MAX_TASK_SECONDS = 3.0


@app.task(queue="batch", name="accounts.index_search")
async def index_search() -> None:
    deadline = time.monotonic() + MAX_TASK_SECONDS
    while await in_thread(index_some)():
        if time.monotonic() > deadline:
            return
