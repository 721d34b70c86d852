"""Asking Amazon's billing about the profiles of a run, while the run goes on with the other lists.

A failure here is reported in the run, and changes no standing.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
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
from accounts.sync.writing import Writer
from amazon_accounts.amazon_ads.answers import AdvertiserMarketplace, BillingItemError, Rejected
from amazon_accounts.amazon_ads.billing.asking import BAD_REQUEST, NO_ADS_ACCOUNT, Part
from amazon_accounts.amazon_ads.client import AdsApi
from amazon_accounts.amazon_ads.errors import AmazonError, PostponedError

# Pairs whose answers are stored together. A multiple of the pairs of one request.
SLICE_PAIRS: Final = 300
# With these words Amazon does not tell this login, and would not at the next sync.
REFUSALS: Final = {"NOT_AUTHORIZED", "NOT_FOUND", BAD_REQUEST, NO_ADS_ACCOUNT}

Said = TypeVar("Said")
MakeApi = Callable[[Listing], AdsApi]


class BillingReader:
    """Asks about the pairs that are due, in each region whose profiles were read, and settles the accounts."""

    def __init__(self, claim: RunClaim, coverage: Coverage, writer: Writer, make_api: MakeApi) -> None:
        self._claim = claim
        self._coverage = coverage
        self._writer = writer
        self._make_api = make_api

    async def read_all(self) -> None:
        await self._writer.profiles_merged.wait()
        regions = [
            listing.region
            for listing in self._coverage.listings_of(Account.Source.PROFILES)
            if listing.is_usable
        ]
        await run_all(self._read_region(region) for region in regions)

    async def settle(self) -> None:
        """Settle every account that the connection sees: a merge may have changed which profiles an account has."""
        await self._writer.in_database(_settle, self._claim)

    async def _read_region(self, region: str) -> None:
        due = await self._writer.in_database(find_due_pairs, self._claim.connection_id, region)
        listing = self._coverage.start_listing(BILLING, region)
        refused = 0
        for start in range(0, len(due), SLICE_PAIRS):
            asking = _Asking(region, due[start : start + SLICE_PAIRS], listing, self._make_api(listing))
            await asking.ask()
            await self._writer.in_database(_record, self._claim, asking.answers)
            refused += sum(answer.refusal is not None for _, answer in asking.answers)
            if listing.outcome is not None:
                break
        else:
            listing.end(Outcome.COMPLETE)
        listing.note_refused(refused)


class _Asking:
    """The questions about some pairs. The first request that fails as a whole ends them, and the listing."""

    def __init__(self, region: str, due: Sequence[DuePair], listing: Listing, api: AdsApi) -> None:
        self._region = region
        self._due = {each.pair: each for each in due}
        self._listing = listing
        self._api = api
        self._answers = {each.pair: BillingAnswer() for each in due}

    @property
    def answers(self) -> list[tuple[DuePair, BillingAnswer]]:
        return [(self._due[pair], answer) for pair, answer in self._answers.items()]

    async def ask(self) -> None:
        try:
            async for pair, status in self._read(self._api.billing_statuses(self._region, self._due)):
                self._answers[pair].status = status
            # Who may not know the status of a pair may not know its notices.
            told = {
                pair: self._due[pair].ads_account for pair, answer in self._answers.items() if answer.status
            }
            notifications = self._api.billing_notifications(self._region, told)
            async for pair, notices in self._read(notifications):
                self._answers[pair].notices = notices
        except AmazonError as error:
            self._listing.fail(error)
        except PostponedError as error:
            # The run does not wait for it: the pairs are due at the next sync as well.
            self._listing.note(error)
            self._listing.end(Outcome.FAILED)
        self._listing.seen += sum(answer.status is not None for answer in self._answers.values())

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

    def _note_error(self, pair: AdvertiserMarketplace, error: BillingItemError) -> None:
        if error.code in REFUSALS:
            self._answers[pair].refusal = error.code
        else:
            name = f"{pair.advertiser_id} in {pair.marketplace_id}"
            self._listing.reject([Rejected(name, f"{error.code}: {error.description}")])


def _record(claim: RunClaim, answers: Iterable[tuple[DuePair, BillingAnswer]]) -> None:
    with fence_run(claim) as cursor:
        record_answers(cursor, claim.connection_id, answers)


def _settle(claim: RunClaim) -> None:
    with fence_run(claim) as cursor:
        settle_accounts_of(cursor, claim.connection_id)
