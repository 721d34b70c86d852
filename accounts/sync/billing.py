"""Asking Amazon's billing about the profiles of a run, while the run goes on with the other lists.

A failure here is reported in the run, and changes no standing.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Final, TypeVar

from accounts.models import Account
from accounts.standing.answers import (
    BillingAnswer,
    DuePair,
    find_due_pairs,
    record_answers,
    settle_accounts_of,
)
from accounts.sync.claims import RunClaim
from accounts.sync.coverage import Coverage
from accounts.sync.fences import fence_run
from accounts.sync.listing import BILLING, Listing, Outcome
from accounts.sync.reading import run_all
from accounts.sync.run_context import PLAN_BY_INDEX
from accounts.sync.writing import Writer
from amazon_accounts.amazon_ads.answers import AdvertiserMarketplace, BillingItemError, Rejected
from amazon_accounts.amazon_ads.billing.asking import BAD_REQUEST, NO_ADS_ACCOUNT, Part
from amazon_accounts.amazon_ads.billing.endpoints import MAX_PAIRS
from amazon_accounts.amazon_ads.client import AdsApi
from amazon_accounts.amazon_ads.errors import AmazonError, PostponedError

# Two questions are asked at once: about the notices of some pairs, and about the statuses of the next pairs. Each takes
# two requests.
STEP_PAIRS: Final = 2 * MAX_PAIRS
# One statement stores at least this number of answers, except near the end of a region, so that little is left after the
# last call.
STORED_PAIRS: Final = 500
# With these words Amazon does not tell this login, and would not at the next sync.
REFUSALS: Final = {"NOT_AUTHORIZED", "NOT_FOUND", BAD_REQUEST, NO_ADS_ACCOUNT}

Said = TypeVar("Said")
MakeApi = Callable[[Listing], AdsApi]
Answered = tuple[DuePair, BillingAnswer]


class BillingReader:
    """Asks about the pairs that are due, in each region whose profiles were read, and settles the accounts."""

    def __init__(self, claim: RunClaim, coverage: Coverage, writer: Writer, make_api: MakeApi) -> None:
        self._claim = claim
        self._coverage = coverage
        self._writer = writer
        self._make_api = make_api
        self._store = _AnswerStore(claim, writer)

    async def read_all(self) -> None:
        await self._writer.profiles_merged.wait()
        regions = [
            listing.region
            for listing in self._coverage.listings_of(Account.Source.PROFILES)
            if listing.is_usable
        ]
        due = await self._writer.in_database(find_due_pairs, self._claim.connection_id, regions)
        try:
            await run_all(self._read_region(region, due[region]) for region in regions)
        finally:
            await self._store.finish()

    async def settle(self) -> None:
        """Settle every account that the connection sees: a merge may have changed which profiles an account has.

        Must run after the last merge. Accounts whose answers are stored later are settled then.
        """
        await self._writer.in_database(_settle, self._claim)

    async def _read_region(self, region: str, due: Sequence[DuePair]) -> None:
        listing = self._coverage.start_listing(BILLING, region)
        asking = _Asking(region, due, listing, self._make_api(listing))
        refused, left = 0, len(due)
        async with aclosing(asking.ask()) as steps:
            async for step in steps:
                left -= len(step)
                refused += sum(answer.refusal is not None for _, answer in step)
                self._store.add(step, at_once=left <= STEP_PAIRS)
        listing.note_refused(refused)


class _AnswerStore:
    """Stores the answers of all regions. The questions never wait for it."""

    def __init__(self, claim: RunClaim, writer: Writer) -> None:
        self._claim = claim
        self._writer = writer
        self._answers: list[Answered] = []
        self._is_due = False
        self._storing: asyncio.Task[None] | None = None

    def add(self, answers: Iterable[Answered], *, at_once: bool) -> None:
        """Raises the error of a statement that failed before."""
        self._answers += answers
        self._is_due |= at_once
        if self._storing is not None:
            if not self._storing.done():
                return
            self._storing.result()
        self._storing = asyncio.create_task(self._store_due())

    async def finish(self) -> None:
        if self._storing is not None:
            await self._storing
        self._is_due = True
        await self._store_due()

    async def _store_due(self) -> None:
        while self._answers and (self._is_due or len(self._answers) >= STORED_PAIRS):
            answers, self._answers, self._is_due = self._answers, [], False
            await self._writer.in_database(_record, self._claim, answers)


class _Asking:
    """The questions about the pairs of a region. The first request that fails as a whole ends them, and the listing."""

    def __init__(self, region: str, due: Sequence[DuePair], listing: Listing, api: AdsApi) -> None:
        self._region = region
        self._due = {each.pair: each for each in due}
        self._listing = listing
        self._api = api
        self._answers: defaultdict[AdvertiserMarketplace, BillingAnswer] = defaultdict(BillingAnswer)

    async def ask(self) -> AsyncGenerator[list[Answered], None]:
        """Yield the pairs about which nothing more is asked, with their answers."""
        pairs = list(self._due)
        before: list[AdvertiserMarketplace] = []
        for start in range(0, len(pairs) + STEP_PAIRS, STEP_PAIRS):
            step = pairs[start : start + STEP_PAIRS]
            await run_all([self._ask_about_notices(before), self._ask_about_statuses(step)])
            yield self._list_answers(before)
            before = step
            if self._listing.outcome is not None:
                yield self._list_answers(before)
                return
        self._listing.end(Outcome.COMPLETE)

    def _list_answers(self, pairs: Iterable[AdvertiserMarketplace]) -> list[Answered]:
        return [(self._due[pair], self._answers[pair]) for pair in pairs]

    async def _ask_about_statuses(self, pairs: Sequence[AdvertiserMarketplace]) -> None:
        if pairs:
            with self._ending_if_it_fails():
                async for pair, status in self._read(self._api.billing_statuses(self._region, pairs)):
                    self._answers[pair].status = status
                    self._listing.seen += 1

    async def _ask_about_notices(self, pairs: Sequence[AdvertiserMarketplace]) -> None:
        # Who may not know the status of a pair may not know its notices.
        told = {pair: self._due[pair].ads_account for pair in pairs if self._answers[pair].status}
        if told:
            with self._ending_if_it_fails():
                async for pair, notices in self._read(self._api.billing_notifications(self._region, told)):
                    self._answers[pair].notices = notices

    @contextmanager
    def _ending_if_it_fails(self) -> Iterator[None]:
        try:
            yield
        except AmazonError as error:
            if self._listing.outcome is None:
                self._listing.fail(error)
        except PostponedError as error:
            # The run does not wait for it: the pairs are due at the next sync as well.
            if self._listing.outcome is None:
                self._listing.note(error)
                self._listing.end(Outcome.FAILED)

    async def _read(
        self, parts: AsyncGenerator[Part[Said], None]
    ) -> AsyncGenerator[tuple[AdvertiserMarketplace, Said], None]:
        async with aclosing(parts):
            async for _, results in parts:
                if isinstance(results, AmazonError):
                    raise results
                self._listing.pages += 1
                for pair, result in results.items():
                    if isinstance(result, BillingItemError):
                        self._note_error(pair, result)
                    else:
                        yield pair, result
                if self._listing.outcome is not None:
                    # The other question has failed.
                    return

    def _note_error(self, pair: AdvertiserMarketplace, error: BillingItemError) -> None:
        if error.code in REFUSALS:
            self._answers[pair].refusal = error.code
        else:
            name = f"{pair.advertiser_id} in {pair.marketplace_id}"
            self._listing.reject([Rejected(name, f"{error.code}: {error.description}")])


def _record(claim: RunClaim, answers: Iterable[Answered]) -> None:
    with fence_run(claim) as cursor:
        cursor.execute(PLAN_BY_INDEX)
        record_answers(cursor, claim.connection_id, answers)


def _settle(claim: RunClaim) -> None:
    with fence_run(claim) as cursor:
        settle_accounts_of(cursor, claim.connection_id)
