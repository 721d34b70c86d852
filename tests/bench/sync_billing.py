"""How long the billing step of a sync takes besides its calls: part of `python -m tests.bench.sync`.

The calls take 50 ms and no work of this process. So what is left is the step itself: it finds the pairs, stores the answers
and settles the accounts.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection as database

from accounts.models import Account, Profile, SyncRun
from accounts.sync.billing import BillingReader
from accounts.sync.claims import RunClaim, claim_run, close_run
from accounts.sync.coverage import Coverage
from accounts.sync.listing import Listing, Outcome
from accounts.sync.reading import run_all
from accounts.sync.requests import open_run
from accounts.sync.writing import Writer
from amazon_accounts.amazon_ads.answers import AdvertiserMarketplace, BillingNotice, BillingStatus
from amazon_accounts.amazon_ads.billing.asking import Part
from amazon_accounts.amazon_ads.billing.endpoints import MAX_PAIRS
from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient
from tests.bench.sync_storing import COUNTRIES, StoredRows, empty_tables, make_rows
from tokens.models import Connection


@dataclass(frozen=True)
class Measured:
    seconds: float
    # The longest time of a region during which none of its calls was under way.
    seconds_besides_calls: float
    # The parts of the step before the first call and after the last call of all regions.
    seconds_before: float
    seconds_after: float
    # CPU time of this process, without its database sessions.
    cpu_seconds: float
    calls: int


class CallTimes:
    """Counts calls, and adds up for each region the time in which at least one call is under way."""

    def __init__(self) -> None:
        self.calls = 0
        self.busy: defaultdict[str, float] = defaultdict(float)
        self.first_began = self.last_ended = 0.0
        self._open: defaultdict[str, int] = defaultdict(int)
        self._since: dict[str, float] = {}

    @contextmanager
    def call(self, region: str) -> Iterator[None]:
        self.calls += 1
        if not self._open[region]:
            self._since[region] = time.perf_counter()
            self.first_began = self.first_began or self._since[region]
        self._open[region] += 1
        yield
        self._open[region] -= 1
        if not self._open[region]:
            self.last_ended = time.perf_counter()
            self.busy[region] += self.last_ended - self._since[region]


class AnsweringApi(AdsApi):
    """Amazon's billing without a network: every account is good."""

    times: CallTimes
    latency: float

    async def billing_statuses(
        self, region: str, pairs: Iterable[AdvertiserMarketplace]
    ) -> AsyncGenerator[Part[BillingStatus], None]:
        async for part in self._answer(region, list(pairs), BillingStatus("VALID_BILLING_STATUS")):
            yield part

    async def billing_notifications(
        self, region: str, pairs: Mapping[AdvertiserMarketplace, str]
    ) -> AsyncGenerator[Part[list[BillingNotice]], None]:
        async for part in self._answer(region, list(pairs), []):
            yield part

    async def _answer(
        self, region: str, pairs: list[AdvertiserMarketplace], said: Any
    ) -> AsyncGenerator[Part[Any], None]:
        for start in range(0, len(pairs), MAX_PAIRS):
            some = pairs[start : start + MAX_PAIRS]
            with self.times.call(region):
                await asyncio.sleep(self.latency)
            yield some, dict.fromkeys(some, said)


def measure_billing(connection: Connection, number: int, latency: float) -> Measured:
    """Store new accounts, and measure the billing step of the next sync, which asks about all of them."""
    empty_tables()
    stored = StoredRows(connection, make_rows(number))
    stored.store()
    stored.close()
    with database.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    claim = claim_run(open_run(connection, trigger=SyncRun.Trigger.MANUAL).pk)
    coverage = Coverage()
    for region in COUNTRIES.values():
        coverage.start_listing("profiles", region).end(Outcome.COMPLETE)
    measured = asyncio.run(_run_step(claim, coverage, latency))
    assert Account.objects.filter(standing="good").count() == number
    assert Profile.objects.filter(standing="good").count() == number
    close_run(claim, SyncRun.State.SUCCEEDED, coverage.listings)
    SyncRun.objects.all().delete()
    return measured


async def _run_step(claim: RunClaim, coverage: Coverage, latency: float) -> Measured:
    times = CallTimes()
    async with AmazonClient() as amazon:

        def make_api(_listing: Listing) -> AdsApi:
            api = amazon.with_token(subject="", client_id="bench", token=_no_token)
            answering = AnsweringApi.__new__(AnsweringApi)
            answering.__dict__.update(api.__dict__, times=times, latency=latency)
            return answering

        writer = Writer(claim, coverage)
        writer.profiles_merged.set()
        reader = BillingReader(claim, coverage, writer, make_api)
        began, cpu_began = time.perf_counter(), time.process_time()
        # As in a sync, the accounts are settled when the lists end, which is soon after the profiles are merged.
        await run_all([reader.read_all(), reader.settle()])
        ended = time.perf_counter()
    return Measured(
        ended - began,
        ended - began - min(times.busy.values()),
        times.first_began - began,
        ended - times.last_ended,
        time.process_time() - cpu_began,
        times.calls,
    )


async def _no_token(rejected: str | None = None) -> str:
    return ""
