"""Which processes are alive: each worker and scheduler writes the time into a row of its own every few seconds."""

import logging
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.db.models import Count, Q
from django.db.models.functions import Now

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


def count_beats() -> Beats:
    alive = Heartbeat.objects.filter(beat_at__gt=Now() - SILENCE)
    counts = alive.aggregate(
        workers=Count("pk", filter=Q(kind=Heartbeat.Kind.WORKER)),
        schedulers=Count("pk", filter=Q(kind=Heartbeat.Kind.SCHEDULER)),
        leaders=Count("pk", filter=Q(kind=Heartbeat.Kind.SCHEDULER, leads=True)),
    )
    return Beats(**counts)


class Pulse:
    """The heartbeat of this process. A database that is away stops neither the pulse nor the process."""

    def __init__(self, kind: Heartbeat.Kind) -> None:
        self._kind = kind
        self._heartbeat_id: UUID | None = None

    def beat(self, *, leads: bool = False) -> float:
        """Write the time into the row of this process; return the seconds until the next beat is due."""
        try:
            if self._heartbeat_id is None:
                heartbeat = Heartbeat(kind=self._kind, host=socket.gethostname()[:255], pid=os.getpid())
                heartbeat.save(force_insert=True)
                self._heartbeat_id = heartbeat.pk
            Heartbeat.objects.filter(pk=self._heartbeat_id).update(beat_at=Now(), leads=leads)
        except (OperationalError, InterfaceError):
            logger.warning("No heartbeat: the database does not answer.")
        return RETRY_SECONDS if self._heartbeat_id is None else BEAT_SECONDS

    def end(self) -> None:
        if self._heartbeat_id is None:
            return
        try:
            Heartbeat.objects.filter(pk=self._heartbeat_id).delete()
        except (OperationalError, InterfaceError):
            logger.debug("The row of this heartbeat stays until it is pruned.")
