"""PostgreSQL of the storm, and the proxy between it and the product. The storm itself goes past the proxy."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from amazon_accounts.starter.embedded_postgres import ensure_running
from amazon_accounts.starter.unprivileged import end_with_parent
from tests.chaos.disk import Disk
from tests.chaos.programs import PROJECT


class Database:
    def __init__(self, folder: Path, proxy_port: int) -> None:
        self._folder = folder
        self._parameters = ensure_running(folder)
        self.host = self._parameters.host
        self.url = f"postgresql://postgres@127.0.0.1:{proxy_port}/{self._parameters.database}"
        self._proxy_port = proxy_port
        self._proxy: subprocess.Popen[str] | None = None
        self._local = threading.local()

    def connect(self, database: str = "") -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.host,
            port=self._parameters.port,
            user=self._parameters.user,
            dbname=database or self._parameters.database,
            autocommit=True,
            connect_timeout=5,
            row_factory=namedtuple_row,
        )

    def fetch(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query. Raises psycopg.OperationalError while the database is away."""
        connection = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._local.connection = self.connect()
        try:
            cursor = connection.execute(statement.encode(), parameters)
        except psycopg.OperationalError:
            connection.close()
            raise
        return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        return self.fetch(statement, parameters)[0][0]

    def move_to(self, disk: Disk) -> None:
        """Keep the tables on this disk. The log of PostgreSQL stays on the large one, so that PostgreSQL lives."""
        with self.connect("postgres") as server:
            server.execute(f"CREATE TABLESPACE small LOCATION '{disk.tables}'".encode())
            server.execute(f"ALTER DATABASE {self._parameters.database} SET TABLESPACE small".encode())

    def start_proxy(self) -> None:
        self._proxy = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.proxy", str(self._proxy_port), f"{self.host}/.s.PGSQL.5432"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=partial(end_with_parent, os.getpid(), signal.SIGKILL),
        )
        self.do("forward")

    def do(self, command: str) -> None:
        """Give a command to the proxy, and wait until it is done; see proxy.py."""
        assert self._proxy is not None
        assert self._proxy.stdin is not None
        assert self._proxy.stdout is not None
        self._proxy.stdin.write(f"{command}\n")
        self._proxy.stdin.flush()
        if self._proxy.stdout.readline().strip() != command:
            raise RuntimeError(f"The proxy did not do “{command}”.")

    def signal_server(self, number: signal.Signals) -> None:
        """SIGINT restarts it as `pg_ctl restart -m fast` does; its guardian starts it again."""
        os.kill(self._find_server(), number)

    def kill_session(self) -> None:
        """Kill one server process with -9, so that PostgreSQL ends all sessions and recovers."""
        sessions = self.fetch(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        if sessions:
            os.kill(sessions[0].pid, signal.SIGKILL)

    def wait(self, seconds: float = 60) -> None:
        """Wait until the server answers the storm itself."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.value("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        if self._proxy is not None:
            self._proxy.kill()
            self._proxy.wait(10)

    def _find_server(self) -> int:
        return int((self._folder / "postgres/data/postmaster.pid").read_text().split()[0])
