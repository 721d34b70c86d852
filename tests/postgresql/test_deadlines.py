"""Connections that end when the database is silent."""

import asyncio
import sys
import time
from typing import Any

import psycopg
import pytest
from django.core.management import get_commands
from django.db import OperationalError, connection, connections

from amazon_accounts.postgresql.base import SERVER_OPTIONS
from amazon_accounts.postgresql.deadlines import SENTENCE, AsyncConnection, Connection, no_deadlines
from tests.database_outage import wait_for_the_end_of_outages
from tests.half_open_proxy import HalfOpenProxy, through
from tokens.processes.leadership import Leadership

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def short_silence(settings: Any) -> None:
    settings.DB_SILENCE_SECONDS = 0.5


def parameters() -> dict[str, Any]:
    chosen = connection.get_connection_params()
    return {name: chosen[name] for name in chosen if name not in {"cursor_factory", "context"}}


def test_a_statement_without_an_answer_ends_its_connection(half_open_proxy: HalfOpenProxy) -> None:
    with Connection.connect(half_open_proxy.database_url) as session:
        session.execute("SELECT 1")
        half_open_proxy.freeze()
        with pytest.raises(psycopg.OperationalError, match=SENTENCE):
            session.execute("SELECT 1")
        assert session.closed


@pytest.mark.skipif(sys.platform != "linux", reason="The socket filter is one of Linux.")
def test_the_kernel_ends_a_connection_whose_packets_are_dropped(
    half_open_proxy: HalfOpenProxy, settings: Any
) -> None:
    settings.DB_SILENCE_SECONDS = 0
    # The time of production would be 15 s.
    assert "tcp_user_timeout" in parameters()
    with through(half_open_proxy.port):
        lost = Connection.connect(**{**parameters(), "tcp_user_timeout": 1500})
        with lost:
            lost.execute("SELECT 1")
            half_open_proxy.drop_packets()
            with pytest.raises(psycopg.OperationalError, match="timed out"):
                lost.execute("SELECT 1")


def test_migrate_waits_as_long_as_it_needs() -> None:
    assert get_commands()["migrate"] == "tokens"


def test_so_does_one_of_an_asynchronous_connection(half_open_proxy: HalfOpenProxy) -> None:
    async def ask() -> bool:
        session = await AsyncConnection.connect(half_open_proxy.database_url)
        await session.execute("SELECT 1")
        half_open_proxy.freeze()
        with pytest.raises(psycopg.OperationalError, match=SENTENCE):
            await session.execute("SELECT 1")
        return session.closed

    assert asyncio.run(ask())


def test_a_timeout_that_the_caller_gives_counts_instead() -> None:
    # The class catches a private exception of psycopg, which must go on to who gave the timeout.
    with Connection.connect(**parameters()) as session:
        assert list(session.notifies(timeout=0.1)) == []
        assert not session.closed


def test_a_connection_that_listens_may_be_silent() -> None:
    async def listen() -> str:
        async with await AsyncConnection.connect(**parameters(), autocommit=True) as session:
            await session.execute("LISTEN something")
            asyncio.get_running_loop().call_later(1.2, notify)
            async for notification in session.notifies():
                return notification.channel
        return ""

    def notify() -> None:
        with psycopg.connect(**parameters(), autocommit=True) as other:
            other.execute("NOTIFY something")

    assert asyncio.run(listen()) == "something"


def test_a_migration_may_take_long() -> None:
    with Connection.connect(**parameters()) as session:
        with no_deadlines():
            session.execute("SELECT pg_sleep(0.8)")
        with pytest.raises(psycopg.OperationalError, match=SENTENCE):
            session.execute("SELECT pg_sleep(10)")


def test_the_pool_and_the_lock_of_the_scheduler_have_deadlines() -> None:
    connection.ensure_connection()
    assert isinstance(connection.connection, Connection)
    connections.close_all()
    with Leadership() as leadership:
        assert leadership.try_to_lead()
        assert isinstance(leadership._connection, Connection)


def test_a_pool_of_silent_connections_is_noticed_soon(half_open_proxy: HalfOpenProxy, settings: Any) -> None:
    settings.DB_SILENCE_SECONDS = 60
    with through(half_open_proxy.port) as wrapper:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.close()
        assert wrapper.pool
        wrapper.pool.timeout = 0.2
        half_open_proxy.freeze()
        began = time.monotonic()
        with pytest.raises(OperationalError, match="couldn't get a connection"):
            connection.ensure_connection()
        assert time.monotonic() - began < 30
        half_open_proxy.thaw()
    wait_for_the_end_of_outages()


def test_the_options_of_the_address_are_kept(settings: Any) -> None:
    own = connection.settings_dict["OPTIONS"]["options"]
    assert connection.get_connection_params()["options"] == f"{SERVER_OPTIONS} {own}"
    with connection.cursor() as cursor:
        for name in ("client_connection_check_interval", "synchronous_commit"):
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() in {("5s",), ("off",)}
    settings.DB_PGBOUNCER = True
    assert connection.get_connection_params()["options"] == own
