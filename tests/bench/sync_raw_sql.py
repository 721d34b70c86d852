"""Storing the same rows by raw SQL, for comparison: one COPY and one merge for each table."""

from typing import Any

from django.db import connection as database
from django.db import transaction
from uuid_utils.compat import uuid7

from accounts.sync.staging import ACCOUNT_COLUMNS, PROFILE_COLUMNS
from tests.bench.sync_storing import Rows
from tokens.models import Connection

RAW_STAGE = """
CREATE TEMP TABLE raw_account (LIKE accounts_staged_account) ON COMMIT DROP;
CREATE TEMP TABLE raw_profile (LIKE accounts_staged_profile) ON COMMIT DROP;
"""
RAW_ACCOUNTS = """
INSERT INTO user_accounts
       (id, team_id, user_id, amazon_account_id, connection_id, source, name, account_type, status, amazon_status,
        countries, errors, metadata, labels, is_default, sync_enabled, first_seen_at, connected_at, updated_at)
SELECT raw.new_id, %(team)s, %(user)s, raw.amazon_account_id, %(connection)s, raw.source, raw.name, profile.type, raw.status,
       raw.amazon_status, raw.countries, raw.errors,
       raw.metadata || jsonb_build_object('profiles', jsonb_build_array(profile.raw)), '{}', false, true, now(), now(),
       now()
  FROM raw_account raw
  JOIN raw_profile profile ON profile.profile_id = raw.profile_ids[1]
  LEFT JOIN user_accounts account ON account.team_id = %(team)s
                                 AND account.amazon_account_id = raw.amazon_account_id
 WHERE account.id IS NULL
    OR (account.name, account.account_type, account.status, account.inactive_reason, account.amazon_status,
        account.countries, account.errors, account.metadata)
       IS DISTINCT FROM
       (raw.name, profile.type, raw.status, NULL, raw.amazon_status, raw.countries, raw.errors,
        raw.metadata || jsonb_build_object('profiles', jsonb_build_array(profile.raw)))
ON CONFLICT (team_id, amazon_account_id) DO UPDATE
   SET name = excluded.name, account_type = excluded.account_type, status = excluded.status,
       amazon_status = excluded.amazon_status, countries = excluded.countries, errors = excluded.errors,
       metadata = excluded.metadata, updated_at = now()
"""
RAW_ACCESS = """
INSERT INTO accounts_accountaccess (account_id, connection_id, seen_in, since)
SELECT account.id, %(connection)s, raw.seen_in, now()
  FROM raw_account raw
  JOIN user_accounts account ON account.team_id = %(team)s AND account.amazon_account_id = raw.amazon_account_id
  LEFT JOIN accounts_accountaccess access
    ON access.account_id = account.id AND access.connection_id = %(connection)s
 WHERE access.id IS NULL OR access.seen_in <> raw.seen_in
ON CONFLICT (account_id, connection_id) DO UPDATE SET seen_in = excluded.seen_in
"""
RAW_PROFILES = """
INSERT INTO accounts_profile
       (account_id, profile_id, region, country_code, marketplace_id, currency_code, timezone, type, subtype, name,
        entity_id, ads_entity_id, access_level, valid_payment_method, daily_budget)
SELECT account.id, reported.profile_id, reported.region, reported.country_code, reported.marketplace_id, reported.currency_code,
       reported.timezone, reported.type, reported.subtype, reported.name, reported.entity_id, raw.profile_entities[1], reported.access_level,
       reported.valid_payment_method, reported.daily_budget
  FROM raw_account raw
  JOIN raw_profile reported ON reported.profile_id = raw.profile_ids[1]
  JOIN user_accounts account ON account.team_id = %(team)s AND account.amazon_account_id = raw.amazon_account_id
  LEFT JOIN accounts_profile stored ON stored.account_id = account.id AND stored.profile_id = reported.profile_id
 WHERE stored.id IS NULL
    OR (stored.region, stored.country_code, stored.marketplace_id, stored.currency_code, stored.timezone, stored.type,
        stored.subtype, stored.name, stored.entity_id, stored.ads_entity_id, stored.access_level,
        stored.valid_payment_method, stored.daily_budget)
       IS DISTINCT FROM
       (reported.region, reported.country_code, reported.marketplace_id, reported.currency_code, reported.timezone, reported.type,
        reported.subtype, reported.name, reported.entity_id, raw.profile_entities[1], reported.access_level,
        reported.valid_payment_method, reported.daily_budget)
ON CONFLICT (account_id, profile_id) DO UPDATE
   SET country_code = excluded.country_code, currency_code = excluded.currency_code, name = excluded.name
"""


def store_by_raw_sql(connection: Connection, rows: Rows) -> None:
    # One COPY and one merge for each table, in one transaction, without locks and checks.
    parameters: dict[str, Any] = {
        "team": connection.team_id,
        "user": connection.owner_id,
        "connection": connection.pk,
    }
    run_id = uuid7()
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(RAW_STAGE)
        columns: tuple[str, ...] = ("run_id", "walk", "position", *ACCOUNT_COLUMNS)
        with cursor.copy(f"COPY raw_account ({', '.join(columns)}) FROM STDIN") as copy:
            for position, account in enumerate(rows.accounts):
                copy.write_row((run_id, 0, position, *(getattr(account, name) for name in ACCOUNT_COLUMNS)))
        columns = ("run_id", "walk", *PROFILE_COLUMNS)
        with cursor.copy(f"COPY raw_profile ({', '.join(columns)}) FROM STDIN") as copy:
            for profile in rows.profiles:
                copy.write_row((run_id, 1, *(getattr(profile, name) for name in PROFILE_COLUMNS)))
        cursor.execute("ANALYZE raw_account; ANALYZE raw_profile")
        for statement in (RAW_ACCOUNTS, RAW_ACCESS, RAW_PROFILES):
            cursor.execute(statement, parameters)
