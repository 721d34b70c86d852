"""Staging: rows from Amazon are copied into unlogged tables, under their run and listing.

Rows of a listing have the positions 1, 2, 3 and so on. Rows at position 0 name accounts that a list shows but
that cannot be stored. Rows at negative positions are parts of manager accounts, which `manager_accounts`
combines.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from operator import attrgetter
from typing import Any, Final

from django.db import DataError, OperationalError
from django.db import connection as database
from django.db.backends.utils import CursorWrapper

from accounts.models import Account
from accounts.sync.claims import RunClaim
from accounts.sync.fences import hold_run
from accounts.sync.listing import Listing
from accounts.sync.row_errors import explain_refusal, is_about_row
from accounts.sync.rows import MAX_ID_BYTES, StagedAccount, StagedProfile
from accounts.sync.run_context import MARK_LISTING, RunContext
from amazon_accounts.amazon_ads.answers import Rejected

ACCOUNT_COLUMNS: Final = (
    "amazon_account_id",
    "new_id",
    "source",
    "seen_in",
    "name",
    "account_type",
    "status",
    "amazon_status",
    "countries",
    "errors",
    "metadata",
    "profile_ids",
    "profile_countries",
    "profile_regions",
    "profile_entities",
    "links",
    "cut_regions",
)
PROFILE_COLUMNS: Final = (
    "profile_id",
    "new_account_id",
    "region",
    "country_code",
    "marketplace_id",
    "currency_code",
    "timezone",
    "type",
    "subtype",
    "name",
    "entity_id",
    "access_level",
    "valid_payment_method",
    "daily_budget",
    "raw",
)

_profile_values = attrgetter(*PROFILE_COLUMNS)


def stage_accounts(
    context: RunContext, listing: Listing, accounts: Sequence[StagedAccount]
) -> list[Rejected]:
    """Stage accounts. This and the next functions return what the database refuses."""
    rejected = _copy_accounts(context, listing, accounts, count(listing.staged + 1))
    listing.staged += len(accounts)
    return rejected


def stage_account_parts(
    context: RunContext, listing: Listing, parts: Sequence[StagedAccount]
) -> list[Rejected]:
    return _copy_accounts(context, listing, parts, count(-len(parts)))


def stage_shown(context: RunContext, listing: Listing, scopes: Mapping[str, Iterable[str]]) -> None:
    """Record that lists show these accounts. `scopes` maps an account id to the scopes that show it."""
    # An account that cannot be stored must not count as gone, and be removed.
    shown = [
        StagedAccount(key, Account.Source(listing.source), sorted(seen_in), "", None, Account.Status.ACTIVE)
        for key, seen_in in scopes.items()
        if 0 < len(key.encode()) <= MAX_ID_BYTES
    ]
    _copy_accounts(context, listing, shown, [0] * len(shown))


def stage_profiles(
    context: RunContext, listing: Listing, profiles: Sequence[StagedProfile]
) -> list[Rejected]:
    _stage_mark(context)
    rows = [(context.claim.run_id, listing.number, *_profile_values(profile)) for profile in profiles]
    refused = _copy(context.claim, "accounts_staged_profile", ("run_id", "walk", *PROFILE_COLUMNS), rows)
    if not all(profile.entity_id for profile in profiles):
        context.has_profiles_without_entity = True
    return [Rejected(profiles[index].profile_id, reason) for index, reason in refused]


def count_staged(cursor: CursorWrapper, listings: Iterable[Listing]) -> int:
    """Count the rows that the statement has staged by their listing; return how many of them only name an account."""
    # The statement has returned listing and position of each row.
    staged = cursor.fetchall()
    found = Counter(number for number, position in staged if position > 0)
    for listing in listings:
        if listing.number in found:
            listing.staged = found[listing.number]
    return len(staged) - found.total()


def _stage_mark(context: RunContext) -> None:
    if not context.is_marked:
        context.is_marked = True
        mark = StagedAccount("mark", Account.Source.ADS_ACCOUNTS, [], "", None, Account.Status.ACTIVE)
        row = (context.claim.run_id, MARK_LISTING, 0, *_account_values(mark))
        _copy(
            context.claim, "accounts_staged_account", ("run_id", "walk", "position", *ACCOUNT_COLUMNS), [row]
        )


def _copy_accounts(
    context: RunContext, listing: Listing, accounts: Sequence[StagedAccount], positions: Iterable[int]
) -> list[Rejected]:
    _stage_mark(context)
    rows = [
        (context.claim.run_id, listing.number, position, *_account_values(account))
        for position, account in zip(positions, accounts, strict=False)
    ]
    refused = _copy(
        context.claim, "accounts_staged_account", ("run_id", "walk", "position", *ACCOUNT_COLUMNS), rows
    )
    return [Rejected(accounts[index].amazon_account_id, reason) for index, reason in refused]


def _account_values(account: StagedAccount) -> tuple[Any, ...]:
    return (
        account.amazon_account_id,
        account.new_id,
        account.source.value,
        _array(account.seen_in),
        account.name,
        account.account_type and account.account_type.value,
        account.status.value,
        account.amazon_status,
        _array(account.countries),
        account.errors,
        account.metadata,
        _array(account.profile_ids),
        _array(account.profile_countries),
        _array(account.profile_regions),
        _array(account.profile_entities),
        account.links,
        None if account.cut_regions is None else _array(account.cut_regions),
    )


def _array(values: Sequence[str]) -> str:
    # The text form of an array in PostgreSQL. Several times faster than the conversion of the driver.
    if not values:
        return "{}"
    text = "".join(values)
    if '"' in text or "\\" in text:
        values = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(values) + '"}'


def _copy(
    claim: RunClaim, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> list[tuple[int, str]]:
    """Copy the rows; return the index of each row that the database refuses, with the reason."""
    if not rows:
        return []
    try:
        with (
            hold_run(claim) as cursor,
            # Django translates the errors of `execute`, but not the errors of COPY.
            database.wrap_database_errors,
            cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)
    except (DataError, OperationalError) as error:
        if not is_about_row(error):
            raise
        if len(rows) == 1:
            return [(0, explain_refusal(error))]
        # COPY stores all rows or none, so the rows are halved until the refused row is alone.
        half = len(rows) // 2
        before = _copy(claim, table, columns, rows[:half])
        after = _copy(claim, table, columns, rows[half:])
        return before + [(half + index, reason) for index, reason in after]
    return []
