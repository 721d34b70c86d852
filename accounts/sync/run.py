"""Synchronising one connection: every list of Amazon's walked to its end, and stored while the next page comes."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing, suppress
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError

from accounts.models import Account, SyncRun
from accounts.sync import requests as runs
from accounts.sync import rows as pictures
from accounts.sync.listing import PROFILES_EDIT, Listing, Outcome, explanation, state_of
from accounts.sync.merge import CHUNK, StagingLost, Store
from accounts.sync.requests import AnotherRunActiveError, RunClaim, RunLostError, RunTakenError
from accounts.sync.rows import Rows
from amazon_accounts.amazon_ads.answers import Answer, Page, ProfileAnswer
from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient, TokenSource
from amazon_accounts.amazon_ads.errors import AmazonError, PostponedError, TransientError
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.postgresql.threads import in_thread
from tokens.models import Connection
from tokens.refresh.one import ConnectionTokenSource

logger = logging.getLogger(__name__)

STOPPED = "The process that ran it was stopped."
POLL_SECONDS = 0.5
TOKEN_SECONDS = 5.0
# Answers of up to 5,000 profiles that are in memory at once.
PROFILE_ANSWERS = 2
# Agencies whose advertisers are read at once.
DSP_WALKS = 4

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Item = TypeVar("Item", bound=Answer)


async def sync_connection(
    run_id: UUID,
    amazon: AmazonClient,
    *,
    max_wait: float = MAX_WAIT_SECONDS,
    on_progress: Callable[[Sequence[Listing]], None] | None = None,
) -> SyncRun:
    """Claim this waiting run, bring its connection's picture up to date and return the run as it ended.

    No call to Amazon waits longer than `max_wait` seconds for its turn; what would is put back in the queue, and the run
    returned waits again. Raises RunTakenError or AnotherRunActiveError if there is nothing to claim.
    """
    claim = await _claimed(run_id)
    synchronisation = SyncRunner(claim, amazon, max_wait=max_wait, on_progress=on_progress)
    is_settled = False
    try:
        await synchronisation.run()
        is_settled = True
    except RunLostError:
        is_settled = True
        logger.warning("Sync run %s is not ours any more.", run_id, extra={"action": "sync_lost"})
        await in_thread(runs.abandon)(claim, synchronisation.listings)
    except StagingLost:
        is_settled = True
        logger.warning("Sync run %s begins again.", run_id, extra={"action": "sync_staging_lost"})
        with suppress(RunLostError):
            await in_thread(runs.give_up)(
                claim, synchronisation.listings, "The database crashed and lost what had been read."
            )
    except asyncio.CancelledError:
        is_settled = True
        with suppress(RunLostError):
            await asyncio.shield(in_thread(runs.give_up)(claim, synchronisation.listings, STOPPED))
        raise
    finally:
        if not is_settled:
            with suppress(RunLostError):
                await in_thread(runs.close)(
                    claim,
                    SyncRun.State.FAILED,
                    synchronisation.listings,
                    "A fault of ours ended it; the log tells more.",
                )
    return await in_thread(SyncRun.objects.get)(pk=run_id)


async def _claimed(run_id: UUID) -> RunClaim:
    """Claim the run; if this process is stopped in the middle of it, give it back."""
    claiming = asyncio.ensure_future(in_thread(runs.claim)(run_id))
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        with suppress(RunTakenError, AnotherRunActiveError, RunLostError):
            await in_thread(runs.give_up)(await claiming, [], STOPPED)
        raise


async def sync_now(
    connection: Connection,
    amazon: AmazonClient,
    *,
    max_wait: float = MAX_WAIT_SECONDS,
    on_progress: Callable[[Sequence[Listing]], None] | None = None,
    on_waiting: Callable[[], None] = lambda: None,
) -> SyncRun:
    """Sync this connection here and now; if a worker has begun to, wait for its run to end and then sync."""
    while True:
        run = await in_thread(runs.request)(connection, trigger=SyncRun.Trigger.MANUAL)
        if run.state != SyncRun.State.WAITING:
            return run
        try:
            return await sync_connection(run.pk, amazon, max_wait=max_wait, on_progress=on_progress)
        except AnotherRunActiveError:
            pass
        except RunTakenError:
            # A worker took it from under our hands. It began after we asked, so its picture is as new as ours.
            if (ended := await _ended(run.pk, on_waiting)) is not None:
                return ended
        on_waiting()
        await in_thread(runs.rescue)()
        await asyncio.sleep(POLL_SECONDS)


async def _ended(run_id: UUID, on_waiting: Callable[[], None]) -> SyncRun | None:
    """Wait for a run to end; None if it was put back in the queue."""
    while True:
        run = await in_thread(SyncRun.objects.get)(pk=run_id)
        if run.state != SyncRun.State.RUNNING:
            return run if run.finished_at else None
        on_waiting()
        await in_thread(runs.rescue)()
        await asyncio.sleep(POLL_SECONDS)


class RecentToken:
    """Remembers a token for a moment: it was good for a minute when we got it, and a listing asks twenty times a second."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._token = ""
        self._good_until = 0.0

    async def __call__(self, rejected: str | None = None) -> str:
        if rejected is not None or time.monotonic() >= self._good_until:
            self._token = await self._source(rejected)
            self._good_until = time.monotonic() + TOKEN_SECONDS
        return self._token


class SyncRunner:
    """One run. Its listings tell how far it is."""

    def __init__(
        self,
        claim: RunClaim,
        amazon: AmazonClient,
        *,
        max_wait: float,
        on_progress: Callable[[Sequence[Listing]], None] | None = None,
    ) -> None:
        self.listings: list[Listing] = []
        self._claim = claim
        self._amazon = amazon
        self._max_wait = max_wait
        self._on_progress = on_progress
        self._token = RecentToken(ConnectionTokenSource(claim.connection_id, amazon, max_wait=max_wait))
        self._store = Store(claim)
        # One database connection for each run: storing must not take them all.
        self._database = asyncio.Lock()
        self._profile_answers = asyncio.Semaphore(PROFILE_ANSWERS)
        self._dsp_walks = asyncio.Semaphore(DSP_WALKS)
        self._list = self._new_walk(Account.Source.ADS_ACCOUNTS)
        self._listed = asyncio.Event()
        self._regions_without_profiles = set(claim.regions)
        self._profiles_known = asyncio.Event()
        # An account is merged when what it needs is known: its profiles, or the agency above it.
        self._mergeable: set[str] = set()
        # What each region showed, stored or not: the profiles, and the manager accounts that may have more links.
        self._shown_profiles: dict[str, set[str]] = {}
        self._cut_managers: dict[str, set[str]] = {}

    async def run(self) -> None:
        """Listing, store, take away, and close the run or put it back in the queue. Raises RunLostError."""
        if reason := await in_thread(self._reason_not_to)():
            await self._in_database(runs.close, self._claim, SyncRun.State.FAILED, self.listings, reason)
            return
        await self._while_ours(self._walk_and_store())
        await self._settle()

    def _reason_not_to(self) -> str:
        run = SyncRun.objects.select_related("connection").get(pk=self._claim.run_id)
        return run.connection.reason_unusable

    async def _while_ours(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work and say every few seconds that we live; stop when the run is not ours any more."""
        working = asyncio.create_task(work, name=f"sync {self._claim.run_id}")
        try:
            while not (await asyncio.wait({working}, timeout=runs.HEARTBEAT_SECONDS))[0]:
                if not await self._beat():
                    raise RunLostError
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _beat(self) -> bool:
        try:
            return await in_thread(runs.beat)(self._claim, self.listings)
        except (OperationalError, InterfaceError):
            # The database is away. What we do next will tell; a heartbeat alone ends nothing.
            return True

    async def _walk_and_store(self) -> None:
        await _all(
            [
                self._walk_ads_accounts(),
                *(self._walk_region(region) for region in self._claim.regions),
                *(self._walk_manager_accounts(region) for region in self._claim.regions),
                self._store_accounts(),
            ]
        )
        await self._merge_all(Account.Source.DSP_ADVERTISERS)
        await self._store_manager_accounts()
        await self._take_away()

    async def _settle(self) -> None:
        """Close the run, or put it back in the queue if Amazon wants to be left alone for a little while."""
        waits = [listing.postponed_until for listing in self.listings if listing.postponed_until]
        reason = explanation(self.listings)
        if waits and await in_thread(runs.may_be_put_back)(self._claim, max(waits)):
            await in_thread(runs.put_back)(self._claim, max(waits), self.listings, reason)
        else:
            await in_thread(runs.close)(self._claim, state_of(self.listings), self.listings, reason)

    # --- Walking ----------------------------------------------------------------------------------------------

    def _new_walk(self, source: str, region: str = "", profile_id: str = "") -> Listing:
        listing = Listing(len(self.listings), str(source), region, profile_id)
        self.listings.append(listing)
        return listing

    def _login(self, listing: Listing) -> AdsApi:
        login = self._amazon.with_token(
            subject=str(self._claim.connection_id),
            client_id=self._claim.client_id,
            token=self._token,
            max_wait=self._max_wait,
        )
        listing.calls.append(login.stats)
        return login

    async def _walk_ads_accounts(self) -> None:
        """Walk the global list once. Any host answers for all regions: if one is down, another is asked."""
        listing = self._list
        hosts = list(dict.fromkeys([*self._claim.regions, *Region.values]))
        for host in hosts:
            try:
                pages = self._login(listing).ads_accounts(host)
                await self._store_pages(
                    listing, pages, lambda items: pictures.ads_accounts(items, listing.scope)
                )
            except (TransientError, PostponedError) as error:
                if host != hosts[-1]:
                    listing.note(error)
                    continue
                listing.fail(error)
            except AmazonError as error:
                listing.fail(error)
            break
        self._listed.set()

    async def _walk_region(self, region: str) -> None:
        """Walk the profiles of the region, then the DSP advertisers behind its agencies."""
        agencies = await self._walk_profiles(region)
        self._regions_without_profiles.discard(region)
        if not self._regions_without_profiles:
            self._profiles_known.set()
        await _all(self._walk_dsp_advertisers(region, profile_id) for profile_id in agencies)

    async def _walk_profiles(self, region: str) -> list[str]:
        """Stage the profiles of the region; return those of usable agencies.

        First those that can be changed: of them the ids alone are kept in memory until the others are here. All are
        staged as of the listing of those that can be viewed, for it tells which are there.
        """
        view = self._new_walk(Account.Source.PROFILES, region)
        edit = self._new_walk(PROFILES_EDIT, region)
        agencies: set[str] = set()
        editable: set[str] = set()
        shown = self._shown_profiles[region] = set()
        async with self._profile_answers:
            if (page := await self._answer(edit, self._login(edit).profiles(region, "edit"))) is not None:
                editable = {item.profile_id for item in page.items}
                shown |= _identifiers(page, editable)
                agencies.update(pictures.agencies(page.items, region))
                await self._in_database(self._stage_profiles, view, page, region, "edit")
        level = "view" if edit.outcome == Outcome.COMPLETE else None
        async with self._profile_answers:
            if (page := await self._answer(view, self._login(view).profiles(region, "view"))) is not None:
                shown |= _identifiers(page, {item.profile_id for item in page.items})
                agencies.update(pictures.agencies(page.items, region))
                page.items = [item for item in page.items if item.profile_id not in editable]
                await self._in_database(self._stage_profiles, view, page, region, level)
        if view.proves_absence:
            self._store.complete_regions.append(region)
        return sorted(agencies)

    async def _walk_manager_accounts(self, region: str) -> None:
        listing = self._new_walk(Account.Source.MANAGER_ACCOUNTS, region)
        page = await self._answer(listing, self._login(listing).manager_accounts(region))
        if page is not None:
            cut = {item.manager_account_id for item in page.items if item.perhaps_cut}
            self._cut_managers[region] = _identifiers(page, cut)
            await self._in_database(
                self._stage_accounts,
                listing,
                page,
                lambda items: pictures.manager_accounts(items, region),
                to_combine=True,
            )
        if listing.proves_absence:
            self._store.complete_manager_regions.append(region)

    async def _walk_dsp_advertisers(self, region: str, profile_id: str) -> None:
        listing = self._new_walk(Account.Source.DSP_ADVERTISERS, region, profile_id)
        async with self._dsp_walks:
            try:
                pages = self._login(listing).dsp_advertisers(region, profile_id)
                await self._store_pages(
                    listing, pages, lambda items: pictures.dsp_advertisers(items, listing.scope)
                )
            except (AmazonError, PostponedError) as error:
                listing.fail(error)

    async def _answer(self, listing: Listing, call: Awaitable[Page[Item]]) -> Page[Item] | None:
        """The answer of a list without pages; None, and the reason kept, when there is none."""
        try:
            page = await call
        except (AmazonError, PostponedError) as error:
            listing.fail(error)
            return None
        self._count(listing, page)
        listing.end(Outcome.CUT if page.cut else Outcome.COMPLETE)
        return page

    def _count(self, listing: Listing, page: Page[Item]) -> None:
        listing.pages += 1
        listing.seen += len(page.items) + len(page.rejected)
        if self._on_progress is not None:
            self._on_progress(self.listings)

    # --- Storing ----------------------------------------------------------------------------------------------

    async def _in_database(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        async with self._database:
            return await in_thread(function)(*args, **kwargs)

    async def _store_pages(
        self,
        listing: Listing,
        walking: AsyncGenerator[Page[Item], None],
        picture: Callable[[list[Item]], Rows],
    ) -> None:
        """Walk to the end, storing up to a thousand items while the next ones are on their way."""
        storing = asyncio.create_task(asyncio.sleep(0))
        waiting: Page[Item] = Page([])
        is_cut = False
        try:
            async with aclosing(walking) as pages:
                async for page in pages:
                    self._count(listing, page)
                    is_cut = page.cut
                    waiting.items += page.items
                    waiting.rejected += page.rejected
                    if len(waiting.items) >= CHUNK:
                        await storing
                        storing = asyncio.create_task(self._store_items(listing, waiting, picture))
                        waiting = Page([])
        finally:
            await storing
            await self._store_items(listing, waiting, picture)
        listing.end(Outcome.CUT if is_cut else Outcome.COMPLETE)

    async def _store_items(
        self, listing: Listing, page: Page[Item], picture: Callable[[list[Item]], Rows]
    ) -> None:
        await self._in_database(self._stage_accounts, listing, page, picture)
        if listing.source in self._mergeable:
            await self._merge(listing, at_least=CHUNK)

    def _stage_accounts(
        self,
        listing: Listing,
        page: Page[Item],
        picture: Callable[[list[Item]], Rows],
        *,
        to_combine: bool = False,
    ) -> None:
        rows = picture(page.items)
        refused = self._store.stage_accounts(listing, rows.accounts, to_combine=to_combine)
        rejected = [*page.rejected, *rows.rejected, *refused]
        listing.reject(rejected)
        listing.note_omissions(rows.omissions)
        # What cannot be stored is there all the same.
        self._store.stage_as_shown(
            listing, {item.identifier: rows.scopes.get(item.identifier, {listing.scope}) for item in rejected}
        )

    def _stage_profiles(
        self, listing: Listing, page: Page[ProfileAnswer], region: str, access_level: str | None
    ) -> None:
        rows = pictures.profiles(page.items, region, access_level)
        refused = self._store.stage_profiles(listing, rows.profiles)
        listing.reject([*page.rejected, *rows.rejected, *refused])
        listing.note_omissions(rows.omissions)
        # We do not know whose profile it is that cannot be stored, so no account may be taken for gone.
        listing.is_incomplete = listing.is_incomplete or bool(listing.rejected)

    async def _merge(self, listing: Listing, *, at_least: int = 1) -> None:
        while await self._in_database(self._merge_chunk, listing, at_least):
            pass

    def _merge_chunk(self, listing: Listing, at_least: int) -> bool:
        """Merge up to a thousand rows of the listing; False when fewer wait than are worth it."""
        if listing.staged - listing.merged < at_least:
            return False
        merged = self._store.merge(listing, upto=min(listing.merged + CHUNK, listing.staged))
        listing.created += merged.created
        listing.changed += merged.changed
        listing.unchanged += merged.unchanged
        listing.reject(merged.rejected)
        return True

    async def _merge_all(self, source: str, *, at_least: int = 1) -> None:
        for listing in self.listings:
            if listing.source == source:
                await self._merge(listing, at_least=at_least)

    async def _store_accounts(self) -> None:
        """Merge ads accounts as they come, once their profiles are known; then what only profiles show."""
        await self._profiles_known.wait()
        self._mergeable.add(Account.Source.ADS_ACCOUNTS)
        await self._merge(self._list, at_least=CHUNK)
        await self._listed.wait()
        await self._merge(self._list)
        await self._in_database(
            self._store.stage_profile_accounts,
            self.listings,
            # A record without an id may be any account, and name any profile.
            list_is_complete=self._list.proves_absence,
        )
        await self._merge_all(Account.Source.PROFILES)
        self._mergeable.add(Account.Source.DSP_ADVERTISERS)
        await self._merge_all(Account.Source.DSP_ADVERTISERS, at_least=CHUNK)

    async def _store_manager_accounts(self) -> None:
        scopes = await self._in_database(self._store.scopes)
        self._store.walked = [scope for scope in scopes if self._was_walked(scope)]
        await self._in_database(self._store.stage_manager_accounts, self.listings)
        await self._merge_all(Account.Source.MANAGER_ACCOUNTS)
        await self._in_database(self._store.merge_links)

    # --- Taking away ------------------------------------------------------------------------------------------

    async def _take_away(self) -> None:
        taken = await self._in_database(
            self._store.take_away, with_rejected=any(listing.rejected for listing in self.listings)
        )
        await self._in_database(runs.sync_soon, taken.heirs)
        counted = await self._in_database(self._store.count_accounts)
        for listing in self.listings:
            listing.unchanged = max(0, counted.get(listing.number, 0) - listing.created - listing.changed)
        for scope, count in taken.gone.items():
            if (teller := self._teller(scope)) is not None:
                teller.gone += count
        for scope, count in taken.unconfirmed.items():
            if (teller := self._teller(scope)) is not None:
                teller.mark_unconfirmed(count)

    def _was_walked(self, scope: str) -> bool:
        """Whether the list was walked to its end, so that an account it does not show is not in it."""
        source, region, part = (*scope.split(":", 2), "", "")[:3]
        listing = self._walk_of(scope)
        if source == Account.Source.PROFILES:
            # Whether profiles stand alone is known only when all ads accounts are.
            is_list_known = self._list.proves_absence or self._list.outcome == Outcome.FORBIDDEN
            return is_list_known and listing is not None and listing.proves_absence
        if listing is not None:
            return listing.proves_absence
        if not part or (above := self._teller(scope)) is None:
            return False
        # The list hung on something that is not there any more: an agency's profile, or a manager account.
        shown = self._shown_profiles if source == Account.Source.DSP_ADVERTISERS else self._cut_managers
        return above.proves_absence and part not in shown.get(region, ())

    def _walk_of(self, scope: str) -> Listing | None:
        return next((listing for listing in self.listings if listing.scope == scope), None)

    def _teller(self, scope: str) -> Listing | None:
        """The listing that tells about this list: its own, or that which no longer shows what the list hung on.

        None for a region that the connection has no more.
        """
        if (listing := self._walk_of(scope)) is not None:
            return listing
        source, region = scope.split(":")[:2]
        above = source if source == Account.Source.MANAGER_ACCOUNTS else Account.Source.PROFILES
        return self._walk_of(f"{above}:{region}")


def _identifiers(page: Page[Item], of_items: set[str]) -> set[str]:
    """Those of some items of the page, and of all that could not be understood."""
    return of_items | {item.identifier for item in page.rejected}


async def _all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all to their end; if one raises, stop the others and raise that."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
