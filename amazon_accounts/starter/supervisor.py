"""The supervisor: runs programs side by side, and starts a program again when it ends.

It ends all programs when it is asked to stop, or when a program without which nothing works keeps ending right after
its start. Any other program that keeps ending is tried again, and the others go on."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from amazon_accounts.starter.log import Log
from amazon_accounts.visible_text import escape_line

PROJECT = Path(__file__).resolve().parents[2]

TICK_SECONDS = 0.1
MAX_EARLY_EXITS = 5
# The database stops after the programs. Together they must end within 10 seconds.
STOP_SECONDS = 5
SETTLED_SECONDS = 3
KEPT_OUTPUT_LINES = 15


@dataclass(frozen=True)
class Program:
    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    # Without it nothing works.
    is_essential: bool = False


@dataclass(frozen=True)
class Patience:
    """In seconds."""

    # A program that ends sooner has not worked.
    early_exit: float = 10
    # How long a program that keeps ending waits for its next start.
    retry: float = 30


class Child:
    """One program and its current process."""

    def __init__(self, program: Program, log: Log, watchdog: "Watchdog", patience: Patience) -> None:
        self.program = program
        self.early_exits = 0
        self.last_output: deque[str] = deque(maxlen=KEPT_OUTPUT_LINES)
        self._log = log
        self._watchdog = watchdog
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._started_at = 0.0
        self._start_at = 0.0

    def start_when_due(self) -> None:
        if self._process is None and time.monotonic() >= self._start_at:
            self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self.program.command,
            cwd=PROJECT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.program.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # In a process group of its own, so that Ctrl-C reaches only the supervisor, which stops all in order.
            start_new_session=True,
        )
        self._watchdog.add(self._process.pid)
        self.last_output.clear()
        self._started_at = time.monotonic()
        self._reader = threading.Thread(target=self._copy_output, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _copy_output(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                text = escape_line(line.decode(errors="replace").rstrip())
                self.last_output.append(text)
                self._log.write(self.program.name, text)

    def reap(self) -> int | None:
        """The exit status if the process has ended since the last call, else None.

        Kills what is left of its process group and plans the next start."""
        if self._process is None or (status := self._process.poll()) is None:
            return None
        self.kill()
        if self._reader is not None:
            self._reader.join(1)
        self._watchdog.remove(self._process.pid)
        self._process = None
        is_early = time.monotonic() - self._started_at < self._patience.early_exit
        self.early_exits = self.early_exits + 1 if is_early else 0
        pause = self._patience.retry if self.keeps_ending else min(0.1 * 2**self.early_exits, 2)
        self._start_at = time.monotonic() + pause
        return status

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def keeps_ending(self) -> bool:
        return self.early_exits >= MAX_EARLY_EXITS

    def has_recovered(self) -> bool:
        """Whether a program that kept ending lives again. Forgets its exits."""
        if not self.keeps_ending or not self.is_running:
            return False
        if time.monotonic() - self._started_at < self._patience.early_exit:
            return False
        self.early_exits = 0
        return True

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def is_settled(self) -> bool:
        return self.is_running and time.monotonic() - self._started_at > SETTLED_SECONDS


class Watchdog:
    """Starts the watchdog process, tells it the process groups, and starts it again when it ends."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._process = self._start_process()

    def _start_process(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "amazon_accounts.starter.watchdog"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def add(self, group: int) -> None:
        self._groups.add(group)
        self._send(f"+{group}\n")

    def remove(self, group: int) -> None:
        self._groups.discard(group)
        self._send(f"-{group}\n")

    def restart_if_ended(self) -> None:
        if self._process.poll() is not None:
            self._process = self._start_process()
            for group in self._groups:
                self._send(f"+{group}\n")

    def end(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _send(self, line: str) -> None:
        if self._process.stdin is not None:
            # A new watchdog process gets all groups again, so a lost line does not matter.
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line)
                self._process.stdin.flush()


class Supervisor:
    def __init__(self, programs: list[Program], log: Log, patience: Patience | None = None) -> None:
        self._log = log
        self._watchdog = Watchdog()
        self._patience = patience or Patience()
        self._children = [Child(program, log, self._watchdog, self._patience) for program in programs]
        self._asked_to_stop = False
        self._failure = ""

    def ask_to_stop(self, *_: object) -> None:
        self._asked_to_stop = True

    def fail(self, reason: str) -> None:
        self._failure = self._failure or reason

    @property
    def is_running(self) -> bool:
        return not (self._asked_to_stop or self._failure)

    @property
    def is_settled(self) -> bool:
        return all(child.is_settled or child.keeps_ending for child in self._children)

    def keeps_ending(self, name: str) -> bool:
        return any(child.keeps_ending for child in self._children if child.program.name == name)

    def run(self, while_running: Callable[[], None] = lambda: None) -> str:
        """Keep the programs running until asked to stop. Returns the reason of a failure, or an empty string.

        `while_running` is called every TICK_SECONDS and must be quick.
        """
        try:
            while self.is_running:
                for child in self._children:
                    self._update(child)
                self._watchdog.restart_if_ended()
                while_running()
                time.sleep(TICK_SECONDS)
        finally:
            self._stop()
        return self._failure

    def _update(self, child: Child) -> None:
        name = child.program.name
        child.start_when_due()
        if child.has_recovered():
            self._log.write(name, f"{name} lives again")
        status = child.reap()
        if status is None:
            return
        exits = f"ended {child.early_exits} times right after its start ({_describe_status(status)})"
        if not child.keeps_ending:
            self._log.write(name, f"ended ({_describe_status(status)}); it is started again")
        elif child.program.is_essential:
            words = "\n".join(f"  {line}" for line in child.last_output)
            self.fail(f"{name} {exits}:\n{words}")
        else:
            self._log.write(
                name, f"no {name} lives: it {exits}; it is tried again in {self._patience.retry:g} seconds"
            )

    def _stop(self) -> None:
        for child in self._children:
            child.ask_to_stop()
        patience = time.monotonic() + STOP_SECONDS
        while any(child.is_running for child in self._children):
            if time.monotonic() > patience:
                for child in self._children:
                    child.kill()
            time.sleep(TICK_SECONDS / 2)
            for child in self._children:
                child.reap()
        self._watchdog.end()


def _describe_status(status: int) -> str:
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name
