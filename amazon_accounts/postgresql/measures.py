"""What the processes count and time, added up in the database.

Each web, worker and scheduler process counts in its memory, and a thread adds its counts to those of all others every few
seconds. So every web process can tell Prometheus the totals of all processes on all machines, and no total falls when a
process ends. What a killed process has not written yet is lost: a few seconds of its counts.
"""

import json
import logging
import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, connections

from amazon_accounts.postgresql.outages import OUTAGES
from amazon_accounts.postgresql.statements import load

logger = logging.getLogger(__name__)

WRITE_SECONDS: Final = 10.0
# The parts of a measure that is timed: one for each bound, one for what is longer, and the sum.
LONGER, SUM = "+Inf", "sum"
# The only part of what is counted.
TOTAL: Final = "total"

Key = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Measure:
    name: str
    text: str
    labels: tuple[str, ...]
    # Upper bounds in seconds of what is timed; nothing for what is only counted.
    bounds: tuple[float, ...] = ()

    def count(self, *values: str, number: float = 1) -> None:
        if number:
            _UNWRITTEN.add({self._key(values, TOTAL): number})

    def time(self, seconds: float, *values: str) -> None:
        place = bisect_left(self.bounds, seconds)
        part = str(self.bounds[place]) if place < len(self.bounds) else LONGER
        _UNWRITTEN.add({self._key(values, part): 1, self._key(values, SUM): max(seconds, 0.0)})

    def _key(self, values: tuple[str, ...], part: str) -> Key:
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {values}.")
        return self.name, json.dumps([str(value) for value in values]), part


class _Unwritten:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Key] = Counter()

    def add(self, counts: dict[Key, float]) -> None:
        with self._lock:
            for key, number in counts.items():
                self._counts[key] += number  # type: ignore[assignment]  # Counter is typed for whole numbers

    def take(self) -> dict[Key, float]:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return dict(counts)


_UNWRITTEN = _Unwritten()


def write_measures() -> None:
    """Add what this process has counted to the totals. If the database is away, it is added the next time."""
    counts = _UNWRITTEN.take()
    if not counts:
        return
    # All processes write in this order, so that no two of them wait for each other.
    keys = sorted(counts)
    parameters: dict[str, list[Any]] = {
        "names": [name for name, _, _ in keys],
        "labels": [labels for _, labels, _ in keys],
        "parts": [part for _, _, part in keys],
        "values": [float(counts[key]) for key in keys],
    }
    try:
        with connection.cursor() as cursor:
            cursor.execute(load(__file__, "add_measures"), parameters)
    except BaseException:
        _UNWRITTEN.add(counts)
        raise


def read_measures() -> dict[str, dict[tuple[str, ...], dict[str, float]]]:
    """Return the totals of all processes: by measure, values of its labels, and part."""
    totals: dict[str, dict[tuple[str, ...], dict[str, float]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "read_measures"))
        for name, labels, part, value in cursor:
            totals.setdefault(name, {}).setdefault(tuple(json.loads(labels)), {})[part] = value
    return totals


class MeasureWriter:
    """The thread that writes what this process counts."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="measures", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._stopping.wait(WRITE_SECONDS)
            if not OUTAGES.is_on:
                self._write()

    def _write(self) -> None:
        try:
            write_measures()
        except Exception as error:  # whatever is wrong, the next try is made
            if OUTAGES.note(error) is None:
                logger.exception("What this process has counted could not be written.")
        finally:
            connections.close_all()


SHORT: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONG: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)

REQUESTS: Final = Measure(
    name="http_request_seconds",
    text="Requests to web by the pattern of their address",
    labels=("method", "route", "status"),
    bounds=SHORT,
)
CALLS: Final = Measure(
    name="amazon_call_seconds",
    text="Attempts of calls to Amazon, from the request to the whole answer",
    labels=("region", "family", "outcome"),
    bounds=(*SHORT[3:], 30.0, 60.0),
)
REFRESHES: Final = Measure(
    name="token_refresh_seconds",
    text="Refreshes of access tokens by outcome",
    labels=("outcome",),
    bounds=(*SHORT[3:], 30.0, 60.0),
)
SYNCS: Final = Measure(
    name="sync_seconds",
    text="Syncs from their last start to their end, by state",
    labels=("state",),
    bounds=LONG,
)
SYNCED: Final = Measure(
    name="synced_accounts", text="Accounts that syncs have read, by what became of them", labels=("result",)
)
BATCHES: Final = Measure(
    name="batch_seconds",
    text="Batch operations from their start to their end",
    labels=("operation", "state"),
    bounds=LONG,
)
BATCH_ITEMS: Final = Measure(
    name="batch_items", text="Items of batch operations by result", labels=("operation", "result")
)
JOBS: Final = Measure(
    name="job_seconds", text="Tasks of workers by outcome", labels=("task", "outcome"), bounds=LONG
)

MEASURES: Final = (REQUESTS, CALLS, REFRESHES, SYNCS, SYNCED, BATCHES, BATCH_ITEMS, JOBS)
