"""Syncing a connection in this process instead of a worker."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from accounts.models import SyncRun
from accounts.sync.claims import AnotherRunActiveError, RunTakenError
from accounts.sync.requests import open_run
from accounts.sync.rescue import rescue_runs
from accounts.sync.run import OnProgress, sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.postgresql.threads import in_thread
from tokens.models import Connection

POLL_SECONDS = 0.5


async def sync_now(
    connection: Connection,
    amazon: AmazonClient,
    *,
    max_wait: float = MAX_WAIT_SECONDS,
    on_progress: OnProgress | None = None,
    on_waiting: Callable[[], None] = lambda: None,
) -> SyncRun:
    """Sync this connection here. If a worker is syncing it, wait until that run has ended, and then sync."""
    while True:
        run = await in_thread(open_run)(connection, trigger=SyncRun.Trigger.MANUAL)
        if run.state != SyncRun.State.WAITING:
            return run
        try:
            return await sync_connection(run.pk, amazon, max_wait=max_wait, on_progress=on_progress)
        except AnotherRunActiveError:
            pass
        except RunTakenError:
            # A worker claimed the run after it was requested here, so its result is as fresh as ours would
            # be.
            if (ended := await _wait_for_end(run.pk, on_waiting)) is not None:
                return ended
        on_waiting()
        await in_thread(rescue_runs)()
        await asyncio.sleep(POLL_SECONDS)


async def _wait_for_end(run_id: UUID, on_waiting: Callable[[], None]) -> SyncRun | None:
    while True:
        run = await in_thread(SyncRun.objects.get)(pk=run_id)
        if run.state != SyncRun.State.RUNNING:
            return run if run.finished_at else None
        on_waiting()
        await in_thread(rescue_runs)()
        await asyncio.sleep(POLL_SECONDS)
