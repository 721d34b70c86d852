"""The task that keeps the search index."""

import time

from procrastinate.contrib.django import app

from accounts.lists.search_index import index_some
from amazon_accounts.postgresql.threads import in_thread
from tokens.queues import BATCH, MAX_TASK_SECONDS


@app.task(queue=BATCH, name="accounts.index_search")
async def index_search() -> None:
    deadline = time.monotonic() + MAX_TASK_SECONDS
    while await in_thread(index_some)():
        if time.monotonic() > deadline:
            return
