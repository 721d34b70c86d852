"""One sync from its claim to its end, the task that does it, and the queueing of that task."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.db import connection as database
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from accounts.models import SyncRun
from accounts.sync import claims
from accounts.sync.claims import AnotherRunActiveError, RunClaim, RunLostError, RunTakenError
from accounts.sync.coverage import Coverage
from accounts.sync.listing import Listing, explanation, state_of
from accounts.sync.reading import Reader, run_all
from accounts.sync.store import StagingLostError
from accounts.sync.writing import Writer
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.postgresql.threads import in_thread
from tokens.queues import amazon_of

logger = logging.getLogger(__name__)

QUEUE = "sync"
HEARTBEAT_SECONDS = 5.0

STOPPED = "The process that ran it was stopped."
OUR_FAULT = "A fault of ours ended it; the log tells more."
STAGING_LOST = "The database crashed and lost what had been read."
RECONNECTED = "The connection was reconnected meanwhile."

OnProgress = Callable[[Sequence[Listing]], None]


@app.task(queue=QUEUE, name="accounts.run_sync", pass_context=True)
async def run_sync(context: JobContext, run_id: str) -> None:
    try:
        await sync_connection(UUID(run_id), amazon_of(context))
    except (RunTakenError, AnotherRunActiveError) as error:
        # A run that was taken needs nothing more. If another run is active, its end queues this run.
        logger.info("Sync run %s is not started: %s", run_id, error.__doc__)


def queue_run(run_id: UUID, *, at: datetime | None = None) -> None:
    """Queue the job of a waiting run. If it is queued already, only its time changes, and only when `at` is given."""
    lock = queueing_lock(run_id)
    try:
        with transaction.atomic():
            run_sync.configure(queueing_lock=lock, schedule_at=at).defer(run_id=str(run_id))
    except AlreadyEnqueued:
        if at is not None:
            with database.cursor() as cursor:
                cursor.execute(
                    "UPDATE procrastinate_jobs SET scheduled_at = %s WHERE queueing_lock = %s AND status = 'todo'",
                    [at, lock],
                )


def queueing_lock(run_id: UUID) -> str:
    return f"{run_sync.name}:{run_id}"


async def sync_connection(
    run_id: UUID,
    amazon: AmazonClient,
    *,
    max_wait: float = MAX_WAIT_SECONDS,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    on_progress: OnProgress | None = None,
) -> SyncRun:
    """Claim this waiting run, make the stored accounts equal what Amazon shows, and return the run as it ended.

    No call to Amazon waits longer than `max_wait` seconds for its turn. If a call would wait longer, the run goes back
    to the queue, and the run returned waits again. Raises RunTakenError or AnotherRunActiveError.
    """
    claim = await _claim_run(run_id)
    runner = SyncRunner(
        claim, amazon, max_wait=max_wait, heartbeat_seconds=heartbeat_seconds, on_progress=on_progress
    )
    try:
        await runner.run()
    except RunLostError:
        logger.warning("Sync run %s is not ours any more.", run_id, extra={"action": "sync_lost"})
        await in_thread(_abandon)(claim, runner.listings)
    except StagingLostError:
        logger.warning("Sync run %s begins again.", run_id, extra={"action": "sync_staging_lost"})
        with suppress(RunLostError):
            await in_thread(_give_up)(claim, runner.listings, STAGING_LOST)
    except asyncio.CancelledError:
        with suppress(RunLostError):
            await asyncio.shield(in_thread(_give_up)(claim, runner.listings, STOPPED))
        raise
    except Exception:
        with suppress(RunLostError):
            await in_thread(_close)(claim, SyncRun.State.FAILED, runner.listings, OUR_FAULT)
        raise
    return await in_thread(SyncRun.objects.get)(pk=run_id)


class SyncRunner:
    """Does the work of a claimed run, and settles it."""

    def __init__(
        self,
        claim: RunClaim,
        amazon: AmazonClient,
        *,
        max_wait: float,
        heartbeat_seconds: float,
        on_progress: OnProgress | None,
    ) -> None:
        coverage = Coverage()
        self.listings = coverage.listings
        self._claim = claim
        self._heartbeat_seconds = heartbeat_seconds
        self._writer = Writer(claim, coverage)
        self._reader = Reader(
            claim, amazon, coverage, self._writer, max_wait=max_wait, on_progress=on_progress
        )

    async def run(self) -> None:
        if reason := await in_thread(self._reason_unusable)():
            await in_thread(_close)(self._claim, SyncRun.State.FAILED, self.listings, reason)
            return
        await self._do_while_owned(self._read_and_store())
        await self._settle()

    def _reason_unusable(self) -> str:
        run = SyncRun.objects.select_related("connection").get(pk=self._claim.run_id)
        return run.connection.reason_unusable

    async def _do_while_owned(self, work: Coroutine[Any, Any, None]) -> None:
        working = asyncio.create_task(work, name=f"sync {self._claim.run_id}")
        try:
            while not (await asyncio.wait({working}, timeout=self._heartbeat_seconds))[0]:
                if not await self._beat():
                    raise RunLostError
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _beat(self) -> bool:
        try:
            return await in_thread(claims.beat)(self._claim, self.listings)
        except (OperationalError, InterfaceError):
            # A heartbeat that the database does not take ends nothing: the work itself will fail if it must.
            return True

    async def _read_and_store(self) -> None:
        await run_all([self._reader.read_all(), self._writer.merge_while_reading()])
        await self._writer.finish()

    async def _settle(self) -> None:
        waits = [listing.postponed_until for listing in self.listings if listing.postponed_until]
        reason = explanation(self.listings)
        if waits and await in_thread(claims.may_be_postponed)(self._claim, max(waits)):
            await in_thread(_postpone)(self._claim, max(waits), self.listings, reason)
        else:
            await in_thread(_close)(self._claim, state_of(self.listings), self.listings, reason)


async def _claim_run(run_id: UUID) -> RunClaim:
    # If this process is stopped while it claims the run, it gives the run back.
    claiming = asyncio.ensure_future(in_thread(claims.claim_run)(run_id))
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        with suppress(RunTakenError, AnotherRunActiveError, RunLostError):
            await in_thread(_give_up)(await claiming, [], STOPPED)
        raise


@transaction.atomic
def _close(claim: RunClaim, state: SyncRun.State, listings: Sequence[Listing], error: str) -> None:
    # In one transaction, so that the run behind this one cannot be forgotten.
    if (next_run := claims.close_run(claim, state, listings, error)) is not None:
        queue_run(next_run)


def _abandon(claim: RunClaim, listings: Sequence[Listing]) -> None:
    try:
        _close(claim, SyncRun.State.FAILED, listings, RECONNECTED)
    except RunLostError:
        claims.discard_staged(claim.run_id)


def _give_up(claim: RunClaim, listings: Sequence[Listing], reason: str) -> None:
    with transaction.atomic():
        if claims.return_run(claim, listings, reason, is_postponed=False):
            queue_run(claim.run_id)
            return
    _close(claim, SyncRun.State.FAILED, listings, reason)


def _postpone(claim: RunClaim, until: datetime, listings: Sequence[Listing], reason: str) -> None:
    with transaction.atomic():
        if claims.return_run(claim, listings, reason, is_postponed=True):
            queue_run(claim.run_id, at=until)
            return
    # Another run was requested in the meantime. It will read what this run could not.
    _close(claim, SyncRun.State.PARTIAL, listings, reason)
