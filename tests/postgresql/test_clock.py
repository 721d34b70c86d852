"""How a process reads the clock of the database."""

import time
from datetime import timedelta

import pytest
from django.db import connection, transaction

from amazon_accounts.postgresql.clock import approximate_now, database_now, note_reading

A_SECOND = timedelta(seconds=1)


@pytest.mark.django_db
def test_the_clock_goes_on_within_a_transaction() -> None:
    with transaction.atomic():
        assert database_now() < database_now()


@pytest.mark.django_db(transaction=True)
def test_each_connection_that_is_taken_from_the_pool_reads_the_clock() -> None:
    note_reading(86_400.0, asked_at=time.monotonic())
    assert approximate_now().year == 1970
    connection.close()
    connection.ensure_connection()
    assert abs(approximate_now() - database_now()) < A_SECOND


@pytest.mark.django_db
def test_a_reading_that_took_long_is_not_used() -> None:
    before = approximate_now()
    note_reading(0.0, asked_at=time.monotonic() - 30)
    assert before <= approximate_now() < before + timedelta(minutes=1)
