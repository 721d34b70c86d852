"""Storing the pages of a run: a page is staged at once, and merged when everything it refers to is known."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import ParamSpec, TypeVar

from accounts.models import Account
from accounts.sync import absence, manager_accounts, rows, staging
from accounts.sync.claims import RunClaim
from accounts.sync.coverage import Coverage
from accounts.sync.early import EarlyMerge, merge_and_tell
from accounts.sync.listing import Listing, Outcome
from accounts.sync.merge import CHUNK_ROWS
from accounts.sync.next_sync import sync_soon
from accounts.sync.profile_accounts import stage_profile_accounts
from accounts.sync.rows import Rows
from accounts.sync.run_context import RunContext
from amazon_accounts.amazon_ads.answers import Answer, Page, ProfileAnswer
from amazon_accounts.postgresql.threads import in_thread

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Item = TypeVar("Item", bound=Answer)


class Writer:
    """Stages and merges the pages that a Reader reads, with one database connection."""

    def __init__(self, claim: RunClaim, coverage: Coverage) -> None:
        self.ads_accounts_read = asyncio.Event()
        # Set when the profiles of every region have been read.
        self.profiles_read = asyncio.Event()
        # Set when the accounts that have profiles are merged.
        self.profiles_merged = asyncio.Event()
        self._coverage = coverage
        self._context = RunContext(claim, coverage)
        self._early = EarlyMerge(self._context)
        # One thread at a time uses the database, so that a few runs cannot take the whole connection pool.
        self._database = asyncio.Lock()
        # Ads accounts can be merged when all profiles are known, DSP advertisers when their agencies are
        # known.
        self._mergeable: set[str] = set()

    async def store_pages(
        self,
        listing: Listing,
        pages: AsyncGenerator[Page[Item], None],
        to_rows: Callable[[list[Item]], Rows],
    ) -> None:
        # While up to a thousand items are stored, the next pages are requested.
        storing = asyncio.create_task(asyncio.sleep(0))
        waiting: Page[Item] = Page([])
        is_cut = False
        try:
            async with aclosing(pages):
                async for page in pages:
                    is_cut = page.cut
                    waiting.items += page.items
                    waiting.rejected += page.rejected
                    if len(waiting.items) >= CHUNK_ROWS:
                        await storing
                        storing = asyncio.create_task(self._store_items(listing, waiting, to_rows))
                        waiting = Page([])
        finally:
            await storing
            await self._store_items(listing, waiting, to_rows)
        listing.end(Outcome.CUT if is_cut else Outcome.COMPLETE)

    async def stage_profiles(
        self, listing: Listing, page: Page[ProfileAnswer], region: str, access_level: str | None
    ) -> None:
        await self.in_database(self._stage_profiles, listing, page, region, access_level)

    async def stage_manager_accounts(
        self, listing: Listing, page: Page[Item], to_rows: Callable[[list[Item]], Rows]
    ) -> None:
        await self.in_database(self._stage_accounts, listing, page, to_rows, are_parts=True)

    async def merge_ready(self) -> None:
        """Merge the ads accounts that need nothing of the regions that are still being read."""
        await self.in_database(self._early.merge_ready)

    async def merge_while_reading(self) -> None:
        # Ads accounts need their profiles. Profile-only accounts need all ads accounts. DSP advertisers need
        # both, because the account of an agency profile becomes their parent.
        ads_accounts = self._coverage.ads_accounts
        await self.profiles_read.wait()
        self._mergeable.add(Account.Source.ADS_ACCOUNTS)
        await self._merge(ads_accounts, at_least=CHUNK_ROWS)
        await self.ads_accounts_read.wait()
        await self._merge(ads_accounts)
        await self.in_database(stage_profile_accounts, self._context)
        await self._merge_all(Account.Source.PROFILES)
        self.profiles_merged.set()
        self._mergeable.add(Account.Source.DSP_ADVERTISERS)
        await self._merge_all(Account.Source.DSP_ADVERTISERS, at_least=CHUNK_ROWS)

    async def finish(self) -> None:
        # Manager accounts link accounts of all lists, and absence is decided when all lists are known.
        await self._merge_all(Account.Source.DSP_ADVERTISERS)
        await self._merge_manager_accounts()
        await self._remove_unseen()

    async def in_database(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        async with self._database:
            return await in_thread(function)(*args, **kwargs)

    async def _store_items(
        self, listing: Listing, page: Page[Item], to_rows: Callable[[list[Item]], Rows]
    ) -> None:
        await self.in_database(self._stage_accounts, listing, page, to_rows)
        if listing.is_ads_accounts and not self.profiles_read.is_set():
            await self.merge_ready()
        if listing.source in self._mergeable:
            await self._merge(listing, at_least=CHUNK_ROWS)

    def _stage_accounts(
        self,
        listing: Listing,
        page: Page[Item],
        to_rows: Callable[[list[Item]], Rows],
        *,
        are_parts: bool = False,
    ) -> None:
        found = to_rows(page.items)
        stage = staging.stage_account_parts if are_parts else staging.stage_accounts
        refused = stage(self._context, listing, found.accounts)
        rejected = [*page.rejected, *found.rejected, *refused]
        listing.reject(rejected)
        listing.note_omissions(found.omissions)
        # Amazon shows the rejected accounts as well, so access to them must not be removed.
        staging.stage_shown(
            self._context,
            listing,
            {item.identifier: found.scopes.get(item.identifier, {listing.scope}) for item in rejected},
        )

    def _stage_profiles(
        self, listing: Listing, page: Page[ProfileAnswer], region: str, access_level: str | None
    ) -> None:
        found = rows.parse_profiles(page.items, region, access_level)
        refused = staging.stage_profiles(self._context, listing, found.profiles)
        listing.reject([*page.rejected, *found.rejected, *refused])
        listing.note_omissions(found.omissions)
        # A profile that cannot be stored may belong to any account, so the listing proves no account's
        # absence.
        listing.is_incomplete = listing.is_incomplete or bool(listing.rejected)

    async def _merge(self, listing: Listing, *, at_least: int = 1) -> None:
        while await self.in_database(self._merge_chunk, listing, at_least):
            pass

    def _merge_chunk(self, listing: Listing, at_least: int) -> bool:
        if listing.staged - listing.merged < at_least:
            return False
        merged = merge_and_tell(
            self._context, listing, up_to=min(listing.merged + CHUNK_ROWS, listing.staged)
        )
        listing.created += merged.created
        listing.changed += merged.changed
        listing.unchanged += merged.unchanged
        listing.reject(merged.rejected)
        return True

    async def _merge_all(self, source: str, *, at_least: int = 1) -> None:
        for listing in self._coverage.listings_of(source):
            await self._merge(listing, at_least=at_least)

    async def _merge_manager_accounts(self) -> None:
        await self.in_database(absence.record_complete_scopes, self._context)
        await self.in_database(manager_accounts.combine_manager_accounts, self._context)
        await self._merge_all(Account.Source.MANAGER_ACCOUNTS)
        await self.in_database(manager_accounts.merge_links, self._context)

    async def _remove_unseen(self) -> None:
        listings = self._coverage.listings
        removal = await self.in_database(absence.remove_unseen, self._context)
        await self.in_database(sync_soon, removal.new_owners)
        counted = await self.in_database(absence.count_accounts, self._context)
        for listing in listings:
            # An account that several lists show may be written by one listing and counted by another.
            listing.unchanged = max(0, counted.get(listing.number, 0) - listing.created - listing.changed)
        for scope, count in removal.gone.items():
            if (source := self._coverage.source_listing(scope)) is not None:
                source.gone += count
        for scope, count in removal.missed.items():
            if (source := self._coverage.source_listing(scope)) is not None:
                source.note_missed(count)
        for scope, count in removal.doubtful.items():
            if (source := self._coverage.source_listing(scope)) is not None:
                source.mark_unconfirmed(count)
