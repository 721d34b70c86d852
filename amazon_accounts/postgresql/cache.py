"""A cache in PostgreSQL that all processes share, and that forgets nothing before its time."""

import base64
import pickle
from collections.abc import Iterable
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import connection

from amazon_accounts.postgresql.statements import load

TABLE = "cache_entries"
READ = "read_cache_entries"
WRITES = {"set": "set_cache_entry", "add": "add_cache_entry", "touch": "touch_cache_entry"}


class PostgresCache(DatabaseCache):
    """The database's clock alone decides when an entry ends."""

    # Django's own class counts all rows before each write, and deletes rows that are still valid when there are more
    # than 300. Somebody who fills the cache would make it forget the rate limits that are kept in it.
    def _base_set(self, mode: str, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT) -> bool:
        life = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        parameters = {"key": key, "life": life}
        if mode != "touch":
            parameters["value"] = base64.b64encode(pickle.dumps(value, self.pickle_protocol)).decode()
        with connection.cursor() as cursor:
            cursor.execute(load(__file__, WRITES[mode]), parameters)
            return bool(cursor.rowcount)

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        names = {self.make_and_validate_key(key, version=version): key for key in keys}
        if not names:
            return {}
        with connection.cursor() as cursor:
            cursor.execute(load(__file__, READ), {"keys": list(names)})
            return {names[key]: _unpack(value) for key, value in cursor.fetchall()}

    def has_key(self, key: str, version: int | None = None) -> bool:
        return key in self.get_many([key], version)


def _unpack(value: str) -> Any:
    # As Django's own cache does. Nobody but this console writes into the table.
    return pickle.loads(base64.b64decode(value))  # noqa: S301  # nosec B301


def delete_expired_entries() -> int:
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "delete_expired_cache_entries"))
        return int(cursor.rowcount)
