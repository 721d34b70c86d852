"""Any number of schedulers may run; one of them leads and queues tasks. A scheduler does no other work.

`scheduled_jobs.py` collects what is queued and how often from the `jobs.py` of each app.
"""

import logging
import threading
import time
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger
from django.db import InterfaceError, OperationalError, connections
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.models import DjangoJob

from tokens.models import Heartbeat
from tokens.processes.heartbeats import Pulse
from tokens.processes.leadership import Leadership
from tokens.processes.scheduled_jobs import scheduled_jobs

logger = logging.getLogger(__name__)

STANDBY_SECONDS = 1.0
MISFIRE_GRACE_SECONDS = 30


class Scheduler:
    """One scheduler process: waits until it may lead, leads until it is stopped or loses the lead."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._leadership = Leadership()
        self._leading = threading.Event()
        # Wakes the heartbeat, so that others know at once whether somebody leads.
        self._leading_changed = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self._leading_changed.set()

    def run(self) -> None:
        beating = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        beating.start()
        with self._leadership:
            while not self._stopping.is_set():
                if self._leadership.try_to_lead():
                    self._lead()
                self._stopping.wait(STANDBY_SECONDS)
        beating.join(timeout=2)

    def _lead(self) -> None:
        logger.info("This scheduler leads now.", extra={"action": "scheduler_leads"})
        self._leading.set()
        self._leading_changed.set()
        _current.leadership = self._leadership
        scheduler = BlockingScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(2)},
            jobstores={"default": DjangoJobStore()},
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
        logger.info("This scheduler no longer leads.", extra={"action": "scheduler_resigned"})

    def _watch(self, scheduler: BlockingScheduler) -> None:
        # APScheduler does not stop by itself when the lead is lost or the process is told to end.
        while not self._stopping.wait(1.0) and self._leadership.still_leads():
            pass
        while not scheduler.running:
            if not self._leading.is_set():
                return
            time.sleep(0.05)
        scheduler.shutdown(wait=False)

    def _beat(self) -> None:
        pulse = Pulse(Heartbeat.Kind.SCHEDULER)
        while not self._stopping.is_set():
            seconds = pulse.beat(leads=self._leading.is_set())
            connections.close_all()
            self._leading_changed.wait(seconds)
            self._leading_changed.clear()
        pulse.end()
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
            next_run_time=datetime.now(UTC),
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=max(MISFIRE_GRACE_SECONDS, job.every),
        )


def run_job(job_id: str) -> None:
    # Another process may lead by now, and would defer the same job.
    job = scheduled_jobs().get(job_id)
    try:
        if job is None or _current.leadership is None or not _current.leadership.still_leads():
            return
        job.defer()
    except (OperationalError, InterfaceError) as error:
        logger.warning("Scheduled job %s could not be deferred: %s", job_id, error)
    finally:
        connections.close_all()
