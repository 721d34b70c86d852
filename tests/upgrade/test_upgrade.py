"""A database of version 0.1.0, with data in it, goes on under today's code."""

import re
from typing import Any, Final, LiteralString

import psycopg
import pytest
from procrastinate.contrib.django import app

from tests.upgrade.conftest import Database, UpgradedDatabase, fetch_rows

# Without the mark, pytest-django makes no database.
pytestmark = pytest.mark.django_db

# Each query lists one kind of thing that a migration makes.
SCHEMA: Final[dict[str, LiteralString]] = {
    "columns": """
        SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
         WHERE table_schema = 'public' ORDER BY 1, 2
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2
    """,
    "functions": """
        SELECT proname, pg_get_function_identity_arguments(oid), pg_get_functiondef(oid) FROM pg_proc
         WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' ORDER BY 1, 2
    """,
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "storage": """
        SELECT relname, relpersistence, reloptions FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1
    """,
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
         WHERE NOT tgisinternal ORDER BY 1, 2
    """,
}


# These tests share a database, so they run in one process.
of_upgraded = pytest.mark.xdist_group("upgraded database")


def normalize(things: list[tuple[Any, ...]]) -> list[str]:
    """Drop casts and brackets: a definition that went through pg_dump has more of them."""
    return [re.sub(r"::(character varying|text)(\[\])?|[()]", "", str(thing)) for thing in things]


@of_upgraded
def test_a_database_of_0_1_0_migrates_to_the_schema_of_a_new_database(
    upgraded_database: UpgradedDatabase, new_database: Database
) -> None:
    for kind, query in SCHEMA.items():
        found = upgraded_database.today.fetch(query)
        assert normalize(found) == normalize(new_database.fetch(query)), kind


@of_upgraded
@pytest.mark.parametrize("kind", ["functions", "triggers"])
def test_the_migration_of_0_1_0_installs_the_same_functions_and_triggers(
    kind: str, upgraded_database: UpgradedDatabase, new_database: Database
) -> None:
    assert upgraded_database.today.fetch(SCHEMA[kind]) == new_database.fetch(SCHEMA[kind])


@of_upgraded
def test_the_migration_keeps_every_row_of_0_1_0(upgraded_database: UpgradedDatabase) -> None:
    before, after = upgraded_database.rows, fetch_rows(upgraded_database.today)
    assert len(before["user_accounts"]) > 5
    for table, rows in before.items():
        assert len(after[table]) == len(rows), table
        for old, new in zip(rows, after[table], strict=True):
            if old.get("amazon_status") == "DISABLED":
                old |= {"status": "inactive", "inactive_reason": "registration_failed"}
            assert {column: new[column] for column in old} == old, table


def test_the_migration_calls_a_failed_registration_what_it_is(old_database: Database) -> None:
    with psycopg.connect(**old_database.parameters) as database:
        database.execute(
            "UPDATE user_accounts SET amazon_status = 'NEW_WORD', status = 'pending'"
            " WHERE amazon_status = 'PARTIALLY_CREATED'"
        )
        database.execute("DELETE FROM accounts_accountchange")
    old_database.migrate("accounts", "0024")
    found = old_database.fetch(
        "SELECT DISTINCT amazon_status, status, inactive_reason FROM user_accounts WHERE amazon_status IS NOT NULL"
    )
    assert sorted(found) == [
        ("CREATED", "active", None),
        ("DISABLED", "inactive", "registration_failed"),
        ("NEW_WORD", "unknown", None),
        ("PENDING", "pending", None),
    ]
    assert old_database.fetch("SELECT FROM accounts_accountchange") == [], "Amazon has changed nothing"


def test_the_migration_repairs_accounts_that_break_a_constraint(old_database: Database) -> None:
    with psycopg.connect(**old_database.parameters) as database:
        database.execute(
            "UPDATE user_accounts SET is_default = true, status = 'inactive', inactive_reason = NULL"
        )
        query = (
            "SELECT DISTINCT ON (user_id) id FROM user_accounts ORDER BY user_id, updated_at DESC, id DESC"
        )
        newest = database.execute(query).fetchall()
    old_database.migrate("accounts", "0024")
    assert sorted(old_database.fetch("SELECT id FROM user_accounts WHERE is_default")) == sorted(newest)
    assert old_database.fetch("SELECT DISTINCT inactive_reason FROM user_accounts") == [("not_visible",)]


def test_the_migration_numbers_unfinished_batches_as_they_were_asked(old_database: Database) -> None:
    with psycopg.connect(**old_database.parameters) as database:
        # The row that was stored last was asked first.
        database.execute(
            "UPDATE accounts_batchoperation batch SET state = 'waiting', finished_at = NULL,"
            " created_at = now() - place * interval '1 hour'"
            " FROM (SELECT id, row_number() OVER (ORDER BY ctid) AS place FROM accounts_batchoperation) stored"
            " WHERE stored.id = batch.id"
        )
        asked = database.execute("SELECT id FROM accounts_batchoperation ORDER BY created_at").fetchall()
    assert len(asked) > 1
    old_database.migrate("accounts", "0024")
    assert old_database.fetch("SELECT id FROM accounts_batchoperation ORDER BY request_number") == asked


@of_upgraded
def test_the_keys_of_0_1_0_go_on_working(upgraded_database: UpgradedDatabase) -> None:
    # They are found by their digest: see test_the_digest_is_the_one_of_keys_that_knox_made.
    taken_over = (
        "SELECT digest, user_id, created_at, expires_at, beginning FROM tokens_apikey ORDER BY digest"
    )
    assert len(upgraded_database.keys) == 3
    assert upgraded_database.today.fetch(taken_over) == upgraded_database.keys
    assert upgraded_database.today.fetch("SELECT to_regclass('knox_authtoken')") == [(None,)]


def test_who_could_end_the_keys_of_0_1_0_can_end_them_still(old_database: Database) -> None:
    with psycopg.connect(**old_database.parameters) as database:
        database.execute(
            "INSERT INTO auth_user_user_permissions (user_id, permission_id)"
            " SELECT 2, id FROM auth_permission WHERE codename = 'delete_authtoken'"
        )
    old_database.migrate("tokens", "0022")
    held = (
        "SELECT kind.app_label, permission.codename FROM auth_user_user_permissions"
        " JOIN auth_permission permission ON permission.id = permission_id"
        " JOIN django_content_type kind ON kind.id = content_type_id"
    )
    assert old_database.fetch(held) == [("tokens", "delete_apikey")]


def test_every_job_that_0_1_0_queued_has_a_task_today(old_database: Database) -> None:
    queued = {name for (name,) in old_database.fetch("SELECT task_name FROM procrastinate_jobs")}
    assert queued
    assert queued <= set(app.tasks)
