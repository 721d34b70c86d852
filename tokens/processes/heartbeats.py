"""Which processes are alive: each says so every few seconds, in a row of its own."""

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Count, Q
from django.db.models.functions import Now

from tokens.models import Heartbeat

BEAT_SECONDS = 5.0
# A process that was silent for so long counts as dead.
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
        return self.leaders > 0


def beats() -> Beats:
    """Count the processes that gave a sign of life lately; a scheduler counts as alive when one of them leads."""
    alive = Heartbeat.objects.filter(beat_at__gt=Now() - SILENCE)
    counted = alive.aggregate(
        workers=Count("pk", filter=Q(kind=Heartbeat.Kind.WORKER)),
        schedulers=Count("pk", filter=Q(kind=Heartbeat.Kind.SCHEDULER)),
        leaders=Count("pk", filter=Q(kind=Heartbeat.Kind.SCHEDULER, leads=True)),
    )
    return Beats(**counted)


def begin(kind: Heartbeat.Kind) -> UUID:
    """Open the row of this process."""
    return Heartbeat.objects.create(kind=kind, host=socket.gethostname()[:255], pid=os.getpid()).pk


def beat(heartbeat_id: UUID, *, leads: bool = False) -> None:
    Heartbeat.objects.filter(pk=heartbeat_id).update(beat_at=Now(), leads=leads)


def end(heartbeat_id: UUID) -> None:
    Heartbeat.objects.filter(pk=heartbeat_id).delete()
