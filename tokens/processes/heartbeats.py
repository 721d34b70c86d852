"""Which processes are alive: each worker and scheduler writes the time into a row of its own every few seconds."""

import logging
import os
import socket
import time
from dataclasses import dataclass
from datetime import timedelta

from django.db import InterfaceError, OperationalError
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from amazon_accounts.postgresql.outages import OUTAGES, open_connections_anew
from amazon_accounts.postgresql.sessions import name_sessions
from tokens.models import Heartbeat

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
# A process that could not write its first beat tries again after this time.
RETRY_SECONDS = 1.0
# A process that was silent for a longer time counts as dead.
SILENCE = timedelta(seconds=30)


@dataclass(frozen=True)
class Beats:
    """How many processes of each kind are alive."""

    workers: int
    schedulers: int
    leaders: int

    @property
    def worker_is_alive(self) -> bool:
        return self.workers > 0

    @property
    def scheduler_is_alive(self) -> bool:
        # A scheduler that only stands by defers nothing.
        return self.leaders > 0


def find_alive() -> QuerySet[Heartbeat]:
    return Heartbeat.objects.filter(beat_at__gt=Now() - SILENCE)


def count_beats() -> Beats:
    counts = find_alive().aggregate(
        workers=Count("pk", filter=Q(kind=Heartbeat.Kind.WORKER)),
        schedulers=Count("pk", filter=Q(kind=Heartbeat.Kind.SCHEDULER)),
        leaders=Count("pk", filter=Q(kind=Heartbeat.Kind.SCHEDULER, leads=True)),
    )
    return Beats(**counts)


class Pulse:
    """The heartbeat of this process. A database that is away stops neither the pulse nor the process."""

    def __init__(self, kind: Heartbeat.Kind, patience: timedelta = SILENCE) -> None:
        self._patience_seconds = patience.total_seconds()
        self._heartbeat = Heartbeat(kind=kind, host=socket.gethostname()[:255], pid=os.getpid())
        self._is_stored = False
        self._beat_at = time.monotonic()

    def name_sessions(self) -> None:
        """Let the sessions of this process at the database be told from those of others."""
        name_sessions(f"aa-{self._heartbeat.pk}")

    def beat(self, *, leads: bool = False) -> float:
        """Write the time into the row of this process; return the seconds until the next beat is due."""
        # Each error begins an outage, which is over at once if the database works.
        is_outage = OUTAGES.is_on
        try:
            if not Heartbeat.objects.filter(pk=self._heartbeat.pk).update(beat_at=Now(), leads=leads):
                self._heartbeat.leads = leads
                self._heartbeat.save(force_insert=True)
            self._is_stored = True
            self._beat_at = time.monotonic()
        except (OperationalError, InterfaceError) as error:
            logger.warning("No heartbeat could be written: %s", error)
            if not is_outage:
                self._begin_anew_after_silence()
        return BEAT_SECONDS if self._is_stored else RETRY_SECONDS

    def _begin_anew_after_silence(self) -> None:
        # In an outage, its watch does this. Without one the connection pool itself must be the trouble.
        if time.monotonic() - self._beat_at < self._patience_seconds:
            return
        self._beat_at = time.monotonic()
        logger.warning(
            "This process was silent for %d s, though the database works. All connections are opened anew.",
            self._patience_seconds,
            extra={"action": "pool_replaced"},
        )
        open_connections_anew()

    def end(self) -> None:
        try:
            Heartbeat.objects.filter(pk=self._heartbeat.pk).delete()
        except (OperationalError, InterfaceError):
            logger.debug("The row of this heartbeat stays until it is pruned.")
