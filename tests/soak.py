"""A soak test: no token may expire while every process dies again and again. `python -m tests.soak` takes ten minutes.

Tokens live 60 s and are refreshed 30 s before their end; the check runs every 5 s; Login with Amazon gives up after
3 s. 200 connections. One call in five to Login with Amazon ends in a 5xx or hangs. Once a minute worker and scheduler
are killed with -9; twice PostgreSQL restarts. At the end all of this must be true:

    no call to the API carried an expired token
    every live connection had a valid token at every sample, one a second
    no login was refreshed twice within a lease
    every call to the token endpoint belongs to a refresh in the history
    the success rate is 100 %

Exits with 1 if one of these does not hold. It runs in a folder of its own and deletes it.
"""

import argparse
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

TOKEN_SECONDS = 60
ENVIRONMENT = {
    "TOKEN_REFRESH_CHECK_SECONDS": "5",
    "TOKEN_REFRESH_LEAD_SECONDS": "30",
    "LWA_TIMEOUT_SECONDS": "3",
    "SYNC_INTERVAL_SECONDS": "60",
    "PYTHONUNBUFFERED": "1",
    "DJANGO_SETTINGS_MODULE": "amazon_accounts.settings",
}
LEASE = timedelta(seconds=15)
# A call is written down by Amazon a little before or after we do.
SLACK = timedelta(seconds=1)


@dataclass
class Plan:
    seconds: float = 600
    connections: int = 200
    kill_every: float = 60
    postgres_restarts: int = 2
    failing: float = 0.2
    port: int = 8390


@dataclass
class Result:
    """What was observed. `broken` lists the promises that did not hold."""

    samples: int = 0
    stale: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def expect(self, promise: str, problems: list[str]) -> None:
        if problems:
            self.broken.append(f"{promise}: {len(problems)} times not, first {problems[0]}")


class Child:
    """A process of the product that is killed and started again."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "manage.py", self.name], stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(15)
            self.kill()

    def tail(self) -> str:
        return self._log.read_text()[-3000:] if self._log.exists() else ""


def soak(plan: Plan, folder: Path) -> Result:
    """Run it all in this folder."""
    os.environ.update(ENVIRONMENT, DATA_DIR=str(folder), SANDBOX_PORT=str(plan.port))
    for name in ("DATABASE_URL", "AMAZON_CLIENT_ID", "AMAZON_CLIENT_SECRET"):
        os.environ.pop(name, None)
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from amazon_accounts.starter.database import use_local_database
    from tests.bench.pacing import running_sandbox

    use_local_database()
    call_command("migrate", verbosity=0, interactive=False)
    children = [Child("runworker", folder), Child("runscheduler", folder)]
    with running_sandbox(settings.SANDBOX_PORT) as amazon:
        amazon.do(
            "POST", "/reset", {"world": "generated", "logins": plan.connections, "accounts_per_login": 2}
        )
        amazon.do("POST", "/switches", {"access_token_seconds": TOKEN_SECONDS})
        logins = connect_all(plan, amazon)
        half = plan.failing / 2
        amazon.do("POST", "/faults", {"kind": "error_500", "area": "token", "probability": half})
        # Of those that remain.
        hangs = half / (1 - half)
        amazon.do(
            "POST",
            "/faults",
            {"kind": "hang", "area": "token", "probability": hangs, "options": {"seconds": 20}},
        )
        for child in children:
            child.start()
        result = Result()
        try:
            run(plan, children, result, folder)
            amazon.do("DELETE", "/faults")
            judge(result, amazon, logins)
        finally:
            for child in children:
                child.end()
    if result.broken:
        for child in children:
            print(f"--- {child.name}\n{child.tail()}", file=sys.stderr)
    return result


def connect_all(plan: Plan, amazon: Any) -> dict[str, str]:
    """Make a connection with a fresh token for every login; return the login of each connection."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.utils import timezone

    from tests.teams import team_of
    from tokens.models import Connection

    owner = User.objects.create_user("soak")
    logins = {}
    for number in range(1, plan.connections + 1):
        login = f"login-{number}"
        grant = amazon.do("POST", "/grants", {"login": login})
        now = timezone.now()
        connection = Connection.objects.create(
            team=team_of(owner),
            owner=owner,
            label=login,
            client_id=settings.AMAZON_CLIENT_ID,
            refresh_token=grant["refresh_token"],
            access_token=grant["access_token"],
            last_refreshed_at=now,
            expires_at=now + timedelta(seconds=TOKEN_SECONDS),
            # Spread over the first half of their life.
            next_refresh_at=now + timedelta(seconds=TOKEN_SECONDS / 2 * number / plan.connections),
            next_sync_at=now,
        )
        logins[str(connection.pk)] = login
    return logins


def run(plan: Plan, children: list[Child], result: Result, folder: Path) -> None:
    """Sample every second; kill and restart by the plan."""
    began = time.monotonic()
    next_kill = plan.kill_every
    restarts = [
        plan.seconds * (number + 0.75) / (plan.postgres_restarts + 0.5)
        for number in range(plan.postgres_restarts)
    ]
    while (elapsed := time.monotonic() - began) < plan.seconds:
        sample(result)
        if elapsed >= next_kill and elapsed < plan.seconds - 5:
            next_kill += plan.kill_every
            for child in children:
                child.kill()
                child.start()
        if restarts and elapsed >= restarts[0]:
            restarts.pop(0)
            restart_postgres(folder)
        time.sleep(max(0.0, 1 - (time.monotonic() - began - elapsed)))


def sample(result: Result) -> None:
    from django.db import InterfaceError, OperationalError, connection
    from django.db.models.functions import Now

    from tokens.models import Connection

    try:
        stale = Connection.objects.live().filter(expires_at__lte=Now()).values_list("label", "expires_at")
        result.stale += [f"{label}, ended {ended:%H:%M:%S}" for label, ended in stale]
        result.samples += 1
    except (OperationalError, InterfaceError):
        connection.close()


def restart_postgres(folder: Path) -> None:
    """Stop the server as `pg_ctl restart -m fast` does; its guardian starts it again."""
    pid = int((folder / "postgres/data/postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGINT)


def judge(result: Result, amazon: Any, logins: dict[str, str]) -> None:
    """Compare our history with the journal of the sandbox."""
    from django.utils import timezone

    from tokens.models import Connection, TokenRefresh

    # Let the last refreshes end.
    time.sleep(4)
    entries = amazon.do("GET", "/journal?limit=200000")
    entries = entries["entries"] if isinstance(entries, dict) else entries
    calls = [entry for entry in entries if entry["area"] == "api"]
    asked = [entry for entry in entries if entry["area"] == "token"]
    refreshes = list(TokenRefresh.objects.order_by("started_at"))
    result.expect("every sample finds valid tokens", result.stale)
    result.expect(
        "no call carries an expired token",
        [f"{entry['path']} of {entry['login']}" for entry in calls if entry["credential"] == "expired"],
    )
    result.expect("no connection is disabled", [c.label for c in Connection.objects.exclude(state="active")])
    by_login: dict[str, list[TokenRefresh]] = {login: [] for login in logins.values()}
    for refresh in refreshes:
        by_login[logins[str(refresh.connection_id)]].append(refresh)
    result.expect("one refresh of a login at a time", list(find_overlaps(by_login)))
    result.expect("every call is in the history", list(find_unknown_calls(asked, by_login)))
    for login in sorted({line.split(",")[0] for line in result.stale}):
        print(f"--- refreshes of {login}, whose token was seen expired", file=sys.stderr)
        for refresh in by_login[login]:
            ended = f"{refresh.finished_at:%H:%M:%S}" if refresh.finished_at else "open"
            print(
                f"{refresh.started_at:%H:%M:%S} to {ended}: {refresh.outcome}, {refresh.tries} calls",
                file=sys.stderr,
            )
    rate = TokenRefresh.objects.since(timezone.now() - timedelta(days=1)).success_rate()
    result.expect("the success rate is 100 %", [] if rate == 1.0 else [f"{rate}"])
    result.expect("samples were taken", [] if result.samples else ["none"])
    result.figures = {
        "samples": result.samples,
        "refreshes": len(refreshes),
        "lost": sum(refresh.outcome == "lost" for refresh in refreshes),
        "token calls": len(asked),
        "failed token calls": sum(entry["status"] != 200 for entry in asked),
        "api calls": len(calls),
        "success rate": rate,
    }


def find_overlaps(by_login: dict[str, list[Any]]) -> Iterator[str]:
    """Find refreshes of one login that ran together, or that followed a dead one within its lease."""
    for login, refreshes in by_login.items():
        for one, other in itertools.pairwise(refreshes):
            if one.outcome == "lost":
                if other.started_at < one.started_at + LEASE:
                    yield f"{login} at {other.started_at:%H:%M:%S} within the lease of a dead process"
            elif one.finished_at is None or other.started_at < one.finished_at:
                yield f"{login} at {other.started_at:%H:%M:%S} while another one ran"


def find_unknown_calls(asked: list[dict[str, Any]], by_login: dict[str, list[Any]]) -> Iterator[str]:
    """Find calls to the token endpoint at a time when no refresh of that login was open."""
    for entry in asked:
        moment = datetime.fromtimestamp(entry["time"]).astimezone()
        for refresh in by_login[entry["login"]]:
            ended = refresh.finished_at or moment
            if refresh.started_at - SLACK <= moment <= ended + SLACK:
                break
        else:
            yield f"{entry['login']} at {moment:%H:%M:%S}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    plan = Plan()
    parser.add_argument("--seconds", type=float, default=plan.seconds)
    parser.add_argument("--connections", type=int, default=plan.connections)
    parser.add_argument("--kill-every", type=float, default=plan.kill_every)
    parser.add_argument("--postgres-restarts", type=int, default=plan.postgres_restarts)
    parser.add_argument("--port", type=int, default=plan.port)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
        result = soak(Plan(**{**vars(plan), **vars(options)}), Path(folder))
    for name, value in result.figures.items():
        print(f"{name}: {value}")
    for broken in result.broken:
        print(f"NOT KEPT: {broken}")
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())
