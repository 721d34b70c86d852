"""The embedded PostgreSQL of local mode: each process that uses it calls `ensure_running`.

A process that uses the server holds a shared lock until the process ends. The guardian stops the server when no process
holds that lock.
"""

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.starter.cluster import (
    DATABASE,
    GAVE_UP,
    PORT,
    USER,
    Cluster,
    find_programs,
    repeat_every,
)

# A crash with a full write-ahead log can take minutes to recover from.
MAX_START_SECONDS = 300
EXPLAIN_AFTER_SECONDS = 5
MAX_GUARDIANS = 3
# The kernel's limit for the path of a socket is 107 bytes.
MAX_SOCKET_PATH_BYTES = 100

PROJECT = Path(__file__).resolve().parents[2]


class EmbeddedPostgresError(ImproperlyConfigured):
    """The embedded PostgreSQL cannot be used. The message says in one line why, and what to do."""


@dataclass(frozen=True)
class ConnectionParameters:
    host: str
    port: int = PORT
    user: str = USER
    database: str = DATABASE


@dataclass(frozen=True)
class _Use:
    """The lock by which this process uses a server, and the server's address."""

    lock: int
    host: str


_uses: dict[Path, _Use] = {}


def django_database(data_dir: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE,
        "USER": USER,
        "HOST": str(Cluster.under(data_dir).run),
        "PORT": str(PORT),
    }


def ensure_running(data_dir: Path) -> ConnectionParameters:
    """Start the server under this folder unless it runs, and return when it answers. It runs until this process ends.

    Raises EmbeddedPostgresError. May be called again, for example to restart a server whose guardian was
    killed.
    """
    cluster = Cluster.under(data_dir)
    try:
        if cluster.folder not in _uses:
            _prepare(cluster)
            _uses[cluster.folder] = _begin_use(cluster)
        host = _uses[cluster.folder].host
        _wait_until_ready(cluster, host)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"DATA_DIR {data_dir} cannot be used ({error.strerror}: {error.filename}). "
            "Set DATA_DIR to a folder that you may write."
        ) from error
    return ConnectionParameters(host)


def is_guarded(data_dir: Path) -> bool:
    lock = Cluster.under(data_dir).try_lock("guardian", fcntl.LOCK_SH)
    if lock is None:
        return True
    os.close(lock)
    return False


def end_use(data_dir: Path) -> None:
    """Give up this process's use of the server, and wait until the server has stopped or others use it."""
    cluster = Cluster.under(data_dir)
    use = _uses.pop(cluster.folder, None)
    if use is None:
        return
    os.close(use.lock)
    for _ in repeat_every(0.05, 10):
        if not is_guarded(data_dir) or _is_used(cluster):
            return


def _is_used(cluster: Cluster) -> bool:
    # The guardian holds this lock exclusively while it stops the server, users hold it shared. A shared attempt
    # tells the two apart.
    lock = cluster.try_lock("users", fcntl.LOCK_SH)
    if lock is None:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _prepare(cluster: Cluster) -> None:
    if find_programs() is None:
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL is not installed. Run `make install`, or set DATABASE_URL."
        )
    cluster.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = cluster.folder.stat().st_uid
    if owner != os.geteuid():
        raise EmbeddedPostgresError(
            f"{cluster.folder} belongs to user id {owner}, but this is user id {os.geteuid()}. "
            "Run as that user, or set DATA_DIR to another folder."
        )
    (cluster.folder / "run").mkdir(mode=0o700, exist_ok=True)


def _begin_use(cluster: Cluster) -> _Use:
    # The lock is refused while a guardian stops the server, which takes seconds.
    lock = cluster.wait_for_lock("users", fcntl.LOCK_SH, 60)
    if lock is None:
        raise EmbeddedPostgresError(
            f"The PostgreSQL in {cluster.folder} is being stopped and does not end. See {cluster.log}."
        )
    return _Use(lock, _find_host(cluster))


def _find_host(cluster: Cluster) -> str:
    # A PostgreSQL client limits the path of a socket.
    plain = str(cluster.run)
    # In a connection string, a comma separates two hosts.
    if len(os.fsencode(cluster.socket)) <= MAX_SOCKET_PATH_BYTES and "," not in plain:
        return plain
    if sys.platform != "linux":
        raise EmbeddedPostgresError(
            f"The path {plain} is too long, or has a comma. Set DATA_DIR to a shorter one."
        )
    # Not /proc/self, which in a child (psql of `dbshell`) is another process.
    return f"/proc/{os.getpid()}/fd/{os.open(cluster.run, os.O_RDONLY | os.O_DIRECTORY)}"


def _wait_until_ready(cluster: Cluster, host: str) -> None:
    guardians, explained = 0, False
    for waited in repeat_every(0.05, MAX_START_SECONDS):
        if (lock := cluster.try_lock("guardian", fcntl.LOCK_EX)) is not None:
            if guardians == MAX_GUARDIANS or (guardians and GAVE_UP in cluster.last_line()):
                os.close(lock)
                raise EmbeddedPostgresError(
                    f"The embedded PostgreSQL does not start: {cluster.last_line(GAVE_UP)} (from {cluster.log})."
                )
            _start_guardian(cluster, lock)
            guardians += 1
        if _answers(host):
            return
        if waited > EXPLAIN_AFTER_SECONDS and not explained:
            sys.stderr.write(f"Waiting for the embedded PostgreSQL; {cluster.log} shows what it does.\n")
            explained = True
    raise EmbeddedPostgresError(
        f"The embedded PostgreSQL did not answer within {MAX_START_SECONDS} seconds. See {cluster.log}; "
        "if it still recovers from a crash, try again later."
    )


def _start_guardian(cluster: Cluster, lock: int) -> None:
    # The guardian gets the lock from this process, so that no second guardian can start in between.
    kept = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR")
    log = cluster.open_log()
    try:
        subprocess.run(
            [sys.executable, "-m", "amazon_accounts.starter.guardian", str(cluster.folder.parent), str(lock)],
            cwd=PROJECT,
            # The environment contains secrets that the database must not get.
            env={name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
            check=False,
        )
    finally:
        os.close(log)
        os.close(lock)


def _answers(host: str) -> bool:
    try:
        psycopg.connect(host=host, port=PORT, user=USER, dbname=DATABASE, connect_timeout=10).close()
    except psycopg.OperationalError:
        return False
    return True
