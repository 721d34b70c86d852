"""Which scheduler leads: the one that holds an advisory lock, for one term.

A frozen leader keeps its lock, so a scheduler that stands by ends the sessions of a leader that has been silent for too
long. Whatever the frozen leader does when it wakes is fenced by its term, which is over.
"""

import logging
import threading
from types import TracebackType
from typing import Self

import psycopg
from django.conf import settings
from django.db import connection
from procrastinate.contrib.django.utils import connector_params

from amazon_accounts.postgresql.base import DatabaseWrapper
from amazon_accounts.postgresql.deadlines import Connection
from amazon_accounts.postgresql.outages import OUTAGES
from amazon_accounts.postgresql.statements import load

logger = logging.getLogger(__name__)

# Any number, but the same one in every scheduler of this database.
LEADER_LOCK = 0x616D7A_5C4ED
# A frozen process may hold the row of the lead in a transaction.
LOCK_TIMEOUT = "3s"
# A scheduler's statements are small. It must find back before another process counts it as silent.
SCHEDULER_DEADLINE_SECONDS = 10.0


class Leadership:
    """The lock, on a connection of its own that notices when the network is gone, and the term."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._one_at_a_time = threading.Lock()
        self._term: int | None = None
        # Why the last lead ended.
        self.loss = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.resign()

    def try_to_lead(self) -> bool:
        """Take the lead if nobody has it. End the sessions of a leader that has been silent for too long."""
        # While the database is away, no process leads.
        try:
            with self._one_at_a_time:
                if self._connection is None:
                    self._connection = _connect()
                self._term, self.loss = _take_lead(self._connection), ""
                if self._term is None:
                    _end_silent_leader(self._connection)
        except psycopg.Error as error:
            OUTAGES.note(error)
            logger.debug("No leader can be chosen: %s", error)
            self.resign()
        return self._term is not None

    def still_leads(self) -> bool:
        """Give a sign of life, and return whether the term is still ours."""
        # PostgreSQL gives the lock to another process when this connection is lost.
        try:
            with self._one_at_a_time:
                if self._connection is None or self._term is None:
                    return False
                signed = self._connection.execute(
                    "UPDATE tokens_schedulerlead SET seen_at = clock_timestamp() WHERE term = %s",
                    [self._term],
                )
        except psycopg.errors.AdminShutdown:
            return self._lose("Its sessions at the database were ended.")
        except psycopg.Error as error:
            return self._lose(OUTAGES.note(error) or "A statement failed.")
        return True if signed.rowcount else self._lose("Another one leads.")

    def _lose(self, reason: str) -> bool:
        # What follows the first reason only follows from it.
        self._term, self.loss = None, self.loss or reason
        return False

    def holds_term(self) -> bool:
        """Return whether the term is still ours. Nobody takes the next one before the caller's transaction ends."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM tokens_schedulerlead WHERE term = %s FOR SHARE", [self._term])
            return bool(cursor.rowcount)

    def resign(self) -> None:
        with self._one_at_a_time:
            self._term = None
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _take_lead(session: Connection) -> int | None:
    try:
        row = session.execute(load(__file__, "take_lead"), {"lock": LEADER_LOCK}).fetchone()
    except psycopg.errors.LockNotAvailable:
        return None
    return row[0] if row else None


def _end_silent_leader(session: Connection) -> None:
    try:
        ended = session.execute(
            load(__file__, "end_silent_leader"), {"silence": settings.LEADER_SILENCE}
        ).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        logger.error(  # noqa: TRY400
            "The leading scheduler is silent, and this one may not end its sessions: %s. Start all schedulers with "
            "the same role of the database, or stop the silent process.",
            error.diag.message_primary,
            extra={"action": "silent_leader_stays"},
        )
        return
    if ended and ended[0][0] != DatabaseWrapper.session_name:
        logger.warning(
            "The leading scheduler %s was silent for more than %d s. Its sessions were ended.",
            ended[0][0],
            settings.LEADER_SILENCE.total_seconds(),
            extra={"action": "silent_leader_ended"},
        )


def _connect() -> Connection:
    params = connector_params("default")
    session = Connection.connect(
        **{**params, "options": f"{params['options']} -c lock_timeout={LOCK_TIMEOUT}"}, autocommit=True
    )
    session.deadline = SCHEDULER_DEADLINE_SECONDS
    return session
