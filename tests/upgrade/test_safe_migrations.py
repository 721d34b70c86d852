"""Every migration is safe while the version before runs, and makes nobody wait: it adds, and locks no large table."""

import importlib

import pytest
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter

from tests.processes import PROJECT

# Migrations up to these belong to the upgrade from 0.1.0, for which CHANGELOG.md asks to stop the old version: it cannot
# read the tokens that the new version stores. A database of 0.1.0 has no table of events yet.
LAST_UNCHECKED = {"accounts": 36, "amazon_ads": 7, "tokens": 50}
# The name of a migration that the linter refuses, and why it is safe all the same.
EXCEPTIONS: dict[str, str] = {}


def find_problems(migration: Migration, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the linter says against the migration."""
    linter = MigrationLinter(str(PROJECT), no_cache=True, quiet=["ok", "ignore"])
    linter.lint_migration(migration)
    return capsys.readouterr().out


def find_migration(app: str, name: str) -> Migration:
    found: Migration = MigrationLoader(None).get_migration_by_prefix(app, name)
    return found


@pytest.mark.django_db(transaction=True)
def test_every_migration_is_safe_while_the_version_before_runs(capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        f"{app}.{name}": find_problems(migration, capsys)
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        if app in LAST_UNCHECKED and int(name[:4]) > LAST_UNCHECKED[app]
    }
    refused = {name: problems for name, problems in found.items() if problems}
    assert {name: problems for name, problems in refused.items() if name not in EXCEPTIONS} == {}
    assert set(EXCEPTIONS) <= set(refused), "An exception that nothing needs"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("app", "name", "problem"),
    [
        ("accounts", "0024", "NOT NULL constraint on columns"),
        ("accounts", "0035", "DROPPING columns"),
        ("accounts", "0021", "CREATE INDEX locks table"),
    ],
)
def test_the_check_finds_what_stops_the_version_before(
    app: str, name: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert problem in find_problems(find_migration(app, name), capsys)


def test_the_indexes_of_events_are_built_while_events_are_written() -> None:
    migration = importlib.import_module("tokens.migrations.0048_activity").Migration
    assert not migration.atomic
    kinds = {type(operation).__name__ for operation in migration.operations}
    assert kinds == {"CreateModel", "AddIndexConcurrently", "RemoveIndexConcurrently"}
