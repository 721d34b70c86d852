"""Is everything there that the console needs? For `/readyz`, which other machines ask."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from psycopg_pool import PoolTimeout

from tokens.models import Heartbeat

# A process beats every few seconds; a restarted database may cost it some beats.
ALIVE = timedelta(seconds=60)


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    detail: str


def checks() -> list[Check]:
    """Ask everything; a database that is away fails all that need it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (Error, PoolTimeout):
        return [Check("database", ok=False, detail="The database does not answer.")]
    found = [Check("database", ok=True, detail="It answers.")]
    questions: list[Callable[[], Check]] = [_migrations, _worker, _scheduler]
    for ask in questions:
        found.append(ask())
        if not found[-1].ok and ask is _migrations:
            # The heartbeats' own table may be missing.
            break
    return found


class _Migrations:
    """Migrations on disk do not change while a process lives: once all are applied they stay so."""

    applied = False


def _migrations() -> Check:
    if not _Migrations.applied:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            return Check("migrations", ok=False, detail=f"{len(missing)} to apply: run manage.py migrate.")
        _Migrations.applied = True
    return Check("migrations", ok=True, detail="All are applied.")


def _alive(kind: Heartbeat.Kind) -> list[Heartbeat]:
    return list(Heartbeat.objects.filter(kind=kind, beat_at__gte=timezone.now() - ALIVE))


def _worker() -> Check:
    workers = len(_alive(Heartbeat.Kind.WORKER))
    detail = f"{workers} alive." if workers else "None is alive: start manage.py runworker."
    return Check("worker", ok=workers > 0, detail=detail)


def _scheduler() -> Check:
    schedulers = _alive(Heartbeat.Kind.SCHEDULER)
    leads = any(scheduler.leads for scheduler in schedulers)
    if leads:
        detail = f"{len(schedulers)} alive, one leads."
    elif schedulers:
        detail = "One waits, none leads yet."
    else:
        detail = "None is alive: start manage.py runscheduler."
    return Check("scheduler", ok=leads, detail=detail)
