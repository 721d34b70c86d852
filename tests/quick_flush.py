"""Empties the tables after a test that commits.

Django's `flush` truncates each table, which makes new files, and then makes content types and permissions anew: 0.2 s
after each of 940 tests. Here the rows are deleted, and what `migrate` has made stays: 0.05 s.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from django.core.management.commands import flush
from django.db.backends.postgresql.operations import DatabaseOperations

from tokens.people.teams import create_main_team

MADE_BY_MIGRATE = {"django_content_type", "auth_permission"}


def delete_rows(operations: DatabaseOperations, _style: Any, tables: Sequence[str], **_: Any) -> list[str]:
    # In one transaction, whose end checks the foreign keys, so the order does not matter.
    allow_audit = "SELECT set_config('amazon_accounts.prune_audit', 'on', true)"
    emptied = [operations.quote_name(table) for table in tables if table not in MADE_BY_MIGRATE]
    return [allow_audit, *(f"DELETE FROM {table}" for table in emptied)]  # noqa: S608


def make_main_team(_verbosity: int, _interactive: bool, database: str, **_: Any) -> None:
    create_main_team(database)


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    DatabaseOperations.sql_flush = delete_rows  # type: ignore[assignment]
    flush.emit_post_migrate_signal = make_main_team  # type: ignore[attr-defined]
