"""One storm: everything is started, faults follow one after another, everything is settled and judged."""

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import psycopg
from django.conf import settings
from django.db import connections

from amazon_accounts.starter.embedded_postgres import end_use
from tests import clocks
from tests.chaos import disk, old_code
from tests.chaos.amazon import Amazon, make_world
from tests.chaos.checks import LOG_LABELS, Verdict, find_all_differences, judge
from tests.chaos.database import Database
from tests.chaos.disk import Disk
from tests.chaos.faults import FAULTS, KILL_EVERYTHING, UPGRADE, Fault
from tests.chaos.people import People
from tests.chaos.plan import Plan
from tests.chaos.programs import PROJECT, Fleet, Program
from tests.chaos.samples import Sampler, Truth
from tests.clocks import Clock
from tests.ports import free_port

MAX_BACK_SECONDS = 120.0
MAX_ROUNDS = 4
# The first tokens live longer, until all processes have started.
FIRST_SECONDS = 300
# Which processes have a heartbeat that is newer than a moment, and whether a refresh began since, or no login has been
# due for longer than a check and its job take.
ALIVE = """
SELECT (SELECT array_agg(pid) FROM tokens_heartbeat WHERE beat_at > %s) AS pids,
       (SELECT count(*) FROM tokens_heartbeat WHERE beat_at > %s AND leads) AS leaders,
       EXISTS (SELECT FROM tokens_tokenrefresh WHERE started_at > %s) OR NOT EXISTS (
           SELECT FROM tokens_connection WHERE state = 'active'
              AND next_refresh_at < clock_timestamp() - %s * interval '1 second') AS refreshes
"""
JOB_SECONDS = 3.0
UNSETTLED = """
SELECT (SELECT count(*) FROM accounts_batchoperation WHERE finished_at IS NULL)
     + (SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing' AND scheduled_at < now() - interval '1 minute')
     + (SELECT count(*) FROM accounts_syncrun WHERE state = 'running' AND started_at < now() - interval '1 minute')
"""
SYNCED = """
SELECT connection.id::text FROM tokens_connection connection WHERE state = 'active' AND NOT EXISTS (
    SELECT FROM accounts_syncrun run WHERE run.connection_id = connection.id AND run.started_at > %s
       AND run.state = 'succeeded')
"""


@dataclass
class Done:
    """A fault that was done, and the worst that was seen."""

    fault: Fault
    times: int = 0
    worst_back: float = 0.0
    worst_wait: float = 0.0

    @property
    def name(self) -> str:
        return self.fault.name


class Storm:
    def __init__(self, plan: Plan, folder: Path, arguments: str = "") -> None:
        self.plan = plan
        self.folder = folder
        self.arguments = arguments or f"--seed {plan.seed}"
        self.chance = random.Random(plan.seed)
        self.truth = Truth()
        self.done: dict[str, Done] = {}
        self.skipped: dict[str, str] = {}
        self.database_kills = 0
        self.restart_seconds: list[tuple[float, str]] = []
        self.revoked: dict[str, int] = {}
        self.has_rotated = False
        self.differences: list[str] = []
        # Of the storm itself.
        self.problems: list[str] = []
        self.rounds = 0
        self.load_average = ""
        self.disk: Disk | None = None
        self.clocks: dict[str, Clock] = {}
        self.old_tree: Path | None = None
        # Times on a machine that does other work are longer. The short form may run beside tests.
        self.patience = 2.0 if plan.is_short else 1.0
        self._next_change = 0.0
        self._began = time.monotonic()
        self.began_at = datetime.now().astimezone()

    def run(self) -> Verdict:
        with ExitStack() as stack:
            self._prepare(stack)
            self._start(stack)
            self._rage()
            self._settle()
            return judge(self)

    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def now(self) -> str:
        return time.strftime("%H:%M:%S")

    def say(self, text: str) -> None:
        print(f"{self.now()} {text}", file=sys.stderr, flush=True)

    def _prepare(self, stack: ExitStack) -> None:
        plan, seed = self.plan, self.plan.seed
        self.amazon = stack.enter_context(
            Amazon(make_world(seed, plan.logins, plan.accounts_per_login, plan.big))
        )
        self.amazon.choose(access_token_seconds=plan.token_seconds + FIRST_SECONDS, refresh_rotation="rotate")
        self.database = Database(self.folder, free_port())
        stack.callback(self.database.stop)
        settings.DATABASES["default"]["HOST"] = self.database.host
        self._faults = self._choose_faults()
        if any(fault.find_obstacle is disk.find_obstacle for fault in self._faults):
            self.disk = Disk(self.folder)
            stack.callback(self.disk.unmount)
            self.database.move_to(self.disk)
        stack.callback(end_use, self.folder)
        self.database.start_proxy()
        self.fleet = Fleet(self.folder, self._environment(), free_port())
        stack.callback(self.fleet.stop)
        tree = PROJECT if self.old_tree is None else self.old_tree
        self.fleet.manage("migrate", "-v", "0", tree=tree)
        key = self.fleet.run(
            str(Path(__file__).with_name("connect_all.py")),
            tree=tree,
            stdin=json.dumps(self._describe_logins()),
        ).strip()
        self.amazon.choose(access_token_seconds=plan.token_seconds)
        self.database.fetch(LOG_LABELS)
        self.people = People(
            f"http://127.0.0.1:{self.fleet.port}", key, random.Random(seed + 1), plan.ask_pause
        )
        self.sampler = Sampler(self)

    def _choose_faults(self) -> list[Fault]:
        chosen = []
        for fault in FAULTS:
            if self.plan.only and fault.name not in self.plan.only:
                continue
            if self.plan.is_short and not fault.is_short:
                continue
            if obstacle := fault.find_obstacle():
                self.skipped[fault.name] = obstacle
            elif fault.name == UPGRADE and not self._unpack_old_code():
                pass
            else:
                chosen.append(fault)
        return chosen

    def _unpack_old_code(self) -> bool:
        commit, obstacle = old_code.find_old_commit()
        if obstacle:
            self.skipped[UPGRADE] = obstacle
            return False
        self.old_tree = old_code.unpack(commit, self.folder / "old")
        self.say(f"begins with the code of {commit[:12]}")
        return True

    def _environment(self) -> dict[str, str]:
        plan = self.plan
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONUNBUFFERED": "1",
            "LOG_FORMAT": "text",
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": self.database.url,
            "SECRET_KEY": settings.SECRET_KEY,
            "TOKEN_ENCRYPTION_KEYS": ",".join(settings.TOKEN_ENCRYPTION_KEYS),
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "PUBLIC_URL": "http://localhost",
            # The public address and the sandbox are http.
            "INSECURE": "1",
            **self.amazon.environment(),
            "DB_POOL_MIN_SIZE": "1",
            "AMAZON_REQUESTS_PER_SECOND": "50",
            "AMAZON_BACKOFF_BASE_SECONDS": "0.2",
            "AMAZON_BACKOFF_MAX_SECONDS": "5",
            "TOKEN_REFRESH_CHECK_SECONDS": str(plan.check_seconds),
            "TOKEN_REFRESH_LEAD_SECONDS": str(plan.lead_seconds),
            "SYNC_INTERVAL_SECONDS": str(plan.sync_seconds),
            "LWA_TIMEOUT_SECONDS": "3",
        }

    def _describe_logins(self) -> dict[str, object]:
        logins = self.amazon.sandbox.world.logins
        return {
            "token_seconds": self.plan.token_seconds + FIRST_SECONDS,
            "calm_seconds": self.plan.token_seconds - self.plan.lead_seconds,
            "logins": {login: [*self.amazon.new_tokens(login), logins[login].user_id] for login in logins},
        }

    def _start(self, stack: ExitStack) -> None:
        has_clocks = not clocks.find_obstacle() and not self.plan.is_short
        names = [f"worker-{number}" for number in range(1, self.plan.workers + 1)]
        names += [f"scheduler-{number}" for number in range(1, self.plan.schedulers + 1)]
        for name in names:
            if has_clocks:
                self.clocks[name] = Clock(self.folder, name)
            environment = self.clocks[name].environment() if has_clocks else {}
            command = "runworker" if name.startswith("worker") else "runscheduler"
            self.fleet.add(name, "manage.py", command, **environment)
        self.fleet.add_web()
        if self.old_tree is not None:
            self.fleet.use_tree(self.old_tree)
        for program in self.fleet:
            program.start()
        self.wait_until_back(datetime.now().astimezone())
        self.say(f"everything runs after {self.elapsed():.0f} s")
        self.truth.web_begins()
        self.truth.database_up()
        self._trouble(is_on=True)
        self.sampler.start()
        stack.callback(self.sampler.stop)
        self.people.start()
        stack.callback(self.people.stop)

    def _trouble(self, *, is_on: bool) -> None:
        """What is always there: a few calls to Login with Amazon fail or hang."""
        if is_on:
            self.amazon.fault("error_500", "trouble 1", area="token", probability=0.1)
            self.amazon.fault("hang", "trouble 2", area="token", probability=0.05, seconds=20)
        else:
            self.amazon.calm("trouble 1", "trouble 2")

    def _rage(self) -> None:
        end = time.monotonic() + self.plan.seconds
        for fault in self._follow():
            if time.monotonic() + fault.seconds > end:
                break
            self._do(fault)
            self.sleep(self.plan.gap)
        self.sleep(max(0.0, end - time.monotonic()))

    def _follow(self) -> Iterator[Fault]:
        """All faults in random order, again and again. The upgrade comes once, at the beginning."""
        first = KILL_EVERYTHING if self.plan.is_short else UPGRADE
        yield from (fault for fault in self._faults if fault.name == first)
        others = [fault for fault in self._faults if fault.name != UPGRADE]
        while others:
            yield from self.chance.sample(others, len(others))

    def _do(self, fault: Fault) -> None:
        self.say(fault.name)
        began = time.monotonic()
        try:
            doing = fault.do(self)
            next(doing)
            self.sleep(fault.seconds)
            for _ in doing:
                pass
        except (psycopg.OperationalError, RuntimeError, OSError) as error:
            self.problems.append(f"{fault.name} at {self.now()}: {error}")
            self.say(self.problems[-1])
        if not self.plan.is_short:
            self.kill_one()
        done = self.done.setdefault(fault.name, Done(fault))
        done.times += 1
        ended = datetime.now().astimezone()
        seconds = self.wait_until_back(ended)
        done.worst_back = max(done.worst_back, seconds)
        self.database.wait()
        waits = [wait for moment, wait in self.sampler.samples.waits if moment > began]
        done.worst_wait = max([done.worst_wait, *waits])
        self.say(f"    back after {seconds:.1f} s, a due login waited {max(waits, default=0):.1f} s")

    def sleep(self, seconds: float) -> None:
        """Wait, and meanwhile change Amazon's world and look at the processes."""
        end = time.monotonic() + seconds
        while True:
            if time.monotonic() >= self._next_change:
                self._next_change = time.monotonic() + self.plan.change_pause
                self.amazon.change_world(self.chance)
            for program in self.fleet:
                program.look()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(0.2, left))

    def wait_until_back(self, since: datetime) -> float:
        """Wait until every process has a heartbeat after `since`, one leads, no login waits, and web is ready."""
        began = time.monotonic()
        usual = self.plan.check_seconds + JOB_SECONDS
        while time.monotonic() < began + MAX_BACK_SECONDS:
            try:
                (row,) = self.database.fetch(ALIVE, [since, since, since, usual])
                wanted = {program.pid for program in self.fleet if program.kind != "web"}
                if (
                    wanted <= set(row.pids or [])
                    and row.leaders == 1
                    and row.refreshes
                    and self._is_web_ready()
                ):
                    return time.monotonic() - began
            except psycopg.OperationalError:
                pass
            for program in self.fleet:
                program.look()
            time.sleep(0.2)
        return time.monotonic() - began

    def _is_web_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.fleet.port}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def kill_one(self) -> None:
        """Kill a process while the others come back from a fault."""
        program = self.chance.choice(list(self.fleet))
        if program.kind == "web":
            self.truth.web_begins()
        program.kill()
        program.start()

    def choose(self, kind: str) -> Program:
        return self.chance.choice(self.fleet.of(kind))

    def leader(self) -> Program:
        """The scheduler that leads."""
        statement = "SELECT pid FROM tokens_heartbeat WHERE leads ORDER BY beat_at DESC"
        leading = [row.pid for row in self.database.fetch(statement)]
        schedulers = self.fleet.of("scheduler")
        return next((each for pid in leading for each in schedulers if each.pid == pid), schedulers[0])

    def revoke_and_reconnect(self) -> Iterator[None]:
        login = f"login-{self.chance.randint(2, self.plan.logins)}"
        ask = "SELECT count(*) FROM tokens_connection WHERE label = %s AND state = %s"
        if not self.database.value(ask, [login, "active"]):
            yield
            return
        client = self.amazon.environment()["AMAZON_CLIENT_ID"]
        self.amazon.do(lambda: self.amazon.sandbox.revoke(login, client))
        self.revoked[login] = self.revoked.get(login, 0) + 1
        end = time.monotonic() + self.plan.token_seconds
        while time.monotonic() < end and self.database.value(ask, [login, "active"]):
            self.sleep(1)
        yield
        refresh_token, _ = self.amazon.new_tokens(login)
        self.fleet.manage("connect", "--owner", "chaos", "--label", login, stdin=refresh_token)

    def upgrade(self) -> Iterator[None]:
        """Old processes run; the database is migrated under them; new ones come one after another."""
        self.sleep(20)
        self.fleet.manage("migrate", "-v", "0")
        self.sleep(10)
        self.fleet.use_tree(PROJECT)
        for program in self.fleet:
            if program.kind == "web":
                self.truth.web_begins()
            self.restart_seconds.append((program.stop(), program.name))
            program.start()
            self.sleep(3)
        yield

    def _settle(self) -> None:
        """End all faults, let everything come to its end, and sync all logins until the tables are equal."""
        self.load_average = f"load average {os.getloadavg()[2]:.0f} over 15 minutes"
        self.say("the storm is over")
        self._trouble(is_on=False)
        self.people.stop()
        end = time.monotonic() + self.plan.settle_seconds
        while self.database.value(UNSETTLED) and time.monotonic() < end:
            time.sleep(0.5)
        self.say("everything is settled")
        while self.rounds < MAX_ROUNDS:
            self.rounds += 1
            late = self._sync_all()
            self.differences = [*late, *find_all_differences(self)]
            connections.close_all()
            if not self.differences:
                break
        self.sampler.stop()

    def _sync_all(self) -> list[str]:
        """Sync every login; return the logins whose sync did not come."""
        began = datetime.now().astimezone()
        for row in self.database.fetch(SYNCED, [began]):
            self.people.ask("POST", f"connections/{row.id}/sync/")
        end = time.monotonic() + self.plan.settle_seconds
        while (waiting := self.database.fetch(SYNCED, [began])) and time.monotonic() < end:
            time.sleep(0.5)
        return [f"{row.id} was not synced" for row in waiting]
