"""Makes sure that the database of the current mode answers before a process uses it."""

import sys
import time
from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from amazon_accounts.starter.embedded_postgres import ensure_running
from amazon_accounts.visible_text import escape_line

# How long a worker or scheduler waits for the database when it starts. Machines that start together, and a failover,
# take less; whoever started the process sees after this time that it cannot work.
WAIT_SECONDS = 60.0
CONNECT_SECONDS = 5
PAUSE_SECONDS = 2.0


def use_local_database() -> None:
    if settings.LOCAL_MODE:
        settings.DATABASES["default"]["HOST"] = ensure_running(settings.DATA_DIR).host


def require_database(*, wait_seconds: float = 0) -> None:
    """Raise ImproperlyConfigured, with a message of one line, unless the database answers within this time."""
    use_local_database()
    if not settings.LOCAL_MODE:
        # Without the pool, which would try for seconds and log each failure.
        wait_for_database(connection.get_connection_params(), wait_seconds)


def wait_for_database(parameters: dict[str, Any], seconds: float) -> None:
    """Connect until it works, and say with each failure that the process waits. Raises ImproperlyConfigured at the end."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(**{**parameters, "connect_timeout": CONNECT_SECONDS}).close()
        except psycopg.Error as error:
            reason = escape_line(" ".join(str(error).split()))
            if time.monotonic() + PAUSE_SECONDS > deadline:
                waited = f" within {seconds:.0f} s" if seconds else ""
                raise ImproperlyConfigured(
                    f"The database that DATABASE_URL names does not answer{waited}: {reason}"
                ) from error
            sys.stderr.write(f"Waiting for the database: {reason}\n")
            sys.stderr.flush()
            time.sleep(PAUSE_SECONDS)
        else:
            return


def close_pool() -> None:
    # The process goes on without the database.
    wrapper: Any = connection  # django-stubs does not know the pool
    wrapper.close()
    wrapper.close_pool()
