"""A database of version 0.1.0, as `pg_dump --inserts` wrote it.

It was dumped after syncs of two logins of the sandbox, a batch of each kind, a disconnected login, and a sync that still
waited in the queue.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.apps import apps
from django.db import connection
from psycopg import sql

from tests.processes import environment, run

DUMP = Path(__file__).with_name("database_0_1_0.sql")
# Decrypts nothing but the sandbox's tokens in the dump.
DUMP_KEY = "qxPJeN7-dYIRkQcJUVXMbUMxc_fe_gyMLgw_3z34YBg="

KEYS_OF_0_1_0: LiteralString = (
    "SELECT digest, user_id, created, expiry, left(token_key, 12) FROM knox_authtoken ORDER BY digest"
)


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


@dataclass(frozen=True)
class UpgradedDatabase:
    today: Database
    #: The rows of each of our tables before the migration.
    rows: dict[str, list[dict[str, Any]]]
    keys: list[tuple[Any, ...]]


@pytest.fixture(scope="session")
def new_database(django_db_setup: None) -> Database:
    return Database(connection.settings_dict["NAME"])


@pytest.fixture
def old_database(new_database: Database) -> Iterator[Database]:
    """A database as version 0.1.0 left it."""
    with make_old(new_database, "old") as old:
        yield old


@pytest.fixture(scope="session")
def upgraded_database(new_database: Database) -> Iterator[UpgradedDatabase]:
    """The database of version 0.1.0, migrated to today's schema. Tests only read it."""
    with make_old(new_database, "upgraded") as old:
        before = UpgradedDatabase(old, rows=fetch_rows(old), keys=old.fetch(KEYS_OF_0_1_0))
        old.migrate()
        yield before


@contextmanager
def make_old(new_database: Database, kind: str) -> Iterator[Database]:
    old = Database(f"{new_database.name}_{kind}")
    name = sql.Identifier(old.name)
    with psycopg.connect(**new_database.parameters) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        with psycopg.connect(**old.parameters) as database:
            database.execute(DUMP.read_bytes())
        yield old
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def fetch_rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each of our tables, in a fixed order."""
    existing = {
        name for (name,) in database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }
    tables = [
        model._meta.db_table
        for app_label in ("accounts", "tokens", "amazon_ads")
        for model in apps.get_app_config(app_label).get_models()
        if model._meta.db_table in existing
    ]
    query = sql.SQL("SELECT to_jsonb(stored) FROM {} stored ORDER BY to_jsonb(stored) ->> 'id', ctid")
    return {
        table: [row for (row,) in database.fetch(query.format(sql.Identifier(table)))] for table in tables
    }
