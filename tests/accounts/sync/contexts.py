"""Staged rows and the context of a claimed run, for tests of the storing modules without Amazon."""

from typing import Any

from django.db import connection as database
from psycopg import sql

from accounts.models import Account
from accounts.sync.claims import claim_run
from accounts.sync.coverage import Coverage
from accounts.sync.listing import Outcome
from accounts.sync.merge import Merged, merge_rows
from accounts.sync.requests import open_run
from accounts.sync.rows import StagedAccount, StagedProfile
from accounts.sync.run_context import RunContext
from accounts.sync.staging import stage_accounts
from tests.accounts.sync.runs import MANUAL
from tokens.models import Connection

SCOPE = "ads_accounts"


def open_context(connection: Connection, *regions: str) -> RunContext:
    """Return the context of a new run that has read its ads accounts and the profiles of these regions."""
    coverage = Coverage()
    for region in regions:
        coverage.start_listing(Account.Source.PROFILES, region)
    for listing in coverage.listings:
        listing.end(Outcome.COMPLETE)
    return RunContext(claim_run(open_run(connection, trigger=MANUAL).pk), coverage)


def make_account(key: str, **fields: Any) -> StagedAccount:
    given: dict[str, Any] = {"name": f"Account {key}", "account_type": None, "status": Account.Status.ACTIVE}
    return StagedAccount(key, Account.Source.ADS_ACCOUNTS, [SCOPE], **(given | fields))


def make_profile(profile_id: str, **fields: Any) -> StagedProfile:
    given: dict[str, Any] = {
        "region": "EU",
        "country_code": "DE",
        "marketplace_id": "A1PA6795UKMFR9",
        "currency_code": "EUR",
        "timezone": "Europe/Paris",
        "type": "seller",
        "subtype": "",
        "name": f"Profile {profile_id}",
        "entity_id": f"ENTITY{profile_id}",
        "access_level": "edit",
        "valid_payment_method": None,
        "daily_budget": None,
        "raw": None,
    }
    return StagedProfile(profile_id, **(given | fields))


def merge(context: RunContext, *accounts: StagedAccount) -> Merged:
    listing = context.coverage.ads_accounts
    assert stage_accounts(context, listing, accounts) == []
    return merge_rows(context, listing, up_to=listing.staged)


def list_staged(context: RunContext, *columns: str) -> list[tuple[Any, ...]]:
    """Return these columns (else key and position) of the staged accounts of the run, without the mark."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns or ("amazon_account_id", "position")))
    statement = sql.SQL(
        "SELECT {} FROM accounts_staged_account WHERE run_id = %s AND walk >= 0"
        " ORDER BY walk, position, amazon_account_id"
    ).format(names)
    with database.cursor() as cursor:
        cursor.execute(statement, [context.claim.run_id])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def empty_staging() -> None:
    """Empty the unlogged tables, as a crash of the database does."""
    with database.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_staged_account, accounts_staged_profile")
