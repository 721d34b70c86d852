"""The database of whatever mode we are in, for those who are about to use it."""

from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from amazon_accounts.starter.embedded_postgres import ensure_running


def use_local_database() -> None:
    """In local mode, see that the database runs and that Django's settings lead to it."""
    if settings.LOCAL_MODE:
        settings.DATABASES["default"]["HOST"] = ensure_running(settings.DATA_DIR).host


def require_database() -> None:
    """Raise ImproperlyConfigured, in one line for people, unless there is a database that answers."""
    use_local_database()
    if settings.LOCAL_MODE:
        return
    # Without the pool, which would try for seconds and complain on each of them.
    parameters = {**connection.get_connection_params(), "connect_timeout": 10}
    try:
        psycopg.connect(**parameters).close()
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise ImproperlyConfigured(
            f"The database that DATABASE_URL names does not answer: {reason}"
        ) from error


def close_pool() -> None:
    """Close all connections of this process, which keeps on running but needs the database no more."""
    wrapper: Any = connection  # the stubs know no pools
    wrapper.close()
    wrapper.close_pool()
