"""How fast accounts are stored, beside other ways to do it: part of `python -m tests.bench.sync`.

Ten thousand ads accounts with a profile each, in memory. Stored as a sync stores them (pages of a hundred, merges of a
thousand, fences and all); by raw SQL (one COPY and one merge for each table, nothing else); by `bulk_create` with
`update_conflicts`; and, for a sample, by a loop of `update_or_create`. New, again unchanged, and with 1% changed.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from accounts.models import Account, AccountAccess, Profile, SyncRun
from accounts.sync.absence import count_accounts, remove_unseen
from accounts.sync.claims import claim_run, close_run
from accounts.sync.coverage import Coverage
from accounts.sync.listing import Outcome
from accounts.sync.merge import CHUNK_ROWS, merge_rows
from accounts.sync.profile_accounts import stage_profile_accounts
from accounts.sync.requests import open_run
from accounts.sync.rows import StagedAccount, StagedProfile, parse_ads_accounts, parse_profiles
from accounts.sync.staging import ACCOUNT_COLUMNS, PROFILE_COLUMNS, stage_accounts, stage_profiles
from accounts.sync.store import Store
from amazon_accounts.amazon_ads.answers import read_ads_accounts, read_profiles
from tokens.models import Connection

SAMPLE = 300
COUNTRIES = {"US": "NA", "DE": "EU", "JP": "FE"}
TABLES = ["user_accounts", "accounts_accountaccess", "accounts_profile"]


@dataclass
class Rows:
    accounts: list[StagedAccount]
    profiles: list[StagedProfile]


@dataclass(frozen=True)
class Measured:
    seconds: float
    # Of this process and of the database's, which a busy machine does not make longer.
    cpu_seconds: float
    wal_bytes: int
    rows_written: int


def made_rows(number: int, *, changed_every: int = 0) -> Rows:
    """Rows as a walk would stage them; every so-manieth account has another name."""
    accounts, profiles = [], []
    countries = list(COUNTRIES)
    for index in range(number):
        country = countries[index % len(countries)]
        name = f"Account {index}" + (" renamed" if changed_every and index % changed_every == 0 else "")
        profile_id = 1_000_000_000_000_000 + index
        accounts.append(
            {
                "adsAccountId": f"amzn1.ads-account.g.{index:025}",
                "accountName": name,
                "status": "CREATED",
                "countryCodes": [country],
                "alternateIds": [
                    {"countryCode": country, "profileId": profile_id},
                    {"countryCode": country, "entityId": f"ENTITY{index:013}"},
                ],
            }
        )
        profiles.append(
            {
                "profileId": profile_id,
                "countryCode": country,
                "currencyCode": "EUR",
                "timezone": "Europe/Paris",
                "dailyBudget": 999999999.0,
                "accountInfo": {
                    "marketplaceStringId": "A1PA6795UKMFR9",
                    "id": f"A{index:013}",
                    "type": "seller",
                    "name": f"Account {index}",
                },
            }
        )
    listed = read_ads_accounts(list(accounts))
    told = read_profiles(profiles)
    return Rows(
        parse_ads_accounts(listed.items, "ads_accounts").accounts,
        [
            row
            for item in told.items
            for row in parse_profiles([item], COUNTRIES[item.country_code], "edit").profiles
        ],
    )


def empty_tables() -> None:
    with database.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)}, accounts_accountsearch, accounts_syncrun CASCADE")
        cursor.execute("TRUNCATE accounts_staged_account, accounts_staged_profile")


def new_connection(owner: User) -> Connection:
    return Connection.objects.create(owner=owner, label="Bench", client_id="bench", refresh_token="none")


def measure(function: Callable[[], None]) -> Measured:
    """Run the function on vacuumed tables."""
    with database.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        # Read what ANALYZE has just written: its hint bits would be set, and logged, by whatever reads it first.
        cursor.execute(
            "SET enable_indexscan = off; SELECT count(stanullfrac) FROM pg_statistic; RESET enable_indexscan"
        )
        cursor.execute("CHECKPOINT")
        cursor.execute("SELECT pg_current_wal_insert_lsn(), txid_current(), pg_backend_pid()")
        lsn, txid, backend = cursor.fetchone()
    began, cpu_began = time.perf_counter(), _cpu_seconds(backend)
    function()
    seconds, cpu_seconds = time.perf_counter() - began, _cpu_seconds(backend) - cpu_began
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", [lsn])
        wal = int(cursor.fetchone()[0])
        written = 0
        for table in TABLES:
            cursor.execute(f"SELECT count(*) FROM {table} WHERE xmin::text::bigint > %s", [txid])
            written += cursor.fetchone()[0]
    return Measured(seconds, cpu_seconds, wal, written)


def _cpu_seconds(backend: int) -> float:
    """CPU time of this process and of its backend, which runs on the same machine."""
    fields = Path(f"/proc/{backend}/stat").read_text().rsplit(")", 1)[1].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class StoredRows:
    """A run that has read these rows, up to the point where it begins to store them; and what storing them does."""

    def __init__(self, connection: Connection, rows: Rows) -> None:
        self.rows = rows
        run = open_run(connection, trigger=SyncRun.Trigger.MANUAL)
        self.claim = claim_run(run.pk)
        self.coverage = Coverage()
        self.run_store = Store(self.claim, self.coverage)
        for region in COUNTRIES.values():
            self.coverage.start_listing("profiles", region)
        for listing in self.coverage.listings:
            listing.end(Outcome.COMPLETE)

    def store(self) -> None:
        listing, first_region = self.coverage.listings[:2]
        stage_profiles(self.run_store, first_region, self.rows.profiles)
        for first in range(0, len(self.rows.accounts), CHUNK_ROWS):
            stage_accounts(self.run_store, listing, self.rows.accounts[first : first + CHUNK_ROWS])
            merge_rows(self.run_store, listing, up_to=listing.staged)
        stage_profile_accounts(self.run_store)
        self.run_store.complete_scopes = ["ads_accounts", "profiles:NA", "profiles:EU", "profiles:FE"]
        remove_unseen(self.run_store)
        count_accounts(self.run_store)

    def close(self) -> None:
        close_run(self.claim, SyncRun.State.SUCCEEDED, self.coverage.listings)
        SyncRun.objects.all().delete()


def measure_store(connection: Connection, rows: Rows) -> Measured:
    """As a sync does it."""
    stored = StoredRows(connection, rows)
    measured = measure(stored.store)
    stored.close()
    return measured


# --- Raw SQL ----------------------------------------------------------------------------------------------

RAW_STAGE = """
CREATE TEMP TABLE raw_account (LIKE accounts_staged_account) ON COMMIT DROP;
CREATE TEMP TABLE raw_profile (LIKE accounts_staged_profile) ON COMMIT DROP;
"""
RAW_ACCOUNTS = """
INSERT INTO user_accounts
       (id, user_id, amazon_account_id, connection_id, source, name, account_type, status, amazon_status, countries,
        errors, metadata, labels, is_default, sync_enabled, first_seen_at, connected_at, updated_at)
SELECT raw.new_id, %(user)s, raw.amazon_account_id, %(connection)s, raw.source, raw.name, profile.type, raw.status,
       raw.amazon_status, raw.countries, raw.errors,
       raw.metadata || jsonb_build_object('profiles', jsonb_build_array(profile.raw)), '{}', false, true, now(), now(),
       now()
  FROM raw_account raw
  JOIN raw_profile profile ON profile.profile_id = raw.profile_ids[1]
  LEFT JOIN user_accounts account ON account.user_id = %(user)s
                                 AND account.amazon_account_id = raw.amazon_account_id
 WHERE account.id IS NULL
    OR (account.name, account.account_type, account.status, account.inactive_reason, account.amazon_status,
        account.countries, account.errors, account.metadata)
       IS DISTINCT FROM
       (raw.name, profile.type, raw.status, NULL, raw.amazon_status, raw.countries, raw.errors,
        raw.metadata || jsonb_build_object('profiles', jsonb_build_array(profile.raw)))
ON CONFLICT (user_id, amazon_account_id) DO UPDATE
   SET name = excluded.name, account_type = excluded.account_type, status = excluded.status,
       amazon_status = excluded.amazon_status, countries = excluded.countries, errors = excluded.errors,
       metadata = excluded.metadata, updated_at = now()
"""
RAW_ACCESS = """
INSERT INTO accounts_accountaccess (account_id, connection_id, seen_in, since)
SELECT account.id, %(connection)s, raw.seen_in, now()
  FROM raw_account raw
  JOIN user_accounts account ON account.user_id = %(user)s AND account.amazon_account_id = raw.amazon_account_id
  LEFT JOIN accounts_accountaccess access
    ON access.account_id = account.id AND access.connection_id = %(connection)s
 WHERE access.id IS NULL OR access.seen_in <> raw.seen_in
ON CONFLICT (account_id, connection_id) DO UPDATE SET seen_in = excluded.seen_in
"""
RAW_PROFILES = """
INSERT INTO accounts_profile
       (account_id, profile_id, region, country_code, marketplace_id, currency_code, timezone, type, subtype, name,
        entity_id, ads_entity_id, access_level, valid_payment_method, daily_budget)
SELECT account.id, told.profile_id, told.region, told.country_code, told.marketplace_id, told.currency_code,
       told.timezone, told.type, told.subtype, told.name, told.entity_id, raw.profile_entities[1], told.access_level,
       told.valid_payment_method, told.daily_budget
  FROM raw_account raw
  JOIN raw_profile told ON told.profile_id = raw.profile_ids[1]
  JOIN user_accounts account ON account.user_id = %(user)s AND account.amazon_account_id = raw.amazon_account_id
  LEFT JOIN accounts_profile stored ON stored.account_id = account.id AND stored.profile_id = told.profile_id
 WHERE stored.id IS NULL
    OR (stored.region, stored.country_code, stored.marketplace_id, stored.currency_code, stored.timezone, stored.type,
        stored.subtype, stored.name, stored.entity_id, stored.ads_entity_id, stored.access_level,
        stored.valid_payment_method, stored.daily_budget)
       IS DISTINCT FROM
       (told.region, told.country_code, told.marketplace_id, told.currency_code, told.timezone, told.type,
        told.subtype, told.name, told.entity_id, raw.profile_entities[1], told.access_level,
        told.valid_payment_method, told.daily_budget)
ON CONFLICT (account_id, profile_id) DO UPDATE
   SET country_code = excluded.country_code, currency_code = excluded.currency_code, name = excluded.name
"""


def raw(connection: Connection, rows: Rows) -> None:
    """One COPY and one merge for each table, in one transaction, with nothing that makes it safe."""
    parameters: dict[str, Any] = {"user": connection.owner_id, "connection": connection.pk}
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


# --- The ORM ----------------------------------------------------------------------------------------------


def _defaults(connection: Connection, account: StagedAccount) -> dict[str, Any]:
    return {
        "connection": connection,
        "source": account.source,
        "name": account.name,
        "account_type": Account.Type.SELLER,
        "status": account.status,
        "amazon_status": account.amazon_status,
        "countries": account.countries,
        "errors": {},
        "metadata": msgspec.json.decode(account.metadata),
        "updated_at": timezone.now(),
    }


def _profile_defaults(profile: StagedProfile, account: StagedAccount) -> dict[str, Any]:
    names = PROFILE_COLUMNS[2:-1]
    return {name: getattr(profile, name) for name in names} | {"ads_entity_id": account.profile_entities[0]}


def update_or_create(connection: Connection, rows: Rows) -> None:
    for staged, told in zip(rows.accounts[:SAMPLE], rows.profiles[:SAMPLE], strict=True):
        account, _ = Account.objects.update_or_create(
            user_id=connection.owner_id,
            amazon_account_id=staged.amazon_account_id,
            defaults=_defaults(connection, staged),
        )
        AccountAccess.objects.update_or_create(
            account=account, connection=connection, defaults={"seen_in": staged.seen_in}
        )
        Profile.objects.update_or_create(
            account=account, profile_id=told.profile_id, defaults=_profile_defaults(told, staged)
        )


def bulk_create(connection: Connection, rows: Rows) -> None:
    accounts = [
        Account(
            user_id=connection.owner_id,
            amazon_account_id=staged.amazon_account_id,
            **_defaults(connection, staged),
        )
        for staged in rows.accounts
    ]
    fields = list(_defaults(connection, rows.accounts[0]))
    Account.objects.bulk_create(
        accounts,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["user", "amazon_account_id"],
        update_fields=fields,
    )
    ids = dict(Account.objects.filter(user_id=connection.owner_id).values_list("amazon_account_id", "pk"))
    AccountAccess.objects.bulk_create(
        [
            AccountAccess(
                account_id=ids[staged.amazon_account_id], connection=connection, seen_in=staged.seen_in
            )
            for staged in rows.accounts
        ],
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["account", "connection"],
        update_fields=["seen_in"],
    )
    profiles = [
        Profile(
            account_id=ids[staged.amazon_account_id],
            profile_id=told.profile_id,
            **_profile_defaults(told, staged),
        )
        for staged, told in zip(rows.accounts, rows.profiles, strict=True)
    ]
    Profile.objects.bulk_create(
        profiles,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["account", "profile_id"],
        update_fields=list(_profile_defaults(rows.profiles[0], rows.accounts[0])),
    )
