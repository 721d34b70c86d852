"""What is wrong with the database, in plain words, and the log of it: once when it begins, once when it is over."""

import logging
import re
import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError, connections

from amazon_accounts.postgresql.deadlines import Connection
from amazon_accounts.postgresql.statements import load

logger = logging.getLogger(__name__)

AWAY = "The database does not answer."
FULL = "The database's disk is full."
READ_ONLY = "The database is read-only."
CROWDED = "The database has too many connections."

CAUSES = {"53100": FULL, "25006": READ_ONLY, "53300": CROWDED}
# Connection exceptions, and the errors of a server that stops, starts or crashes.
AWAY_STATES = ("08", "57P")
# Deadlocks and the like, lack of memory or of another resource, a statement that was cancelled, errors of the system.
PASSING_STATES = ("40", "53", "55", "57", "58")
# libpq gives only the text of a refused connection, without its SQLSTATE, and the server refuses before it reads a
# lc_messages of ours: its own decides. In another language the cause is "does not answer", which is treated alike, and the
# log repeats the text of the server.
REFUSALS = (
    (re.compile(r"too many (clients|connections)|connection slots are reserved"), CROWDED),
    (re.compile(r"No space left on device"), FULL),
)

PROBE_SECONDS = 2.0
WATCH_SECONDS = 1.0
# A connection pool that has been useless for this time is replaced.
PATIENCE_SECONDS = 30.0
# How long an answer waits for the first probe to tell the cause.
EXPLANATION_SECONDS = 1.0


def find_cause(error: BaseException | None) -> str | None:
    """Return what is wrong with the database, or None if the error, or what caused it, has another reason."""
    while error is not None:
        if isinstance(error, psycopg.Error) and (cause := _name_cause(error)):
            return cause
        # Django's error stands for psycopg's error even where that was lost on the way.
        if isinstance(error, OperationalError | InterfaceError) and error.__cause__ is None:
            return AWAY
        error = error.__cause__
    return None


def _name_cause(error: psycopg.Error) -> str | None:
    if isinstance(error, psycopg.InterfaceError):
        return AWAY
    if error.sqlstate:
        return CAUSES.get(error.sqlstate) or (AWAY if error.sqlstate.startswith(AWAY_STATES) else None)
    if not isinstance(error, psycopg.OperationalError):
        return None
    text = str(error)
    return next((cause for words, cause in REFUSALS if words.search(text)), AWAY)


def is_outage(error: BaseException) -> bool:
    return find_cause(error) is not None


def is_passing(error: BaseException | None) -> bool:
    """Return whether the database refused a statement that it may take later, though it works."""
    while error is not None:
        if isinstance(error, psycopg.Error) and error.sqlstate:
            return error.sqlstate.startswith(PASSING_STATES)
        error = error.__cause__
    return False


@dataclass(frozen=True)
class Trouble:
    cause: str
    detail: str


def probe(*, writes: bool = True) -> Trouble | None:
    """Ask the database on a new connection whether it can be read and written, which takes 4 seconds at most."""
    parameters: dict[str, Any] = connections["default"].get_connection_params()
    try:
        session = Connection.connect(**{**parameters, "connect_timeout": 2})
        session.deadline = PROBE_SECONDS
        try:
            row = session.execute("SELECT current_setting('transaction_read_only')").fetchone()
            if row == ("on",):
                return Trouble(READ_ONLY, "transaction_read_only is on")
            if writes:
                session.execute(load(__file__, "probe_write"))
            # PgBouncer would end the session of a client that leaves in the middle of a transaction.
            session.rollback()
        finally:
            session.close()
    except psycopg.Error as error:
        # A role that may make no temporary table can still write.
        cause = find_cause(error)
        return Trouble(cause, to_one_line(error)) if cause else None
    return None


def to_one_line(error: BaseException) -> str:
    # Further lines may repeat the data of a statement.
    return " ".join(str(error).partition("\n")[0].split())


class Outages:
    """The outage of the database that this process knows of. A thread asks the database until it is over."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._explained = threading.Event()
        self._cause: str | None = None
        self._said: set[Hashable] = set()
        self._left_out = 0
        self._is_watching = True
        self.is_on = False

    def note(self, error: BaseException) -> str | None:
        """Return the cause if the error means an outage, and begin to watch the database."""
        cause = find_cause(error)
        if cause:
            self.begin()
        return cause

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Let a short command report an outage itself, in one line."""
        before, self._is_watching = self._is_watching, False
        try:
            yield
        finally:
            self._is_watching = before

    def begin(self) -> None:
        with self._lock:
            if self.is_on or not self._is_watching:
                return
            self.is_on = True
        threading.Thread(target=self._watch, name="outage", daemon=True).start()

    def explain(self, error: BaseException) -> str:
        """Return what is wrong in one sentence for people."""
        cause = self.note(error)
        if cause in {None, AWAY} and self.is_on:
            # A pool says only that it got no connection. A new connection tells why.
            self._explained.wait(EXPLANATION_SECONDS)
            cause = self._cause
        return cause or AWAY

    def is_repeated(self, place: Hashable) -> bool:
        """Return whether a line of this place was logged already since the outage began."""
        with self._lock:
            if place in self._said:
                self._left_out += 1
                return True
            self._said.add(place)
            return False

    def _watch(self) -> None:
        began = time.monotonic()
        try:
            self._wait_for_the_end(began)
        finally:
            with self._lock:
                was_logged, left_out = self._cause is not None, self._left_out
                self._cause, self._left_out, self.is_on = None, 0, False
                self._said.clear()
                # Who waits for an explanation goes on.
                self._explained.set()
                self._explained.clear()
        if was_logged:
            logger.warning(
                "The database works again after %.0f s.%s",
                time.monotonic() - began,
                f" {left_out} repeated lines were left out of the log." if left_out else "",
                extra={"action": "database_outage_over"},
            )

    def _wait_for_the_end(self, began: float) -> None:
        has_new_pool = False
        while trouble := probe():
            if trouble.cause != self._cause:
                self._cause = trouble.cause
                logger.warning("%s (%s)", trouble.cause, trouble.detail, extra={"action": "database_outage"})
            self._explained.set()
            if not has_new_pool and time.monotonic() - began > self._patience_seconds:
                has_new_pool = True
                logger.warning(
                    "The outage of the database lasts for more than %d s. All connections are opened anew.",
                    self._patience_seconds,
                )
                open_connections_anew()
            time.sleep(WATCH_SECONDS)


def open_connections_anew() -> None:
    database: Any = connections["default"]
    database.close_pool()


OUTAGES = Outages()


class OutageFilter(logging.Filter):
    """Makes one line of each failure that an outage of the database caused, and leaves out its repetitions."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = _find_error(record)
        if error is None or OUTAGES.note(error) is None:
            # Django logs each answer 503, and load balancers ask /readyz every few seconds.
            is_answer = (
                OUTAGES.is_on and getattr(record, "status_code", None) == HTTPStatus.SERVICE_UNAVAILABLE
            )
            return not (is_answer and OUTAGES.is_repeated((record.pathname, record.lineno)))
        if record.exc_info:
            record.msg, record.args = f"{record.getMessage()}: {to_one_line(error)}", ()
            record.exc_info = record.exc_text = None
        elif isinstance(record.args, tuple):
            record.args = tuple(to_one_line(part) if part is error else part for part in record.args)
        return not OUTAGES.is_repeated((record.pathname, record.lineno))


def _find_error(record: logging.LogRecord) -> BaseException | None:
    if record.exc_info:
        return record.exc_info[1]
    args = record.args if isinstance(record.args, tuple) else ()
    return next((part for part in args if isinstance(part, BaseException)), None)
