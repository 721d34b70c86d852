"""Keeping the search index: a trigger stores each new name, and a task puts it into the index."""

from django.db import connection

from amazon_accounts.postgresql.statements import load

MAX_NAMES_PER_CHUNK = 2_000


def index_some(limit: int = MAX_NAMES_PER_CHUNK) -> int:
    # In chunks, so that no transaction holds the locks of many rows.
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "index_names"), {"limit": limit})
        return int(cursor.rowcount)
