"""The product's own processes, on the test's database and its sandbox."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection

PROJECT = Path(__file__).resolve().parents[1]


def environment(**extra: str) -> dict[str, str]:
    """What a process needs to be the product on this test's database."""
    database = connection.settings_dict
    host = quote(str(database["HOST"]), safe="")
    port = f":{database['PORT']}" if database["PORT"] else ""
    password = f":{quote(str(database['PASSWORD']), safe='')}" if database["PASSWORD"] else ""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        # What tests read in logs of processes is text.
        "LOG_FORMAT": "text",
        "DATA_DIR": str(settings.DATA_DIR),
        "DATABASE_URL": f"postgresql://{database['USER']}{password}@{host}{port}/{database['NAME']}",
        "SECRET_KEY": settings.SECRET_KEY,
        "TOKEN_ENCRYPTION_KEYS": ",".join(settings.TOKEN_ENCRYPTION_KEYS),
        "ALLOWED_HOSTS": "localhost",
        "PUBLIC_URL": "http://localhost",
        # The public address and the sandbox are http.
        "INSECURE": "1",
        "AMAZON_CLIENT_ID": settings.AMAZON_CLIENT_ID,
        "AMAZON_CLIENT_SECRET": settings.AMAZON_CLIENT_SECRET,
        "AMAZON_ADS_API_URL": settings.AMAZON_ADS_API_URL,
        "AMAZON_LWA_URL": settings.AMAZON_LWA_URL,
        "DB_POOL_MIN_SIZE": "1",
        # A measured test run measures the processes that it starts.
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
        **extra,
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(PROJECT / "manage.py"), *arguments]


def run(*arguments: str, stdin: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        input=stdin,
        env=environment(**extra),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        # `migrate` of an old database takes a while on a busy machine.
        timeout=300,
        check=False,
    )


class Process:
    """A running command, and what it wrote."""

    def __init__(self, *arguments: str, log: Path, **extra: str) -> None:
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command(*arguments), env=environment(**extra), cwd=PROJECT, stdout=file, stderr=file
            )
        self.pid = self._process.pid

    def output(self) -> str:
        return self.log.read_text()

    def wait_for(self, words: str, seconds: float = 60) -> None:
        eventually(lambda: words in self.output(), seconds, describe=self.output)

    def terminate(self) -> tuple[int, float]:
        """Send SIGTERM; return the exit status and how long it took."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=20), time.monotonic() - began

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(timeout=10)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None


@contextlib.contextmanager
def running(*arguments: str, log: Path, **extra: str) -> Iterator[Process]:
    process = Process(*arguments, log=log, **extra)
    try:
        yield process
    finally:
        if process.is_running:
            process.kill()


def eventually(
    condition: Callable[[], Any], seconds: float = 60, *, describe: Callable[[], str] = lambda: ""
) -> None:
    """Wait until the condition holds; fail when `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"It did not happen within {seconds} s. {describe()}"
        time.sleep(0.05)
