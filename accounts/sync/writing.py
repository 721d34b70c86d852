"""Storing what is read in the order in which it can be stored: staged at once, merged when its parts are known."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import ParamSpec, TypeVar

from accounts.models import Account
from accounts.sync import rows
from accounts.sync.claims import RunClaim
from accounts.sync.coverage import Coverage
from accounts.sync.listing import Listing, Outcome
from accounts.sync.merge import CHUNK, Store
from accounts.sync.rows import Rows
from accounts.sync.schedule import sync_soon
from amazon_accounts.amazon_ads.answers import Answer, Page, ProfileAnswer
from amazon_accounts.postgresql.threads import in_thread

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Item = TypeVar("Item", bound=Answer)


class Writer:
    """Stages and merges what a Reader reads, one statement of the run at a time."""

    def __init__(self, claim: RunClaim, coverage: Coverage) -> None:
        self.ads_accounts_read = asyncio.Event()
        # Of every region.
        self.profiles_read = asyncio.Event()
        self._coverage = coverage
        self._store = Store(claim)
        # A run uses one database connection, so that a few runs cannot take the whole pool.
        self._database = asyncio.Lock()
        # An account can be merged when its profiles, or the agency above it, are known.
        self._mergeable: set[str] = set()

    async def store_pages(
        self,
        listing: Listing,
        pages: AsyncGenerator[Page[Item], None],
        to_rows: Callable[[list[Item]], Rows],
    ) -> None:
        """Read the pages to their end, and store up to a thousand items while the next pages are on their way."""
        storing = asyncio.create_task(asyncio.sleep(0))
        waiting: Page[Item] = Page([])
        is_cut = False
        try:
            async with aclosing(pages):
                async for page in pages:
                    is_cut = page.cut
                    waiting.items += page.items
                    waiting.rejected += page.rejected
                    if len(waiting.items) >= CHUNK:
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
        await self._in_database(self._stage_profiles, listing, page, region, access_level)

    async def stage_manager_accounts(
        self, listing: Listing, page: Page[Item], to_rows: Callable[[list[Item]], Rows]
    ) -> None:
        await self._in_database(self._stage_accounts, listing, page, to_rows, to_combine=True)

    def note_complete_profiles(self, listing: Listing) -> None:
        if listing.proves_absence:
            self._store.complete_regions.append(listing.region)

    def note_complete_managers(self, listing: Listing) -> None:
        if listing.proves_absence:
            self._store.complete_manager_regions.append(listing.region)

    async def merge_while_reading(self) -> None:
        """Merge ads accounts once all profiles are known, then the accounts that only profiles show."""
        ads_accounts = self._coverage.ads_accounts
        await self.profiles_read.wait()
        self._mergeable.add(Account.Source.ADS_ACCOUNTS)
        await self._merge(ads_accounts, at_least=CHUNK)
        await self.ads_accounts_read.wait()
        await self._merge(ads_accounts)
        await self._in_database(
            self._store.stage_profile_accounts,
            self._coverage.listings,
            # A record without an id may be any account, and name any profile.
            list_is_complete=ads_accounts.proves_absence,
        )
        await self._merge_all(Account.Source.PROFILES)
        self._mergeable.add(Account.Source.DSP_ADVERTISERS)
        await self._merge_all(Account.Source.DSP_ADVERTISERS, at_least=CHUNK)

    async def finish(self) -> None:
        """Merge the rest, and take away what the lists do not show any more."""
        await self._merge_all(Account.Source.DSP_ADVERTISERS)
        await self._merge_manager_accounts()
        await self._take_away()

    async def _in_database(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        async with self._database:
            return await in_thread(function)(*args, **kwargs)

    async def _store_items(
        self, listing: Listing, page: Page[Item], to_rows: Callable[[list[Item]], Rows]
    ) -> None:
        await self._in_database(self._stage_accounts, listing, page, to_rows)
        if listing.source in self._mergeable:
            await self._merge(listing, at_least=CHUNK)

    def _stage_accounts(
        self,
        listing: Listing,
        page: Page[Item],
        to_rows: Callable[[list[Item]], Rows],
        *,
        to_combine: bool = False,
    ) -> None:
        found = to_rows(page.items)
        refused = self._store.stage_accounts(listing, found.accounts, to_combine=to_combine)
        rejected = [*page.rejected, *found.rejected, *refused]
        listing.reject(rejected)
        listing.note_omissions(found.omissions)
        # Amazon shows these accounts, though we cannot store them: they must not be taken away.
        self._store.stage_as_shown(
            listing,
            {item.identifier: found.scopes.get(item.identifier, {listing.scope}) for item in rejected},
        )

    def _stage_profiles(
        self, listing: Listing, page: Page[ProfileAnswer], region: str, access_level: str | None
    ) -> None:
        found = rows.profiles(page.items, region, access_level)
        refused = self._store.stage_profiles(listing, found.profiles)
        listing.reject([*page.rejected, *found.rejected, *refused])
        listing.note_omissions(found.omissions)
        # A profile that cannot be stored may belong to any account, so the listing proves no account's absence.
        listing.is_incomplete = listing.is_incomplete or bool(listing.rejected)

    async def _merge(self, listing: Listing, *, at_least: int = 1) -> None:
        while await self._in_database(self._merge_chunk, listing, at_least):
            pass

    def _merge_chunk(self, listing: Listing, at_least: int) -> bool:
        """Merge up to a thousand rows of the listing; return False when fewer than `at_least` rows wait."""
        if listing.staged - listing.merged < at_least:
            return False
        merged = self._store.merge(listing, upto=min(listing.merged + CHUNK, listing.staged))
        listing.created += merged.created
        listing.changed += merged.changed
        listing.unchanged += merged.unchanged
        listing.reject(merged.rejected)
        return True

    async def _merge_all(self, source: str, *, at_least: int = 1) -> None:
        for listing in self._coverage.listings_of(source):
            await self._merge(listing, at_least=at_least)

    async def _merge_manager_accounts(self) -> None:
        scopes = await self._in_database(self._store.scopes)
        self._store.walked = [scope for scope in scopes if self._coverage.proves_absence(scope)]
        await self._in_database(self._store.stage_manager_accounts, self._coverage.listings)
        await self._merge_all(Account.Source.MANAGER_ACCOUNTS)
        await self._in_database(self._store.merge_links)

    async def _take_away(self) -> None:
        listings = self._coverage.listings
        removal = await self._in_database(
            self._store.take_away, with_rejected=any(listing.rejected for listing in listings)
        )
        await self._in_database(sync_soon, removal.heirs)
        counted = await self._in_database(self._store.count_accounts)
        for listing in listings:
            listing.unchanged = max(0, counted.get(listing.number, 0) - listing.created - listing.changed)
        for scope, count in removal.gone.items():
            if (source := self._coverage.source_listing(scope)) is not None:
                source.gone += count
        for scope, count in removal.unconfirmed.items():
            if (source := self._coverage.source_listing(scope)) is not None:
                source.mark_unconfirmed(count)
