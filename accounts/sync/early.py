"""Merging ads accounts before all regions are read, so that who waits sees results although one region is slow.

An account whose profiles are all in regions that were read cannot change by what is still to be read. It is merged from
a copy of its staged row. Later it is merged once more with all others, which then finds it unchanged.
"""

from typing import Final

from accounts.models import Account, BatchItem
from accounts.models.sync import UNFINISHED
from accounts.signals import accounts_stored
from accounts.sync.listing import Listing
from accounts.sync.merge import CHUNK_ROWS, Merged, merge_rows
from accounts.sync.run_context import RunContext
from amazon_accounts.postgresql.statements import load

COPY_READY: Final = load(__file__, "copy_ready_rows")
DELETE_COPIES: Final = load(__file__, "delete_copied_rows")
# The number of a listing that does not exist. MARK_LISTING is another one.
COPIES: Final = -2


class EarlyMerge:
    """Merges what is ready, if anybody waits for it."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._copied_up_to = 0
        self._copied_regions: list[str] = []
        self._is_awaited: bool | None = None

    def merge_ready(self) -> None:
        ads_accounts = self._context.coverage.ads_accounts
        regions = list(self._context.parameters()["complete_regions"])
        if not regions or not ads_accounts.staged or not self._is_wanted():
            return
        parameters = self._context.parameters(
            listing=ads_accounts.number,
            copies=COPIES,
            copied_up_to=self._copied_up_to,
            copied_regions=self._copied_regions,
        )
        copies = Listing(COPIES, ads_accounts.source)
        with self._context.open_staging() as cursor:
            cursor.execute(COPY_READY, parameters)
            copies.staged = cursor.rowcount
        while copies.merged < copies.staged:
            merged = merge_and_tell(
                self._context, copies, up_to=min(copies.merged + CHUNK_ROWS, copies.staged)
            )
            # What is unchanged is counted at the end, and what is refused is refused again with all others.
            ads_accounts.created += merged.created
            ads_accounts.changed += merged.changed
        with self._context.open_staging() as cursor:
            cursor.execute(DELETE_COPIES, parameters)
        self._copied_up_to, self._copied_regions = ads_accounts.staged, regions

    def _is_wanted(self) -> bool:
        if self._is_awaited is None:
            waiting = BatchItem.objects.filter(run=self._context.claim.run_id, state__in=UNFINISHED)
            self._is_awaited = waiting.exists()
        return self._is_awaited


def merge_and_tell(context: RunContext, listing: Listing, *, up_to: int) -> Merged:
    """Merge the staged rows of this listing up to a position, and tell who waits for them."""
    after = listing.merged
    merged = merge_rows(context, listing, up_to=up_to)
    accounts_stored.send(
        sender=Account,
        run_id=context.claim.run_id,
        listing=listing.number,
        after=after,
        up_to=up_to,
        refused=[item.identifier for item in merged.rejected],
    )
    return merged
