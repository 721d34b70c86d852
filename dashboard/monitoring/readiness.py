"""Whether all parts of the console are there: what /readyz answers."""

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


def run_checks() -> list[Check]:
    """Check database, migrations, worker and scheduler, in this order.

    The list ends at the database or the migrations if they fail, because the later checks need them.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (Error, PoolTimeout):
        return [Check("database", ok=False, detail="The database does not answer.")]
    checks = [Check("database", ok=True, detail="It answers."), MIGRATIONS.run()]
    if checks[-1].ok:
        alive = count_beats()
        checks += [_check_worker(alive), _check_scheduler(alive)]
    return checks


def is_database_ready(checks: list[Check]) -> bool:
    """Return whether the tables can be read: the database answers and all migrations are applied."""
    return all(check.ok for check in checks if check.name in {"database", "migrations"})


class MigrationCheck:
    def __init__(self) -> None:
        # Migrations on disk do not change while a process lives, so applied migrations are asked for once.
        self._are_applied = False

    def run(self) -> Check:
        if not self._are_applied:
            executor = MigrationExecutor(connection)
            missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if missing:
                return Check(
                    "migrations", ok=False, detail=f"{len(missing)} to apply: run manage.py migrate."
                )
            self._are_applied = True
        return Check("migrations", ok=True, detail="All are applied.")


MIGRATIONS = MigrationCheck()


def _check_worker(alive: Beats) -> Check:
    is_alive = alive.worker_is_alive
    return Check(
        "worker",
        ok=is_alive,
        detail=f"{alive.workers} alive." if is_alive else "None is alive: start manage.py runworker.",
    )


def _check_scheduler(alive: Beats) -> Check:
    if alive.scheduler_is_alive:
        detail = f"{alive.schedulers} alive, one leads."
    elif alive.schedulers:
        detail = "One is alive, but none leads yet."
    else:
        detail = "None is alive: start manage.py runscheduler."
    return Check("scheduler", ok=alive.scheduler_is_alive, detail=detail)
