"""How fast a sync stores accounts from memory: part of `python -m tests.bench.sync`.

Each of the accounts has one profile. They are staged and merged as a sync does it, without Amazon.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.db import connection as database

from accounts.models import SyncRun
from accounts.sync.absence import count_accounts, remove_unseen
from accounts.sync.claims import claim_run, close_run
from accounts.sync.coverage import Coverage
from accounts.sync.listing import Outcome
from accounts.sync.merge import CHUNK_ROWS, merge_rows
from accounts.sync.profile_accounts import stage_profile_accounts
from accounts.sync.requests import open_run
from accounts.sync.rows import StagedAccount, StagedProfile, parse_ads_accounts, parse_profiles
from accounts.sync.run_context import RunContext
from accounts.sync.staging import stage_accounts, stage_profiles
from amazon_accounts.amazon_ads.answers import read_ads_accounts, read_profiles
from tests.teams import team_of
from tokens.models import Connection

COUNTRIES = {"US": "NA", "DE": "EU", "JP": "FE"}
TABLES = ["user_accounts", "accounts_accountaccess", "accounts_profile"]


@dataclass
class Rows:
    accounts: list[StagedAccount]
    profiles: list[StagedProfile]


@dataclass(frozen=True)
class Measured:
    seconds: float
    # CPU time of this process and of its database session, which a busy machine does not make longer.
    cpu_seconds: float
    wal_bytes: int
    rows_written: int


def make_rows(number: int, *, changed_every: int = 0) -> Rows:
    """Return rows as a sync would stage them. One of `changed_every` accounts has another name."""
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
    reported = read_profiles(profiles)
    return Rows(
        parse_ads_accounts(listed.items, "ads_accounts").accounts,
        [
            row
            for item in reported.items
            for row in parse_profiles([item], COUNTRIES[item.country_code], "edit").profiles
        ],
    )


def empty_tables() -> None:
    with database.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)}, accounts_accountsearch, accounts_syncrun CASCADE")
        cursor.execute("TRUNCATE accounts_staged_account, accounts_staged_profile")


def new_connection(owner: User) -> Connection:
    return Connection.objects.create(
        team=team_of(owner), owner=owner, label="Bench", client_id="bench", refresh_token="none"
    )


def measure(function: Callable[[], None]) -> Measured:
    """Run the function on vacuumed tables."""
    with database.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        # The first reader of the new statistics sets their hint bits, which writes WAL. It must not be the
        # function.
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
    # The server runs on the same machine.
    fields = Path(f"/proc/{backend}/stat").read_text().rsplit(")", 1)[1].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class StoredRows:
    """A run that has read these rows and stores them."""

    def __init__(self, connection: Connection, rows: Rows) -> None:
        self.rows = rows
        run = open_run(connection, trigger=SyncRun.Trigger.MANUAL)
        self.claim = claim_run(run.pk)
        self.coverage = Coverage()
        self.context = RunContext(self.claim, self.coverage)
        for region in COUNTRIES.values():
            self.coverage.start_listing("profiles", region)
        for listing in self.coverage.listings:
            listing.end(Outcome.COMPLETE)

    def store(self) -> None:
        listing, first_region = self.coverage.listings[:2]
        stage_profiles(self.context, first_region, self.rows.profiles)
        for first in range(0, len(self.rows.accounts), CHUNK_ROWS):
            stage_accounts(self.context, listing, self.rows.accounts[first : first + CHUNK_ROWS])
            merge_rows(self.context, listing, up_to=listing.staged)
        stage_profile_accounts(self.context)
        self.context.complete_scopes = ["ads_accounts", "profiles:NA", "profiles:EU", "profiles:FE"]
        remove_unseen(self.context)
        count_accounts(self.context)

    def close(self) -> None:
        close_run(self.claim, SyncRun.State.SUCCEEDED, self.coverage.listings)
        SyncRun.objects.all().delete()


def measure_store(connection: Connection, rows: Rows) -> Measured:
    stored = StoredRows(connection, rows)
    measured = measure(stored.store)
    stored.close()
    return measured
