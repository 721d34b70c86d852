"""Whether all parts of the console are there: what /readyz answers."""

import threading
import time
from dataclasses import dataclass

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from psycopg_pool import PoolTimeout

from amazon_accounts.postgresql.outages import AWAY, OUTAGES, Trouble, probe
from tokens.processes.heartbeats import Beats, count_beats

ANSWER_SECONDS = 1.8
# Each write leaves a few dead rows in the catalog of the database, and anybody may ask. Load balancers ask less often, so
# each of their checks writes.
WRITE_EVERY_SECONDS = 2.0


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    detail: str


def run_checks() -> list[Check]:
    """Check database, migrations, worker and scheduler, in this order.

    The list ends at the database or the migrations if they fail, because the later checks need them.
    """
    if trouble := DATABASE.find_trouble():
        return [Check("database", ok=False, detail=trouble)]
    try:
        checks = [Check("database", ok=True, detail="It answers."), MIGRATIONS.run()]
        if checks[-1].ok:
            alive = count_beats()
            checks += [_check_worker(alive), _check_scheduler(alive)]
    except (Error, PoolTimeout) as error:
        return [Check("database", ok=False, detail=OUTAGES.explain(error))]
    return checks


def is_database_ready(checks: list[Check]) -> bool:
    """Return whether the tables can be read: the database answers and all migrations are applied."""
    return all(check.ok for check in checks if check.name in {"database", "migrations"})


class DatabaseCheck:
    """Whether the database can be read and written, told within two seconds.

    A full disk and a standby answer every query, so only a write shows them. The last failure of this process would
    not show them either, because most requests write nothing.
    """

    def __init__(self) -> None:
        self._wrote_at = -WRITE_EVERY_SECONDS

    def find_trouble(self) -> str | None:
        now = time.monotonic()
        writes = OUTAGES.is_on or now - self._wrote_at >= WRITE_EVERY_SECONDS
        # A thread, because a look-up of the host's name has no timeout.
        found: list[Trouble | None] = []
        asking = threading.Thread(target=lambda: found.append(probe(writes=writes)), daemon=True)
        asking.start()
        asking.join(ANSWER_SECONDS)
        if found == [None]:
            self._wrote_at = now if writes else self._wrote_at
            return None
        OUTAGES.begin()
        return found[0].cause if found and found[0] else AWAY


DATABASE = DatabaseCheck()


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
