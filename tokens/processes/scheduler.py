"""Any number of schedulers may run; one of them leads and queues tasks. A scheduler does no other work.

`scheduled_jobs.py` collects what is queued and how often from the `jobs.py` of each app.
"""

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger
from django.db import InterfaceError, OperationalError, connections, transaction
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.models import DjangoJob

from amazon_accounts.postgresql.deadlines import Connection
from amazon_accounts.postgresql.measures import MeasureWriter
from amazon_accounts.postgresql.outages import OUTAGES
from tokens.models import Heartbeat
from tokens.processes.heartbeats import Pulse
from tokens.processes.leadership import SCHEDULER_DEADLINE_SECONDS, Leadership
from tokens.processes.scheduled_jobs import scheduled_jobs
from tokens.processes.watch.watcher import Watcher

logger = logging.getLogger(__name__)

STANDBY_SECONDS = 1.0
MISFIRE_GRACE_SECONDS = 30
# A smaller difference between the clocks is drift, and delays no job for long.
CLOCK_JUMP_SECONDS = 5


class Scheduler:
    """One scheduler process: waits until it may lead, leads until it is stopped or loses the lead."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._leadership = Leadership()
        self._leading = threading.Event()
        # Wakes the heartbeat, so that others know at once whether somebody leads.
        self._leading_changed = threading.Event()
        self._pulse = Pulse(Heartbeat.Kind.SCHEDULER)
        self._watcher = Watcher()
        self._measures = MeasureWriter()

    def stop(self) -> None:
        self._stopping.set()
        self._watcher.stop()
        self._leading_changed.set()

    def run(self) -> None:
        self._pulse.name_sessions()
        Connection.deadline = SCHEDULER_DEADLINE_SECONDS
        beating = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        beating.start()
        self._watcher.start()
        self._measures.start()
        with self._leadership:
            while not self._stopping.is_set():
                # In an outage a new leader could queue nothing, and would say each second that it leads.
                if not OUTAGES.is_on and self._leadership.try_to_lead():
                    self._lead()
                self._stopping.wait(STANDBY_SECONDS)
        beating.join(timeout=2)
        self._measures.stop()

    def _lead(self) -> None:
        logger.info("This scheduler leads now.", extra={"action": "scheduler_leads"})
        self._leading.set()
        self._leading_changed.set()
        _current.leadership = self._leadership
        scheduler = BlockingScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(2)},
            jobstores={"default": LeadersJobStore(self._leadership)},
        )
        watching = threading.Thread(target=self._watch, args=[scheduler], name="leadership")
        try:
            _store_jobs(scheduler)
            watching.start()
            scheduler.start()
        except (OperationalError, InterfaceError) as error:
            logger.warning("The scheduler could not start: %s", error)
        finally:
            self._leading.clear()
            self._leading_changed.set()
            self._leadership.resign()
            if watching.ident is not None:
                watching.join()
            connections.close_all()
        reason = "It was told to end." if self._stopping.is_set() else self._leadership.loss
        logger.info("This scheduler no longer leads: %s", reason, extra={"action": "scheduler_resigned"})

    def _watch(self, scheduler: BlockingScheduler) -> None:
        # APScheduler does not stop by itself when the lead is lost or the process is told to end. It also plans by the
        # process's clock: when that clock is set back, no job would be due until the clock reaches its old time.
        planned_by = _read_clock_offset()
        while not self._stopping.wait(1.0) and self._leadership.still_leads():
            offset = _read_clock_offset()
            if abs(offset - planned_by) > CLOCK_JUMP_SECONDS and _plan_anew(scheduler):
                logger.warning(
                    "The clock of this process jumped by %+.0f s; every job runs now.", offset - planned_by
                )
                planned_by = offset
        while not scheduler.running:
            if not self._leading.is_set():
                return
            time.sleep(0.05)
        scheduler.shutdown(wait=False)

    def _beat(self) -> None:
        while not self._stopping.is_set():
            seconds = self._pulse.beat(leads=self._leading.is_set())
            connections.close_all()
            self._leading_changed.wait(seconds)
            self._leading_changed.clear()
        self._pulse.end()
        connections.close_all()


class LeadersJobStore(DjangoJobStore):  # type: ignore[misc]  # it has no types
    """Has no due jobs for a scheduler that was frozen and whose term is over.

    The ends of jobs are stored by the threads that ran them, and these threads end with the lead. A connection that a
    thread keeps would be lost to the pool, and after some leads the process could not work any more.
    """

    def __init__(self, leadership: Leadership) -> None:
        super().__init__()
        self._leadership = leadership

    def get_due_jobs(self, now: datetime) -> list[Any]:
        due: list[Any] = super().get_due_jobs(now) if self._leadership.still_leads() else []
        return due

    def handle_execution_event(self, event: Any) -> Any:
        try:
            return super().handle_execution_event(event)
        finally:
            connections.close_all()

    def handle_error_event(self, event: Any) -> Any:
        try:
            return super().handle_error_event(event)
        finally:
            connections.close_all()


class _Current:
    """The leadership of this process. The job store keeps names of functions only, so `run_job` finds it here."""

    leadership: Leadership | None = None


_current = _Current()


def _store_jobs(scheduler: BlockingScheduler) -> None:
    # Every job runs at once when a process begins to lead, and then by its interval.
    jobs = scheduled_jobs()
    removed, _ = DjangoJob.objects.exclude(id__in=jobs).delete()
    if removed:
        logger.info("Removed scheduled jobs that no longer exist.")
    for job in jobs.values():
        scheduler.add_job(
            run_job,
            IntervalTrigger(seconds=job.every, timezone=UTC),
            args=[job.id],
            id=job.id,
            name=job.id,
            next_run_time=_read_clock(),
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=max(MISFIRE_GRACE_SECONDS, job.every),
        )


def _read_clock() -> datetime:
    # APScheduler itself plans by the clock of this process.
    return datetime.now(UTC)  # noqa: TID251


def _read_clock_offset() -> float:
    # Tells when the clock of this process was set.
    return time.time() - time.monotonic()  # noqa: TID251


def _plan_anew(scheduler: BlockingScheduler) -> bool:
    """Let every job run now, and then by its interval; return whether the database took it."""
    try:
        for job in scheduler.get_jobs():
            scheduler.modify_job(job.id, next_run_time=_read_clock())
    except (OperationalError, InterfaceError, JobLookupError):
        return False
    finally:
        connections.close_all()
    return True


def run_job(job_id: str) -> None:
    job = scheduled_jobs().get(job_id)
    if job is None or _current.leadership is None:
        return
    try:
        # Another process may lead by now, and defers the same job.
        with transaction.atomic():
            if _current.leadership.holds_term():
                job.defer()
    except (OperationalError, InterfaceError) as error:
        logger.warning("Scheduled job %s could not be deferred: %s", job_id, error)
    finally:
        connections.close_all()
