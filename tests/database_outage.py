"""A database that is really away: its sessions are ended, and no new ones are allowed until the outage ends."""

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import psycopg
import pytest
from django.db import connection, connections
from psycopg_pool import ConnectionPool

from amazon_accounts.postgresql.base import DatabaseWrapper
from amazon_accounts.postgresql.outages import OUTAGES

# How long a caller waits for a connection during the outage. Without it each of them would wait 5 s.
POOL_TIMEOUT_SECONDS = 0.2


def cut_connections() -> None:
    """End every session of the test's database, this process's own included, as a restart of PostgreSQL does."""
    with _maintenance_connection() as other:
        _end_sessions(other)
    connection.close()


class DatabaseOutage:
    """An outage that begins and ends when the test says so, or that lasts for a `with` block."""

    def __init__(self) -> None:
        self._timeout: float | None = None

    @property
    def is_on(self) -> bool:
        return self._timeout is not None

    def begin(self) -> None:
        pool = _pool()
        self._timeout, pool.timeout = pool.timeout, POOL_TIMEOUT_SECONDS
        with _maintenance_connection() as other:
            _allow_connections(other, allowed=False)
            _end_sessions(other)
        connection.close()

    def end(self) -> None:
        connection.close()
        if self._timeout is not None:
            _pool().timeout = self._timeout
        self._timeout = None
        # A new pool connects at once. The old one waits before it tries again. It is closed while the database is
        # still away, so that no statement meets a pool that closes when it should succeed.
        _database().close_pool()
        with _maintenance_connection() as other:
            _allow_connections(other, allowed=True)
        wait_for_the_end_of_outages()

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()


def wait_for_the_end_of_outages() -> None:
    """Wait until this process has noticed that the database works again."""
    deadline = time.monotonic() + 30
    while OUTAGES.is_on:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def database_outage(transactional_db: None) -> Iterator[DatabaseOutage]:
    """Cut the database off: `with database_outage: ...`, or `begin()` and `end()` at two moments of a test."""
    outage = DatabaseOutage()
    yield outage
    if outage.is_on:
        outage.end()
    # The outage may have ended in another thread, which leaves the dead connection of this one.
    connection.close()


def _database() -> DatabaseWrapper:
    database = connections["default"]
    assert isinstance(database, DatabaseWrapper)
    return database


def _pool() -> ConnectionPool[Any]:
    pool = _database().pool
    assert isinstance(pool, ConnectionPool)
    return pool


@contextlib.contextmanager
def _maintenance_connection() -> Iterator[psycopg.Connection[Any]]:
    """Connect to another database of the same server, which the outage leaves alone."""
    parameters = {
        name: value
        for name, value in connection.get_connection_params().items()
        if name in {"host", "port", "user", "password"}
    }
    with psycopg.connect(dbname="postgres", autocommit=True, **parameters) as other:
        yield other


def _allow_connections(other: psycopg.Connection[Any], *, allowed: bool) -> None:
    statement = psycopg.sql.SQL("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {allowed}").format(
        name=psycopg.sql.Identifier(str(connection.settings_dict["NAME"])),
        allowed=psycopg.sql.Literal(allowed),
    )
    other.execute(statement)


def _end_sessions(other: psycopg.Connection[Any]) -> None:
    """End all sessions of the test's database, and wait until they are gone."""
    # The first statement waits for no session, so that nobody can go on in a session that ends later.
    for timeout in (0, 5000):
        other.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE datname = %s",
            [timeout, connection.settings_dict["NAME"]],
        )
