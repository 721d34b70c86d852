"""Runs programs side by side until told to stop: starts again what dies, gives up on what keeps dying."""

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

from amazon_accounts.starter.log import Log

PROJECT = Path(__file__).resolve().parents[2]

TICK_SECONDS = 0.1
EARLY_DEATH_SECONDS = 10
MOST_EARLY_DEATHS = 5
# With what the database needs afterwards, all is gone within 10 seconds.
STOP_SECONDS = 5
SETTLED_SECONDS = 3
LAST_WORDS = 15


@dataclass(frozen=True)
class Program:
    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


class Child:
    """One program, through all its lives."""

    def __init__(self, program: Program, log: Log, watchdog: "Watchdog") -> None:
        self.program = program
        self.early_deaths = 0
        self.last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self._log = log
        self._watchdog = watchdog
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
            # A group of its own: Ctrl-C reaches only the supervisor, which stops things in order.
            start_new_session=True,
        )
        self._watchdog.add(self._process.pid)
        self.last_words.clear()
        self._started_at = time.monotonic()
        self._reader = threading.Thread(target=self._copy_output, args=(self._process,), daemon=True)
        self._reader.start()

    def _copy_output(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - it was opened with a pipe
        for line in process.stdout:
            text = line.decode(errors="replace").rstrip()
            self.last_words.append(text)
            self._log.write(self.program.name, text)
        process.stdout.close()

    def bury(self) -> int | None:
        """Its exit status if it just ended; what is left of its group is killed, and its next start planned."""
        if self._process is None or (status := self._process.poll()) is None:
            return None
        self.kill()
        if self._reader is not None:
            self._reader.join(1)
        self._watchdog.remove(self._process.pid)
        self._process = None
        is_early = time.monotonic() - self._started_at < EARLY_DEATH_SECONDS
        self.early_deaths = self.early_deaths + 1 if is_early else 0
        self._start_at = time.monotonic() + min(0.1 * 2**self.early_deaths, 2)
        return status

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def runs(self) -> bool:
        return self._process is not None

    @property
    def is_settled(self) -> bool:
        return self.runs and time.monotonic() - self._started_at > SETTLED_SECONDS


class Watchdog:
    """Our line to the watchdog process, which is started again should it die."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._process = self._begin()

    def _begin(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "amazon_accounts.starter.watchdog"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def add(self, group: int) -> None:
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def look_after(self) -> None:
        if self._process.poll() is not None:
            self._process = self._begin()
            for group in self._groups:
                self._tell(f"+{group}\n")

    def end(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            # A dead watchdog is told everything again when its successor begins.
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line)
                self._process.stdin.flush()


class Supervisor:
    def __init__(self, programs: list[Program], log: Log) -> None:
        self._log = log
        self._watchdog = Watchdog()
        self._children = [Child(program, log, self._watchdog) for program in programs]
        self._asked_to_stop = False
        self._failure = ""

    def ask_to_stop(self, *_: object) -> None:
        """Also a signal handler; being asked twice changes nothing."""
        self._asked_to_stop = True

    def fail(self, reason: str) -> None:
        """End everything, with this reason."""
        self._failure = self._failure or reason

    @property
    def runs(self) -> bool:
        return not (self._asked_to_stop or self._failure)

    @property
    def is_settled(self) -> bool:
        """Whether all programs have been running for long enough to have failed if they must."""
        return all(child.is_settled for child in self._children)

    def run(self, while_running: Callable[[], None] = lambda: None) -> str:
        """Keep the programs running until asked to stop; the reason if one of them is why it ended.

        `while_running` is called some times a second and must be quick.
        """
        try:
            while self.runs:
                for child in self._children:
                    self._attend(child)
                self._watchdog.look_after()
                while_running()
                time.sleep(TICK_SECONDS)
        finally:
            self._stop()
        return self._failure

    def _attend(self, child: Child) -> None:
        child.start_when_due()
        status = child.bury()
        if status is None:
            return
        name = child.program.name
        if child.early_deaths == MOST_EARLY_DEATHS:
            words = "\n".join(f"  {line}" for line in child.last_words)
            self.fail(
                f"{name} ended {MOST_EARLY_DEATHS} times right after its start ({_told(status)}):\n{words}"
            )
        else:
            self._log.write(name, f"ended ({_told(status)}); it is started again")

    def _stop(self) -> None:
        for child in self._children:
            child.ask_to_stop()
        patience = time.monotonic() + STOP_SECONDS
        while any(child.runs for child in self._children):
            if time.monotonic() > patience:
                for child in self._children:
                    child.kill()
            time.sleep(TICK_SECONDS / 2)
            for child in self._children:
                child.bury()
        self._watchdog.end()


def _told(status: int) -> str:
    return f"exit status {status}" if status >= 0 else signal.Signals(-status).name
