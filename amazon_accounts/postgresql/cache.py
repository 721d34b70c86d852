"""A cache in PostgreSQL that all processes share, and that forgets nothing before its time."""

import base64
import pickle
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import connection

from amazon_accounts.postgresql.statements import load

TABLE = "cache_entries"
WRITES = {"set": "set_cache_entry", "add": "add_cache_entry", "touch": "touch_cache_entry"}


class PostgresCache(DatabaseCache):
    # Django's own class counts all rows before each write, and deletes rows that are still valid when there are more
    # than 300. Somebody who fills the cache would make it forget the rate limits that are kept in it.
    def _base_set(self, mode: str, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT) -> bool:
        parameters = {"key": key, "expires": self.get_backend_timeout(timeout)}
        if mode != "touch":
            parameters["value"] = base64.b64encode(pickle.dumps(value, self.pickle_protocol)).decode()
        with connection.cursor() as cursor:
            cursor.execute(load(__file__, WRITES[mode]), parameters)
            return bool(cursor.rowcount)


def delete_expired_entries() -> int:
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "delete_expired_cache_entries"))
        return int(cursor.rowcount)
