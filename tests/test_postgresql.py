"""Our database backend: its pool after a restart of PostgreSQL."""

import threading
import time

import psycopg
import pytest
from django.db import connection, connections

pytestmark = pytest.mark.django_db(transaction=True)


def query() -> float:
    """Ask the database something in a thread of its own; the seconds it took."""
    began = time.monotonic()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connections.close_all()
    return time.monotonic() - began


def query_at_once(number: int) -> list[float]:
    took: list[float] = []
    threads = [threading.Thread(target=lambda: took.append(query())) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def test_a_pool_full_of_dead_connections_answers_at_once() -> None:
    assert len(query_at_once(6)) == 6
    parameters = {
        name: value
        for name, value in connection.get_connection_params().items()
        if name in {"host", "port", "user"}
    }
    with psycopg.connect(dbname=connection.settings_dict["NAME"], autocommit=True, **parameters) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    connections.close_all()
    took = query_at_once(6)
    assert len(took) == 6
    assert max(took) < 1
