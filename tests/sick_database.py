"""A database that answers and cannot do its work, made with its own means."""

import contextlib
from collections.abc import Iterator
from typing import LiteralString

from django.db import connection

from tests.database_outage import cut_connections, wait_for_the_end_of_outages


def _execute(statement: LiteralString) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextlib.contextmanager
def full_disk(table: LiteralString) -> Iterator[None]:
    """Refuse new tables and new rows of one table, as PostgreSQL does when the disk is full."""
    _execute(
        "CREATE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;"
        "CREATE FUNCTION refuse_table() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;"
        f"CREATE TRIGGER refuse_row BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_row();"
        "CREATE EVENT TRIGGER refuse_table ON ddl_command_start"
        " WHEN TAG IN ('CREATE TABLE AS') EXECUTE FUNCTION refuse_table()"
    )
    try:
        yield
    finally:
        _execute(
            "DROP EVENT TRIGGER refuse_table; DROP FUNCTION refuse_table; DROP FUNCTION refuse_row CASCADE"
        )
        wait_for_the_end_of_outages()


@contextlib.contextmanager
def read_only() -> Iterator[None]:
    """Let every new session be read-only, as those of a standby are."""
    name = connection.ops.quote_name(str(connection.settings_dict["NAME"]))
    _execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    cut_connections()
    try:
        yield
    finally:
        _execute(
            f"SET transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only"
        )
        cut_connections()
        wait_for_the_end_of_outages()
