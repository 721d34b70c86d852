"""Running one sync from its claim to its end, as a task."""

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
from accounts.sync.askers import LOST_RIGHT, refuse_lost_right
from accounts.sync.billing import BillingReader
from accounts.sync.claims import AnotherRunActiveError, RunClaim, RunLostError, RunTakenError
from accounts.sync.coverage import Coverage
from accounts.sync.lanes import SCHEDULED, Place, find_place
from accounts.sync.listing import Listing, explanation, state_of
from accounts.sync.reading import Reader, run_all
from accounts.sync.run_context import StagingLostError
from accounts.sync.writing import Writer
from amazon_accounts.amazon_ads.causes import Cause
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.postgresql.outages import is_outage
from amazon_accounts.postgresql.outlasting import outlast_outage
from amazon_accounts.postgresql.statements import load
from amazon_accounts.postgresql.threads import in_thread
from tokens.queues import amazon_of, note_request

logger = logging.getLogger(__name__)

MOVE_JOB = load(__file__, "move_job")
HEARTBEAT_SECONDS = 5.0

OUTAGE = "The database was away."
STOPPED = "The process that ran it was stopped."
INTERNAL_ERROR = "An error in Amazon Accounts ended the sync. The log has the details."
STAGING_LOST = "The database crashed and lost what had been read."
CHANGED = "The connection was reconnected, or moved to another team, while the sync was running."

OnProgress = Callable[[Sequence[Listing]], None]


@app.task(queue=SCHEDULED, name="accounts.run_sync", pass_context=True)
async def run_sync(context: JobContext, run_id: str) -> None:
    try:
        await sync_connection(UUID(run_id), amazon_of(context))
    except (RunTakenError, AnotherRunActiveError) as error:
        # RunTakenError: another process handles this run. AnotherRunActiveError: the end of the active run
        # queues this run again.
        logger.info("Sync run %s is not started: %s", run_id, error.__doc__)


def queue_run(run_id: UUID, *, at: datetime | None = None, place: Place | None = None) -> None:
    """Queue the job of a waiting run. If the job exists already, move it to its place, and to `at` unless that is None."""
    queue, priority = place or find_place(run_id)
    lock = queueing_lock(run_id)
    try:
        with transaction.atomic():
            job = run_sync.configure(queueing_lock=lock, schedule_at=at, queue=queue, priority=priority)
            note_request(job.defer(run_id=str(run_id)))
    except AlreadyEnqueued:
        move_job(run_id, Place(queue, priority), at=at)


def move_job(run_id: UUID, place: Place, *, at: datetime | None) -> bool:
    """Move the waiting job of a run; return whether there is one."""
    with database.cursor() as cursor:
        cursor.execute(
            MOVE_JOB,
            {"lock": queueing_lock(run_id), "queue": place.queue, "priority": place.priority, "at": at},
        )
        return bool(cursor.rowcount)


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
    """Claim this waiting run, make the stored accounts equal what Amazon shows, and return the run as it
    ended.

    If a call to Amazon would wait longer than `max_wait` seconds for its turn, the run is postponed: the
    returned run is waiting again. Raises RunTakenError or AnotherRunActiveError.
    """
    claim = await _claim_run(run_id)
    runner = SyncRunner(
        claim, amazon, max_wait=max_wait, heartbeat_seconds=heartbeat_seconds, on_progress=on_progress
    )
    try:
        await runner.run()
    except RunLostError:
        logger.warning(
            "Sync run %s belongs to this process no longer.", run_id, extra={"action": "sync_lost"}
        )
        await in_thread(_abandon)(claim, runner.listings)
    except StagingLostError:
        logger.warning("Sync run %s begins again.", run_id, extra={"action": "sync_staging_lost"})
        with suppress(RunLostError):
            await in_thread(_give_up)(claim, runner.listings, STAGING_LOST)
    except asyncio.CancelledError:
        with suppress(RunLostError):
            await asyncio.shield(in_thread(_give_up)(claim, runner.listings, STOPPED))
        raise
    except Exception as error:
        with suppress(RunLostError):
            if is_outage(error):
                await outlast_outage(_give_up, claim, runner.listings, OUTAGE)
            else:
                await in_thread(_close)(claim, SyncRun.State.FAILED, runner.listings, INTERNAL_ERROR)
        raise
    return await in_thread(SyncRun.objects.get)(pk=run_id)


class SyncRunner:
    """Does the work of a claimed run, and ends or postpones the run."""

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
        self._billing = BillingReader(claim, coverage, self._writer, self._reader.make_api)

    async def run(self) -> None:
        if reason := await in_thread(self._reason_not_synced)():
            await in_thread(_close)(self._claim, SyncRun.State.FAILED, self.listings, *reason)
            return
        if await in_thread(_refuse)(self._claim):
            return
        await self._do_while_owned(self._read_and_store())
        await self._settle()

    def _reason_not_synced(self) -> tuple[str, Cause] | None:
        connection = SyncRun.objects.select_related("connection").get(pk=self._claim.run_id).connection
        reason = connection.reason_not_synced
        return (reason, connection.cause_not_synced) if reason else None

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
            # A short outage may miss only the heartbeat. If it hits the work as well, the work raises the
            # error.
            return True

    async def _read_and_store(self) -> None:
        await run_all([self._read_lists(), self._billing.read_all()])

    async def _read_lists(self) -> None:
        await run_all([self._reader.read_all(), self._writer.merge_while_reading()])
        await self._writer.finish()
        await self._billing.settle()

    async def _settle(self) -> None:
        waits = [listing.postponed_until for listing in self.listings if listing.postponed_until]
        reason = explanation(self.listings)
        if waits and await in_thread(claims.may_be_postponed)(self._claim, max(waits)):
            await in_thread(_postpone)(self._claim, max(waits), self.listings, reason)
        else:
            await in_thread(_close)(self._claim, state_of(self.listings), self.listings, reason)


async def _claim_run(run_id: UUID) -> RunClaim:
    # The thread finishes the claim even if the worker is stopped. Unless the run is returned, it stays
    # claimed until `rescue_runs` finds that its process is dead.
    claiming = asyncio.ensure_future(in_thread(claims.claim_run)(run_id))
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        with suppress(RunTakenError, AnotherRunActiveError, RunLostError):
            await in_thread(_give_up)(await claiming, [], STOPPED)
        raise


@transaction.atomic
def _close(
    claim: RunClaim,
    state: SyncRun.State,
    listings: Sequence[Listing],
    error: str,
    cause: Cause | None = None,
) -> None:
    # One transaction, so that a crash after closing cannot leave the waiting run without a job.
    if (next_run := claims.close_run(claim, state, listings, error, cause)) is not None:
        queue_run(next_run)


@transaction.atomic
def _refuse(claim: RunClaim) -> bool:
    """Close the run if who asked for it has lost the right; return whether it was closed."""
    run = SyncRun.objects.select_related("connection", "requested_by").get(pk=claim.run_id)
    if not refuse_lost_right(run):
        return False
    if (next_run := claims.close_refused_run(claim, LOST_RIGHT)) is not None:
        queue_run(next_run)
    return True


def _abandon(claim: RunClaim, listings: Sequence[Listing]) -> None:
    # The run is still open if only its connection was changed.
    try:
        _close(claim, SyncRun.State.FAILED, listings, CHANGED, Cause.INTERRUPTED)
    except RunLostError:
        claims.discard_staged(claim.run_id)


def _give_up(claim: RunClaim, listings: Sequence[Listing], reason: str) -> None:
    with transaction.atomic():
        if claims.return_run(claim, listings, reason, is_postponed=False):
            queue_run(claim.run_id)
            return
    _close(claim, SyncRun.State.FAILED, listings, reason, Cause.INTERRUPTED)


def _postpone(claim: RunClaim, until: datetime, listings: Sequence[Listing], reason: str) -> None:
    with transaction.atomic():
        if claims.return_run(claim, listings, reason, is_postponed=True):
            queue_run(claim.run_id, at=until)
            return
    # Another run was requested in the meantime, and will read the lists that this run could not read.
    _close(claim, SyncRun.State.PARTIAL, listings, reason)
