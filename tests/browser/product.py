"""The running product, as `make run` starts it, on ports and data of its own."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = "only-for-these-tests"
START_SECONDS = 180
STOP_SECONDS = 30


@dataclass(frozen=True)
class Product:
    url: str
    environ: dict[str, str]
    password: str = PASSWORD
    user_name: str = "admin"

    def manage(self, *arguments: str, text: str = "") -> str:
        """Run a command of the product, as in a second shell."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env=self.environ,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout


@contextmanager
def running_product(data_dir: Path, **environ: str) -> Iterator[Product]:
    """Start everything with the demo's Amazon, wait until it can be used, and stop it at the end."""
    port, sandbox_port = free_port(), free_port()
    # Settings of the shell must not reach the product: it could use a real database or the real Amazon.
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    environ = {
        **kept,
        "DATA_DIR": str(data_dir),
        "PORT": str(port),
        "SANDBOX_PORT": str(sandbox_port),
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "AMAZON_REQUESTS_PER_SECOND": "50",
        "AMAZON_BURST": "200",
        **environ,
    }
    log = data_dir.with_name(f"{data_dir.name}.log")
    with log.open("w") as output:
        starter = subprocess.Popen(
            [sys.executable, "-u", "-m", "amazon_accounts.starter"],
            cwd=PROJECT, env=environ, stdout=subprocess.PIPE, stderr=output, text=True,
        )  # fmt: skip
    try:
        _wait(starter, log)
        yield Product(f"http://localhost:{port}", environ)
    finally:
        starter.send_signal(signal.SIGTERM)
        try:
            starter.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            starter.kill()
            raise


def _wait(starter: "subprocess.Popen[str]", log: Path) -> None:
    """Wait for the last of the three lines that the starter prints when all runs."""
    assert starter.stdout is not None
    impatience = threading.Timer(START_SECONDS, starter.kill)
    impatience.start()
    try:
        for line in starter.stdout:
            if line.startswith("Password:"):
                return
    finally:
        impatience.cancel()
    raise RuntimeError(f"The product did not start:\n{log.read_text()[-4000:]}")
