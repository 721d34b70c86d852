"""Merging: one statement compares up to a thousand staged rows with the stored rows and writes the
differences.

Only the connection of an account writes the account's data. Other connections that see the account write
their access row. They take the account over when its connection fails or does not see the account any more.
"""

from dataclasses import dataclass
from typing import Final

from django.db import DataError, IntegrityError, OperationalError
from django.db import connection as database
from django.db.backends.utils import CursorWrapper
from tenacity import retry, retry_if_exception, stop_after_attempt

from accounts.models import Account
from accounts.sync.listing import Listing
from accounts.sync.row_errors import explain_refusal, is_about_row, is_deadlock
from accounts.sync.run_context import RunContext
from amazon_accounts.amazon_ads.answers import Rejected
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.postgresql.statements import load

# The maximum for one statement.
CHUNK_ROWS: Final = 1000
MAX_ATTEMPTS: Final = 3

ADOPT: Final = load(__file__, "adopt_profile_only_accounts")
FIND_STAGED_KEY: Final = load(__file__, "find_staged_key")
# An unchanged row is neither written nor locked. ON CONFLICT DO UPDATE would lock every row that it meets and
# write a kilobyte of WAL for each.
MERGE: Final = load(__file__, "merge_accounts")
SEES_PROFILE_ONLY: Final = load(__file__, "sees_profile_only_accounts")

PROFILE_SCOPES: Final = [f"{Account.Source.PROFILES}:{region}" for region in Region.values]


@dataclass(frozen=True)
class Merged:
    """Counts of merged rows, and the rows that could not be stored."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: tuple[Rejected, ...] = ()

    def __add__(self, other: "Merged") -> "Merged":
        return Merged(
            self.created + other.created,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
        )


def merge_rows(context: RunContext, listing: Listing, *, up_to: int) -> Merged:
    """Merge the staged rows of this listing up to a position."""
    merged = _merge_range(context, listing, listing.merged, up_to)
    listing.merged = up_to
    return merged


def _merge_range(context: RunContext, listing: Listing, after: int, up_to: int) -> Merged:
    try:
        return _merge_once(context, listing, after, up_to)
    except (DataError, IntegrityError, OperationalError) as error:
        if not is_about_row(error):
            raise
        if up_to - after == 1:
            key = _find_key(context, listing, up_to)
            return Merged(rejected=(Rejected(key, explain_refusal(error)),))
    # One bad row fails its whole statement, so the range is halved until the bad row is alone.
    middle = (after + up_to) // 2
    return _merge_range(context, listing, after, middle) + _merge_range(context, listing, middle, up_to)


# A batch operation locks accounts in another order, so a deadlock is possible and the statement is repeated.
@retry(retry=retry_if_exception(is_deadlock), stop=stop_after_attempt(MAX_ATTEMPTS), reraise=True)
def _merge_once(context: RunContext, listing: Listing, after: int, up_to: int) -> Merged:
    parameters = context.parameters(listing=listing.number, after=after, up_to=up_to)
    with context.open_accounts() as cursor:
        if listing.is_ads_accounts and _may_adopt(context, cursor):
            cursor.execute(ADOPT, parameters)
        cursor.execute(MERGE, parameters)
        created, changed, seen = cursor.fetchone()
    return Merged(created, changed, seen - created - changed)


def _may_adopt(context: RunContext, cursor: CursorWrapper) -> bool:
    if context.may_adopt is None:
        cursor.execute(SEES_PROFILE_ONLY, context.parameters(profile_scopes=PROFILE_SCOPES))
        context.may_adopt = cursor.fetchone() == (True,)
    return context.may_adopt


def _find_key(context: RunContext, listing: Listing, position: int) -> str:
    with database.cursor() as cursor:
        cursor.execute(FIND_STAGED_KEY, context.parameters(listing=listing.number, position=position))
        found = cursor.fetchone()
    return found[0] if found else f"item {position}"
