"""The embedded PostgreSQL as its clients see it. Tests that kill its processes are in test_postgres_processes.py."""

import pytest
from django.db import connection


@pytest.mark.django_db
def test_it_changes_the_case_of_non_ascii_letters() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT upper('é'), lower('Ж'), current_setting('server_encoding')")
        assert cursor.fetchone() == ("É", "ж", "UTF8")


@pytest.mark.django_db
def test_it_listens_on_no_network() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('listen_addresses'), current_setting('fsync')")
        assert cursor.fetchone() == ("", "on")
