"""The processes of the product: started, killed, frozen, and started again."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from amazon_accounts.starter.unprivileged import end_with_parent

PROJECT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 25.0
NO_DATABASE = "Error: The database that DATABASE_URL names does not answer"


class Program:
    """One program of the product. Its processes follow one after another; each writes to the same log."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.command = command
        self.environment = environment
        self.tree = PROJECT
        self.log = folder / f"{name}.log"
        self.kills = 0
        self.freezes = 0
        # Processes that ended though nobody ended them.
        self.unexpected_ends: list[str] = []
        self.started_at = 0.0
        self.frozen = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.tree,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Nothing is left when the storm itself is killed. Programs are started by the main thread alone.
                preexec_fn=partial(end_with_parent, os.getpid(), signal.SIGKILL),
            )
        self.started_at = time.monotonic()
        self.frozen = False

    def kill(self) -> None:
        """End it with -9, its children too."""
        self.kills += 1
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> float:
        """Ask it to end with SIGTERM; return the seconds that it took. It is killed when it takes too long."""
        began = time.monotonic()
        if self.frozen:
            self.thaw()
        if self._process is not None and self.is_running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        seconds = time.monotonic() - began
        self._signal(signal.SIGKILL)
        self._wait()
        return seconds

    def freeze(self) -> None:
        self.freezes += 1
        self.frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.frozen = False
        self._signal(signal.SIGCONT)

    def look(self) -> None:
        """Start it again if it has ended by itself. That is noted, unless it found no database at its start."""
        if self._process is not None and not self.is_running:
            last_line = self.tail().strip().rpartition("\n")[2]
            if not last_line.startswith(NO_DATABASE):
                self.unexpected_ends.append(f"{self.name} ended with status {self._process.returncode}")
            self._signal(signal.SIGKILL)
            self.start()

    def tail(self, characters: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _wait(self) -> None:
        if self._process is not None:
            self._process.wait(10)
        self._process = None


class Fleet:
    """All programs of the product."""

    def __init__(self, folder: Path, environment: dict[str, str], port: int) -> None:
        self._folder = folder
        self._environment = environment
        self.port = port
        self.programs: list[Program] = []

    def add(self, name: str, *command: str, **environment: str) -> Program:
        program = Program(name, [sys.executable, *command], self._environment | environment, self._folder)
        self.programs.append(program)
        return program

    def add_web(self) -> Program:
        return self.add(
            "web",
            "-m",
            "amazon_accounts.server",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--workers",
            "1",
        )

    def of(self, kind: str) -> list[Program]:
        return [program for program in self.programs if program.kind == kind]

    def __iter__(self) -> Iterator[Program]:
        return iter(self.programs)

    def use_tree(self, tree: Path) -> None:
        """Run the code of this folder from the next start on."""
        for program in self.programs:
            program.tree = tree

    def manage(self, *arguments: str, tree: Path = PROJECT, stdin: str = "") -> str:
        """Run a command of manage.py to its end; return its output."""
        return self.run("manage.py", *arguments, tree=tree, stdin=stdin)

    def run(self, *command: str, tree: Path = PROJECT, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tree,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-3000:]}")
        return done.stdout

    def stop(self) -> None:
        for program in self.programs:
            program.stop()
