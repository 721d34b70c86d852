"""Reading every list that a connection can see at Amazon, and passing each page to the writer."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from accounts.models import Account
from accounts.sync import rows
from accounts.sync.claims import RunClaim
from accounts.sync.coverage import Coverage
from accounts.sync.listing import PROFILES_EDIT, Listing, Outcome
from accounts.sync.writing import Writer
from amazon_accounts.amazon_ads.answers import Answer, Page
from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient, TokenSource
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ForbiddenError,
    PaceUnavailableError,
    PostponedError,
    TransientError,
    UnauthorizedError,
)
from amazon_accounts.amazon_ads.hosts import Region
from tokens.refresh.access_tokens import ConnectionTokenSource

TOKEN_SECONDS = 5.0
# The maximum in memory at once: one answer holds up to 5,000 profiles.
MAX_PROFILE_ANSWERS = 2
# The maximum of agencies whose advertisers are read at once.
MAX_DSP_LISTINGS = 4

Item = TypeVar("Item", bound=Answer)


class RecentToken:
    """Keeps an access token for TOKEN_SECONDS: one listing may ask for a token twenty times a second."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._token = ""
        self._good_until = 0.0

    async def __call__(self, rejected: str | None = None) -> str:
        if rejected is not None or time.monotonic() >= self._good_until:
            self._token = await self._source(rejected)
            self._good_until = time.monotonic() + TOKEN_SECONDS
        return self._token

    async def renew(self) -> None:
        await self(self._token)


class Reader:
    """Reads Amazon's lists for one run."""

    def __init__(
        self,
        claim: RunClaim,
        amazon: AmazonClient,
        coverage: Coverage,
        writer: Writer,
        *,
        max_wait: float,
        on_progress: Callable[[Sequence[Listing]], None] | None,
    ) -> None:
        self._claim = claim
        self._amazon = amazon
        self._coverage = coverage
        self._writer = writer
        self._max_wait = max_wait
        self._on_progress = on_progress
        self._token = RecentToken(ConnectionTokenSource(claim.connection_id, amazon, max_wait=max_wait))
        self._profile_answers = asyncio.Semaphore(MAX_PROFILE_ANSWERS)
        self._dsp_listings = asyncio.Semaphore(MAX_DSP_LISTINGS)
        self._regions_without_profiles = set(claim.regions)

    async def read_all(self) -> None:
        regions = self._claim.regions
        await run_all(
            [
                self._read_ads_accounts(),
                *(self._read_region(region) for region in regions),
                *(self._read_manager_accounts(region) for region in regions),
            ]
        )

    async def _read_ads_accounts(self) -> None:
        # Every host returns the ads accounts of all regions, so when a host is down the next host is asked.
        listing = self._coverage.ads_accounts
        hosts = list(dict.fromkeys([*self._claim.regions, *Region.values]))
        for host in hosts:
            try:
                await self._read_ads_accounts_of(host, listing)
            except PaceUnavailableError:
                raise
            except (TransientError, PostponedError) as error:
                if host != hosts[-1]:
                    listing.note(error)
                    continue
                listing.fail(error)
            except AmazonError as error:
                listing.fail(error)
            break
        self._writer.ads_accounts_read.set()

    async def _read_ads_accounts_of(self, host: str, listing: Listing) -> None:
        try:
            await self._store_ads_accounts(host, listing)
        except UnauthorizedError:
            # The client has tried a fresh token already.
            raise
        except ForbiddenError as error:
            # Amazon may have refused by mistake, or by what it knew when it issued the token.
            listing.note(error)
            await self._token.renew()
            await self._store_ads_accounts(host, listing)

    async def _store_ads_accounts(self, host: str, listing: Listing) -> None:
        pages = self._count_pages(listing, self.make_api(listing).ads_accounts(host))
        await self._writer.store_pages(
            listing, pages, lambda items: rows.parse_ads_accounts(items, listing.scope)
        )

    async def _read_region(self, region: str) -> None:
        agencies = await self._read_profiles(region)
        self._regions_without_profiles.discard(region)
        if not self._regions_without_profiles:
            self._writer.profiles_read.set()
        else:
            await self._writer.merge_ready()
        await run_all(self._read_dsp_advertisers(region, profile_id) for profile_id in agencies)

    async def _read_profiles(self, region: str) -> list[str]:
        # Amazon lists editable profiles and viewable profiles separately. The editable profiles are read
        # first, and only their ids stay in memory.
        view = self._coverage.start_listing(Account.Source.PROFILES, region)
        edit = self._coverage.start_listing(PROFILES_EDIT, region)
        agencies: set[str] = set()
        editable: set[str] = set()
        shown = self._coverage.shown_profiles[region] = set()
        async with self._profile_answers:
            if (page := await self._ask(edit, self.make_api(edit).profiles(region, "edit"))) is not None:
                editable = {item.profile_id for item in page.items}
                shown |= _with_rejected(editable, page)
                agencies.update(rows.find_agencies(page.items, region))
                await self._writer.stage_profiles(view, page, region, "edit")
        # Without the list of editable profiles, the access level of a viewable profile is unknown.
        access_level = "view" if edit.outcome == Outcome.COMPLETE else None
        async with self._profile_answers:
            if (page := await self._ask(view, self.make_api(view).profiles(region, "view"))) is not None:
                shown |= _with_rejected({item.profile_id for item in page.items}, page)
                agencies.update(rows.find_agencies(page.items, region))
                page.items = [item for item in page.items if item.profile_id not in editable]
                await self._writer.stage_profiles(view, page, region, access_level)
        return sorted(agencies)

    async def _read_manager_accounts(self, region: str) -> None:
        listing = self._coverage.start_listing(Account.Source.MANAGER_ACCOUNTS, region)
        page = await self._ask(listing, self.make_api(listing).manager_accounts(region))
        if page is not None:
            cut = {item.manager_account_id for item in page.items if item.perhaps_cut}
            self._coverage.cut_managers[region] = _with_rejected(cut, page)
            await self._writer.stage_manager_accounts(
                listing, page, lambda items: rows.parse_manager_accounts(items, region)
            )

    async def _read_dsp_advertisers(self, region: str, profile_id: str) -> None:
        listing = self._coverage.start_listing(Account.Source.DSP_ADVERTISERS, region, profile_id)
        async with self._dsp_listings:
            try:
                pages = self._count_pages(listing, self.make_api(listing).dsp_advertisers(region, profile_id))
                await self._writer.store_pages(
                    listing, pages, lambda items: rows.parse_dsp_advertisers(items, listing.scope)
                )
            except PaceUnavailableError:
                raise
            except (AmazonError, PostponedError) as error:
                listing.fail(error)

    def make_api(self, listing: Listing) -> AdsApi:
        api = self._amazon.with_token(
            subject=str(self._claim.connection_id),
            client_id=self._claim.client_id,
            token=self._token,
            max_wait=self._max_wait,
        )
        listing.calls.append(api.stats)
        return api

    async def _ask(self, listing: Listing, call: Awaitable[Page[Item]]) -> Page[Item] | None:
        """Return the answer of a list without pages; note the error and return None if the call failed."""
        try:
            page = await call
        except PaceUnavailableError:
            raise
        except (AmazonError, PostponedError) as error:
            listing.fail(error)
            return None
        self._count(listing, page)
        listing.end(Outcome.CUT if page.cut else Outcome.COMPLETE)
        return page

    async def _count_pages(
        self, listing: Listing, pages: AsyncGenerator[Page[Item], None]
    ) -> AsyncGenerator[Page[Item], None]:
        async with aclosing(pages):
            async for page in pages:
                self._count(listing, page)
                yield page

    def _count(self, listing: Listing, page: Page[Item]) -> None:
        listing.pages += 1
        listing.seen += len(page.items) + len(page.rejected)
        if self._on_progress is not None:
            self._on_progress(self._coverage.listings)


async def run_all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all to their end. The first error cancels the others and is raised itself, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
        return
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
    # "from None" would take away its cause, which tells an outage of the database from other errors.
    raise first


def _with_rejected(identifiers: set[str], page: Page[Item]) -> set[str]:
    # Amazon shows the rejected items as well: an item that cannot be read is not gone.
    return identifiers | {item.identifier for item in page.rejected}
