"""The database: its address, and the pool of connections that each process has."""

from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.configuration.environment import env_int


def read_database_url(address: str) -> dict[str, Any]:
    # The address contains a password, so the messages do not repeat it.
    try:
        database = dict(dj_database_url.parse(address))
    except ValueError as error:
        raise ImproperlyConfigured(
            "DATABASE_URL is malformed; it must look like postgresql://user:password@host:5432/name."
        ) from error
    if database["ENGINE"] != "django.db.backends.postgresql" or not database["NAME"]:
        raise ImproperlyConfigured(
            "DATABASE_URL must name a PostgreSQL database: postgresql://user:password@host:5432/name."
        )
    return database


def env_pool() -> dict[str, Any]:
    pool = {
        "min_size": env_int("DB_POOL_MIN_SIZE", 2),
        "max_size": env_int("DB_POOL_MAX_SIZE", 10, minimum=1),
        # In an outage of the database a request must end soon, with a 503.
        "timeout": 5,
        # After this time the pool stops trying in the background, and connects when a connection is needed. With the
        # default, the time between attempts grows with the length of an outage.
        "reconnect_timeout": 1,
    }
    if pool["min_size"] > pool["max_size"]:
        raise ImproperlyConfigured("DB_POOL_MIN_SIZE must be at most DB_POOL_MAX_SIZE.")
    return pool
