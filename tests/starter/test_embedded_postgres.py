"""The embedded PostgreSQL as its users see it. What needs processes to kill is in `prove_embedded_postgres.py`."""

import pytest
from django.db import connection


@pytest.mark.django_db
def test_it_knows_letters_beyond_ascii() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT upper('é'), lower('Ж'), current_setting('server_encoding')")
        assert cursor.fetchone() == ("É", "ж", "UTF8")


@pytest.mark.django_db
def test_it_listens_on_no_network() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('listen_addresses'), current_setting('fsync')")
        assert cursor.fetchone() == ("", "on")
