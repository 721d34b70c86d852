"""A process that was told to stop ends in time, whatever its main thread does."""

import signal
import subprocess
import sys
import time

import pytest

BEGIN = """
import sys, threading, time
from tokens.processes.ending import stop_on_signals
stopped = threading.Event()
stop_on_signals(stopped.set)
print("ready", flush=True)
"""
ENDS = "stopped.wait()"
WAITS_FOR_EVER = (
    "stopped.wait(); threading.Lock().acquire(); lock = threading.Lock(); lock.acquire(); lock.acquire()"
)
# What hangs while the interpreter is taken down, when no thread of Python's runs any more.
HANGS_AT_THE_END = """
class Hanging:
    def __del__(self, sleep=time.sleep):
        sleep(60)
hanging = Hanging()
stopped.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("program", "status", "at_least", "at_most"),
    [(ENDS, 0, 0.0, 3.0), (WAITS_FOR_EVER, 0, 4.0, 4.9), (HANGS_AT_THE_END, 1, 4.5, 5.5)],
    ids=["by itself", "stuck", "hanging at the end"],
)
def test_it_ends_in_time(
    program: str, status: int, at_least: float, at_most: float, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    began = time.monotonic()
    _, errors = process.communicate(timeout=30)
    seconds = time.monotonic() - began
    assert process.returncode == status, errors
    # A busy machine may need longer.
    assert at_least <= seconds <= at_most + 3
