"""Our database backend: its pool after a restart of PostgreSQL and during an outage."""

import threading
import time

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections

from amazon_accounts.postgresql.outages import is_outage
from tests.database_outage import DatabaseOutage, cut_connections

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
    cut_connections()
    took = query_at_once(6)
    assert len(took) == 6
    assert max(took) < 1


def test_an_outage_is_an_error_and_the_database_answers_after_it(database_outage: DatabaseOutage) -> None:
    User.objects.create_user("alice")
    with database_outage, pytest.raises(OperationalError) as raised:
        User.objects.count()
    assert is_outage(raised.value)
    assert User.objects.count() == 1


def test_an_outage_cuts_off_a_statement_that_runs(database_outage: DatabaseOutage) -> None:
    errors: list[Exception] = []

    def sleep() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(10)")
        except OperationalError as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=sleep)
    thread.start()
    time.sleep(0.1)
    with database_outage:
        thread.join()
    assert [is_outage(error) for error in errors] == [True]
