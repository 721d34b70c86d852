"""When things are done: one scheduler of any number leads, and defers tasks; it does no work itself.

The leader holds an advisory lock on a connection of its own. Who has lost that connection no longer leads.
"""

import importlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import psycopg
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger
from django.apps import apps
from django.db import InterfaceError, OperationalError, connections
from django.utils.module_loading import module_has_submodule
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.models import DjangoJob
from procrastinate.contrib.django.utils import connector_params

from tokens.models import Heartbeat
from tokens.processes import heartbeats

logger = logging.getLogger(__name__)

# The lock's number: any, but the same in every scheduler of this database.
LEADER_LOCK = 0x616D7A_5C4ED
STANDBY_SECONDS = 1.0
MISFIRE_GRACE_SECONDS = 30


@dataclass(frozen=True)
class ScheduledJob:
    """Something to defer every so many seconds."""

    id: str
    function: Callable[[], None]
    seconds: int


def scheduled_jobs() -> dict[str, ScheduledJob]:
    """Collect the JOBS of every app's `jobs.py`."""
    jobs = [
        job
        for config in apps.get_app_configs()
        if config.module is not None and module_has_submodule(config.module, "jobs")
        for job in getattr(importlib.import_module(f"{config.name}.jobs"), "JOBS", [])
    ]
    return {job.id: job for job in jobs}


class Leadership:
    """The lock that makes one scheduler the leader, on a connection that notices when the network is gone."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.resign()

    def try_to_lead(self) -> bool:
        """Return True if we lead now. A database that does not answer lets nobody lead."""
        try:
            with self._one_at_a_time:
                if self._connection is None:
                    self._connection = psycopg.connect(**_lock_connection_params())
                row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
        except psycopg.OperationalError as error:
            logger.debug("No leader can be chosen: %s", error)
            self.resign()
            return False
        return bool(row and row[0])

    def still_leads(self) -> bool:
        """Say whether the connection that holds the lock is alive, and so the lock ours."""
        try:
            with self._one_at_a_time:
                if self._connection is None:
                    return False
                self._connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def resign(self) -> None:
        """Close the connection, which gives the lock back."""
        with self._one_at_a_time:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _lock_connection_params() -> dict[str, Any]:
    params = connector_params("default")
    options = params.pop("options", "") or ""
    return {
        **params,
        "autocommit": True,
        "connect_timeout": 5,
        # Both ends find out within half a minute that the other is gone.
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "options": f"{options} -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
    }


class Scheduler:
    """One scheduler process: waits until it may lead, leads until it is stopped or loses the lead."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._leadership = Leadership()
        self._leading = threading.Event()
        # Wakes the heartbeat: whether somebody leads should be known at once.
        self._news = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self._news.set()

    def run(self) -> None:
        """Run until stopped. Survives any outage of the database."""
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
        self._news.set()
        _leader.term = self._leadership
        scheduler = BlockingScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(2)},
            jobstores={"default": DjangoJobStore()},
        )
        watching = threading.Thread(target=self._watch, args=[scheduler], name="leadership")
        try:
            _schedule(scheduler)
            watching.start()
            scheduler.start()
        except (OperationalError, InterfaceError) as error:
            logger.warning("The scheduler could not begin: %s", error)
        finally:
            self._leading.clear()
            self._news.set()
            self._leadership.resign()
            if watching.ident is not None:
                watching.join()
            connections.close_all()
        logger.info("This scheduler no longer leads.", extra={"action": "scheduler_resigned"})

    def _watch(self, scheduler: BlockingScheduler) -> None:
        """End the term when the process is stopped or the lock is lost."""
        while not self._stopping.wait(1.0) and self._leadership.still_leads():
            pass
        while not scheduler.running:
            if not self._leading.is_set():
                return
            time.sleep(0.05)
        scheduler.shutdown(wait=False)

    def _beat(self) -> None:
        heartbeat_id: UUID | None = None
        while not self._stopping.is_set():
            try:
                if heartbeat_id is None:
                    heartbeat_id = heartbeats.begin(Heartbeat.Kind.SCHEDULER)
                heartbeats.beat(heartbeat_id, leads=self._leading.is_set())
            except (OperationalError, InterfaceError):
                logger.warning("No heartbeat: the database does not answer.")
            finally:
                connections.close_all()
            self._news.wait(1.0 if heartbeat_id is None else heartbeats.BEAT_SECONDS)
            self._news.clear()
        if heartbeat_id is not None:
            try:
                heartbeats.end(heartbeat_id)
            except (OperationalError, InterfaceError):
                logger.debug("The heartbeat's row stays until it is pruned.")
            finally:
                connections.close_all()


class _Leader:
    """Whose term it is; the job store can only name functions of a module, not what they need."""

    term: Leadership | None = None


_leader = _Leader()


def _schedule(scheduler: BlockingScheduler) -> None:
    """Put every job in the store, to run at once and then by its interval, and remove those that are no more."""
    jobs = scheduled_jobs()
    removed, _ = DjangoJob.objects.exclude(id__in=jobs).delete()
    if removed:
        logger.info("Removed scheduled jobs that no longer exist.")
    for job in jobs.values():
        scheduler.add_job(
            run_job,
            IntervalTrigger(seconds=job.seconds, timezone=UTC),
            args=[job.id],
            id=job.id,
            name=job.id,
            next_run_time=datetime.now(UTC),
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=max(MISFIRE_GRACE_SECONDS, job.seconds),
        )


def run_job(job_id: str) -> None:
    """Run one scheduled job, if the lead is still ours."""
    job = scheduled_jobs().get(job_id)
    try:
        if job is None or _leader.term is None or not _leader.term.still_leads():
            return
        job.function()
    except (OperationalError, InterfaceError) as error:
        logger.warning("Scheduled job %s could not be deferred: %s", job_id, error)
    finally:
        connections.close_all()
