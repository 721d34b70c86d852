"""One load: everything is started, every connection is synced once, and then it is measured."""

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from amazon_accounts.sandbox.world import Maker, World, default_client
from amazon_accounts.starter.database import use_local_database
from amazon_accounts.starter.embedded_postgres import end_use
from tests.api_keys import new_key
from tests.chaos.amazon import Amazon
from tests.chaos.programs import Fleet
from tests.load.plan import Plan
from tests.load.usage import Usage, find_family
from tests.load.visitors import Visitors
from tests.ports import free_port
from tests.teams import join
from tokens.models import Connection
from tokens.people.roles import Role

COUNTRIES = ("US", "DE", "JP")
SAMPLE_SECONDS = 2.0
# A warm-up may take so many times as long as an interval between syncs.
MAX_WARM_UP_INTERVALS = 10
NOT_SYNCED = "SELECT count(*) FROM tokens_connection WHERE last_synced_at IS NULL"
ROWS = """
SELECT (SELECT count(*) FROM user_accounts) AS accounts,
       (SELECT count(*) FROM tokens_tokenrefresh WHERE outcome = 'succeeded' AND finished_at > %(since)s) AS refreshes,
       (SELECT count(*) FROM tokens_tokenrefresh WHERE outcome <> 'succeeded' AND finished_at > %(since)s) AS lost_refreshes,
       (SELECT count(*) FROM accounts_syncrun WHERE state = 'succeeded' AND finished_at > %(since)s) AS syncs,
       (SELECT count(*) FROM accounts_syncrun
         WHERE state IN ('failed', 'partial') AND finished_at > %(since)s) AS lost_syncs,
       (SELECT coalesce(sum(requests), 0) FROM accounts_syncrun WHERE finished_at > %(since)s) AS calls,
       (SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at))
          FROM accounts_syncrun WHERE finished_at > %(since)s)::float AS sync_p95,
       (SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - created_at))
          FROM accounts_syncrun WHERE finished_at > %(since)s)::float AS wait_p95,
       (SELECT count(*) FROM tokens_connection WHERE expires_at <= clock_timestamp()) AS expired,
       pg_database_size(current_database()) AS bytes
"""


@dataclass
class Measured:
    seconds: float = 0.0
    warm_up_seconds: float = 0.0
    bytes_before: int = 0
    rows: dict[str, Any] = field(default_factory=dict)
    #: Of the oldest task that could begin, by queue.
    queue_ages: dict[str, list[float]] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)


class Load:
    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.measured = Measured()

    def run(self) -> Measured:
        with ExitStack() as stack:
            self._start(stack)
            self._warm_up()
            self._measure()
        return self.measured

    def _start(self, stack: ExitStack) -> None:
        self.amazon = stack.enter_context(Amazon(_make_world(self.plan)))
        # The first tokens live until all processes have started.
        self.amazon.choose(access_token_seconds=self.plan.token_seconds * 2)
        stack.callback(end_use, self.folder)
        use_local_database()
        port = free_port()
        self.fleet = Fleet(self.folder, self._environment(port), port)
        stack.callback(self.fleet.stop)
        self.fleet.manage("migrate", "-v", "0")
        self.fleet.manage("collectstatic", "--no-input", "-v", "0")
        key, cookies = self._fill()
        self.amazon.choose(access_token_seconds=self.plan.token_seconds)
        for number in range(1, self.plan.workers + 1):
            self.fleet.add(f"worker-{number}", "manage.py", "runworker")
        self.fleet.add("scheduler", "manage.py", "runscheduler")
        self.fleet.add_web()
        for program in self.fleet:
            program.start()
        url = f"http://localhost:{port}"
        self._wait(lambda: _is_ready(f"{url}/readyz"), 60)
        self.visitors = Visitors(url, cookies, key)
        self.visitors.start()
        stack.callback(self.visitors.stop)

    def _environment(self, port: int) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "DATA_DIR": str(self.folder),
            "PORT": str(port),
            **self.amazon.environment(),
            **self.plan.environment(),
        }

    def _fill(self) -> tuple[str, list[str]]:
        """Make the people and the connections; return a key of the API and the people's cookies."""
        owner = User.objects.create_superuser("load")
        team = join(owner, "Load", Role.ADMINISTRATOR)
        now = timezone.now()
        interval = timedelta(seconds=self.plan.interval(3600))
        logins = self.amazon.sandbox.world.logins
        for number, (label, login) in enumerate(logins.items()):
            refresh_token, access_token = self.amazon.new_tokens(label)
            Connection.objects.create(
                team=team,
                owner=owner,
                label=label,
                amazon_user_id=login.user_id,
                client_id=self.amazon.environment()["AMAZON_CLIENT_ID"],
                refresh_token=refresh_token,
                access_token=access_token,
                last_refreshed_at=now,
                expires_at=now + timedelta(seconds=self.plan.token_seconds * 2),
                next_refresh_at=now + interval * number / len(logins),
                next_sync_at=now + interval * number / len(logins),
            )
        cookies = []
        for number in range(1, self.plan.people + 1):
            person = User.objects.create_user(f"person-{number}", is_staff=True)
            join(person, "Load", Role.OPERATOR)
            browser = Client()
            browser.force_login(person)
            name = settings.SESSION_COOKIE_NAME
            cookies.append(f"{name}={browser.cookies[name].value}")
        return new_key(owner), cookies

    def _warm_up(self) -> None:
        """Wait until every connection has been synced."""
        began = time.monotonic()
        limit = MAX_WARM_UP_INTERVALS * self.plan.interval(3600)
        self._wait(lambda: _fetch(NOT_SYNCED)["count"] == 0, limit, pause=2.0)
        self.measured.warm_up_seconds = time.monotonic() - began
        self.say(f"every connection is synced after {self.measured.warm_up_seconds:.0f} s")

    def _measure(self) -> None:
        found = self.measured
        self.visitors.forget()
        begins = _fetch("SELECT clock_timestamp() AS at, pg_database_size(current_database()) AS bytes")
        found.bytes_before, began = begins["bytes"], time.monotonic()
        server = int((self.folder / "postgres/data/postmaster.pid").read_text().split()[0])
        while time.monotonic() < began + self.plan.seconds:
            time.sleep(SAMPLE_SECONDS)
            self._sample(server)
        found.seconds = time.monotonic() - began
        found.rows = _fetch(ROWS, {"since": begins["at"]})
        found.times = {name: list(times) for name, times in self.visitors.times.items()}
        found.refused = dict(self.visitors.refused)

    def _sample(self, server: int) -> None:
        found = self.measured
        for program in self.fleet:
            program.look()
            found.usage.setdefault(program.name, Usage()).add(find_family(program.pid))
        found.usage.setdefault("PostgreSQL", Usage()).add(find_family(server))
        ages = _read_queue_ages()
        for queue in {*ages, *found.queue_ages}:
            found.queue_ages.setdefault(queue, []).append(ages.get(queue, 0.0))

    def _wait(self, condition: Any, seconds: float, pause: float = 0.2) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                tails = "\n".join(f"{program.name}: {program.tail(1000)}" for program in self.fleet)
                raise TimeoutError(f"It did not happen within {seconds:.0f} s.\n{tails}")
            time.sleep(pause)

    def say(self, text: str) -> None:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def _make_world(plan: Plan) -> World:
    world = World(1)
    world.add_client(default_client([]))
    maker = Maker(world)
    for number in range(1, plan.connections + 1):
        login = world.add_login(f"login-{number}")
        for index in range(plan.accounts_per_connection):
            maker.account(f"Account {number}-{index}", "seller", [COUNTRIES[index % 3]], login)
    return world


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _fetch(statement: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column.name for column in cursor.description or ()]
        (row,) = cursor.fetchall()
    return dict(zip(names, row, strict=True))


def _read_queue_ages() -> dict[str, float]:
    from amazon_accounts.postgresql.statements import load
    from dashboard.monitoring import metrics

    with connection.cursor() as cursor:
        cursor.execute(load(metrics.__file__, "read_queue_ages"))
        return {queue: max(float(seconds or 0), 0.0) for queue, seconds in cursor}
