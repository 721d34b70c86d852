"""`make run` as a person sees it: its start, its end, and an outage of the database."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ports import free_port
from tests.starter.postgres_processes import (
    PROJECT,
    eventually,
    guardian,
    is_alive,
    kill,
    postmaster,
    servers,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("make run"),
    pytest.mark.skipif(
        sys.platform != "linux", reason="the processes are found in /proc, which only Linux has"
    ),
]


class Everything:
    """One `make run` under a folder of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port, self.sandbox_port = free_port(), free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "amazon_accounts.starter"],
            cwd=PROJECT,
            env={
                "PATH": os.environ["PATH"],
                "DATA_DIR": str(data_dir),
                "PORT": str(self.port),
                "SANDBOX_PORT": str(self.sandbox_port),
                "TOKEN_REFRESH_CHECK_SECONDS": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.log: list[str] = []
        self.reader = threading.Thread(target=self._read_log)
        self.reader.start()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(self.process.stderr)

    def lines(self) -> list[str]:
        """The three lines that it prints when everything answers."""
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline().strip() for _ in range(3)]
        assert all(lines), self.tail()
        return lines

    def tail(self) -> str:
        return "".join(self.log[-60:])

    def stop(self) -> float:
        """Stop it, and return the seconds that it takes."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)
        self.reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        if self.process.stderr is not None:
            self.process.stderr.close()
        return time.monotonic() - began

    def status(self, path: str) -> int:
        web = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            web.request("GET", path)
            return web.getresponse().status
        except OSError:
            return 0
        finally:
            web.close()

    def sql(self, query: str) -> Any:
        run = self.data_dir / "postgres/run"
        with psycopg.connect(host=str(run), user="postgres", dbname="amazon_accounts") as connection:
            return connection.execute(query.encode()).fetchone()

    def programs(self) -> dict[str, int]:
        """The process of each program by its name."""
        found = {}
        for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_text()
            for name in ("granian", "runworker", "runscheduler", "sandbox"):
                if name in command:
                    found[name] = int(child)
        return found


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    everything = Everything(tmp_path_factory.mktemp("everything") / "var")
    try:
        everything.lines()
        yield everything
    finally:
        everything.stop()


def test_it_starts_stops_starts_again_and_leaves_nothing_when_killed(data_dir: Path) -> None:
    first = Everything(data_dir)
    try:
        address, user, password = first.lines()
        assert address == f"Address:   http://localhost:{first.port}"
        assert user == "User name: admin"
        assert re.fullmatch(r"Password:  \S{16}", password)
        assert first.status("/healthz") == 200
        assert first.status("/auth/login/") == 200
        assert eventually(lambda: first.status("/readyz") == 200, 20), first.tail()
        server = postmaster(data_dir)
    finally:
        seconds = first.stop()
    assert seconds < 10
    assert first.process.returncode == 0
    assert not is_alive(server)
    assert not servers(data_dir)
    assert not [line for line in first.log if "Traceback" in line], first.tail()

    second = Everything(data_dir)
    try:
        _, user, password = second.lines()
        assert user == "User name: admin"
        assert password.endswith("`.venv/bin/python manage.py changepassword admin` sets a new one")
        processes = [*second.programs().values(), postmaster(data_dir), guardian(data_dir)]
        assert len(processes) == 6
        kill(second.process.pid)
        assert eventually(lambda: not any(is_alive(process) for process in processes), 15), second.tail()
    finally:
        second.stop()


def test_a_taken_port_is_reported_in_one_line_before_anything_starts(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            [sys.executable, "-m", "amazon_accounts.starter"],
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], "DATA_DIR": str(data_dir), "PORT": str(taken.getsockname()[1])},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert re.fullmatch(
        r"Error: PORT \d+ on 127.0.0.1 cannot be used \(Address already in use\). .*PORT=\d+.\n", done.stderr
    )
    assert not (data_dir / "postgres").exists()


@pytest.mark.parametrize("name", ["granian", "runworker", "runscheduler", "sandbox"])
def test_a_killed_program_comes_back(everything: Everything, name: str) -> None:
    before = everything.programs()[name]
    kill(before)
    assert eventually(lambda: everything.programs().get(name, before) != before), everything.tail()
    assert eventually(lambda: everything.status("/healthz") == 200), everything.tail()


def test_a_killed_guardian_comes_back(everything: Everything) -> None:
    before = guardian(everything.data_dir)
    kill(before)
    assert eventually(
        lambda: bool(servers(everything.data_dir)) and guardian(everything.data_dir) != before
    ), everything.tail()
    assert eventually(lambda: everything.status("/readyz") == 200, 30), everything.tail()


@pytest.mark.parametrize("seconds", [10, 60])
def test_every_program_survives_an_outage_of_the_database(everything: Everything, seconds: int) -> None:
    assert eventually(lambda: everything.status("/readyz") == 200, 30), everything.tail()
    programs = everything.programs()
    keeper = guardian(everything.data_dir)
    os.kill(keeper, signal.SIGSTOP)  # stopped, it does not start the server again
    try:
        kill(postmaster(everything.data_dir))
        began = time.monotonic()
        # PostgreSQL's other processes answer until they notice that the postmaster has died.
        assert eventually(lambda: everything.status("/readyz") == 503, 5), everything.tail()
        assert everything.status("/") in {302, 503}, everything.tail()
        while time.monotonic() - began < seconds:
            everything.status("/readyz")
            time.sleep(0.5)
        assert everything.status("/healthz") == 200, everything.tail()
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert eventually(lambda: answers(everything)), everything.tail()
    back = time.monotonic()
    assert eventually(lambda: everything.status("/auth/login/") == 200, 5), everything.tail()
    assert eventually(lambda: everything.status("/readyz") == 200, 30), everything.tail()
    assert eventually(lambda: has_done_work_since(everything, back), 30), everything.tail()
    assert everything.programs() == programs, "a program had to be started again"


def answers(everything: Everything) -> bool:
    try:
        return bool(everything.sql("SELECT 1") == (1,))
    except psycopg.OperationalError:
        return False


def has_done_work_since(everything: Everything, moment: float) -> bool:
    # The scheduler deferred a job, and a worker finished it: its id is used up and its row is gone.
    if time.monotonic() - moment < 0.1:
        return False
    before = everything.sql("SELECT last_value FROM procrastinate_jobs_id_seq")[0]
    done = "SELECT last_value > {0} AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE id <= {0} + 1)"
    return eventually(
        lambda: everything.sql(f"{done.format(before)} FROM procrastinate_jobs_id_seq") == (True,), 10
    )
