"""A database of version 0.1.0, as `pg_dump --inserts` wrote it.

It was dumped after syncs of two logins of the sandbox, a batch of each kind, a disconnected login, and a sync that still
waited in the queue.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from tests.processes import environment, run

DUMP = Path(__file__).with_name("database_0_1_0.sql")
# Decrypts nothing but the sandbox's tokens in the dump.
DUMP_KEY = "qxPJeN7-dYIRkQcJUVXMbUMxc_fe_gyMLgw_3z34YBg="


class Database:
    """A database of this test's server."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.parameters: dict[str, Any] = {
            **connection.get_connection_params(),
            "dbname": name,
            "autocommit": True,
        }
        for option in ("pool", "cursor_factory", "context", "prepare_threshold"):
            self.parameters.pop(option, None)

    def fetch(self, query: LiteralString | sql.Composed) -> list[tuple[Any, ...]]:
        with psycopg.connect(**self.parameters) as database:
            return database.execute(query).fetchall()

    def migrate(self, *target: str) -> str:
        """Migrate to today's schema, or an app to a migration; return what was logged."""
        url = urlsplit(environment()["DATABASE_URL"])
        address = urlunsplit(url._replace(path=f"/{self.name}"))
        done = run("migrate", *target, DATABASE_URL=address, TOKEN_ENCRYPTION_KEYS=DUMP_KEY)
        assert done.returncode == 0, done.stderr
        return str(done.stderr)


@pytest.fixture
def new_database(transactional_db: None) -> Database:
    return Database(connection.settings_dict["NAME"])


@pytest.fixture
def old_database(new_database: Database) -> Iterator[Database]:
    """A database as version 0.1.0 left it."""
    old = Database(f"{new_database.name}_old")
    name = sql.Identifier(old.name)
    with psycopg.connect(**new_database.parameters) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        with psycopg.connect(**old.parameters) as database:
            database.execute(DUMP.read_bytes())
        yield old
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
