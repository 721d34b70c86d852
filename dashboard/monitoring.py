"""Is everything there that the console needs? For `/readyz`, which other machines ask."""

from dataclasses import dataclass

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from psycopg_pool import PoolTimeout

from tokens.processes.heartbeats import Beats, count_beats


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    detail: str


def checks() -> list[Check]:
    """Ask everything, in the order in which one needs the other; stop where the rest cannot be asked."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (Error, PoolTimeout):
        return [Check("database", ok=False, detail="The database does not answer.")]
    found = [Check("database", ok=True, detail="It answers."), _migrations()]
    if found[-1].ok:
        alive = count_beats()
        found += [_worker(alive), _scheduler(alive)]
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


def _worker(alive: Beats) -> Check:
    number = alive.workers
    return Check(
        "worker",
        ok=number > 0,
        detail=f"{number} alive." if number else "None is alive: start manage.py runworker.",
    )


def _scheduler(alive: Beats) -> Check:
    if alive.scheduler_is_alive:
        detail = f"{alive.schedulers} alive, one leads."
    elif alive.schedulers:
        detail = "One is alive, none leads yet."
    else:
        detail = "None is alive: start manage.py runscheduler."
    return Check("scheduler", ok=alive.scheduler_is_alive, detail=detail)
