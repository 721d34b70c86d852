"""Makes sure that the database of the current mode answers before a process uses it."""

from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from amazon_accounts.starter.embedded_postgres import ensure_running


def use_local_database() -> None:
    if settings.LOCAL_MODE:
        settings.DATABASES["default"]["HOST"] = ensure_running(settings.DATA_DIR).host


def require_database() -> None:
    """Raise ImproperlyConfigured, with a message of one line, unless the database answers."""
    use_local_database()
    if settings.LOCAL_MODE:
        return
    # Without the pool, which would try for seconds and log each failure.
    parameters = {**connection.get_connection_params(), "connect_timeout": 10}
    try:
        psycopg.connect(**parameters).close()
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise ImproperlyConfigured(
            f"The database that DATABASE_URL names does not answer: {reason}"
        ) from error


def close_pool() -> None:
    # The process goes on without the database.
    wrapper: Any = connection  # django-stubs does not know the pool
    wrapper.close()
    wrapper.close_pool()
