"""Connections that end when the database is silent: a statement without an answer after `DB_SILENCE_SECONDS` fails.

Keepalives and `tcp_user_timeout` notice a network that drops packets. They do not notice a proxy that still acknowledges
what it no longer forwards, or a server that is frozen.
"""

import math
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from django.conf import settings

Result = TypeVar("Result")

SENTENCE = "the database was silent for too long"


class _Limit:
    is_on = True


@contextmanager
def no_deadlines() -> Iterator[None]:
    """Let statements take as long as they need, in this whole process."""
    before, _Limit.is_on = _Limit.is_on, False
    try:
        yield
    finally:
        _Limit.is_on = before


def _find_limit(deadline: float | None) -> float | None:
    seconds: float = deadline or settings.DB_SILENCE_SECONDS
    return seconds if seconds and _Limit.is_on else None


class Connection(psycopg.Connection[Any]):
    # Seconds, if another time than DB_SILENCE_SECONDS shall count.
    deadline: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        limit = _find_limit(self.deadline) if timeout is None else timeout
        try:
            return super().wait(gen, interval=interval, timeout=limit)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001  # a test holds it
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(SENTENCE) from None


class AsyncConnection(psycopg.AsyncConnection[Any]):
    deadline: float | None = None

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        limit = _find_limit(self.deadline) if timeout is None else timeout
        try:
            return await super().wait(gen, interval=interval, timeout=limit)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(SENTENCE) from None

    def notifies(
        self, *, timeout: float | None = None, stop_after: int | None = None
    ) -> AsyncGenerator[psycopg.Notify]:
        # Nothing may happen for long on a connection that listens.
        return super().notifies(timeout=math.inf if timeout is None else timeout, stop_after=stop_after)
