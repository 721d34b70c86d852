"""Migrates one database for all processes of pytest-xdist, and lets each process copy it.

The migrations take 10 s of CPU, and each process would run them.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker

from amazon_accounts.postgresql.outages import open_connections_anew

TEMPLATE = "test_migrated"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
    django_db_keepdb: bool,
    django_db_modify_db_settings_parallel_suffix: None,
    worker_id: str,
) -> Iterator[None]:
    """Called by pytest-django before it creates the database of this process."""
    if django_db_keepdb or worker_id == "master":
        yield
        return
    # All processes of one run share this folder.
    is_migrated = tmp_path_factory.getbasetemp().parent / TEMPLATE
    test_settings = settings.DATABASES["default"]["TEST"]
    with locked(is_migrated), django_db_blocker.unblock():
        if not is_migrated.exists():
            make_template()
            is_migrated.touch()
    test_settings["TEMPLATE"] = TEMPLATE
    yield
    # Who did not copy it yet makes it anew.
    with locked(is_migrated), django_db_blocker.unblock():
        is_migrated.unlink(missing_ok=True)
        drop_template()


@contextmanager
def locked(marker: Path) -> Iterator[None]:
    with marker.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_template() -> None:
    before, name = connection.settings_dict["TEST"]["NAME"], connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = TEMPLATE
    try:
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
    finally:
        # A database that is in use cannot be copied.
        connection.close()
        open_connections_anew()
        connection.settings_dict["TEST"]["NAME"] = before
        connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = name


def drop_template() -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {TEMPLATE}")
