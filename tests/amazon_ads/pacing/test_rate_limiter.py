"""The whole way of a call: slot, token, request, and further attempts."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from django.conf import LazySettings

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import (
    GrantRevokedError,
    PostponedError,
    ThrottledError,
    TransientError,
    UnreachableError,
)
from amazon_accounts.amazon_ads.models import Family, RateLimit
from amazon_accounts.amazon_ads.pacing.rate_limiter import (
    MAX_CONNECTIONS_PER_RATE_LIMIT,
    ExponentialBackoffRateLimiter,
)
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.amazon_ads.conftest import OWN_TABLES, AdsApiFactory
from tests.polling import poll_until

pytestmark = OWN_TABLES


@in_thread
def get_limit(family: str = Family.ACCOUNTS) -> RateLimit:
    return RateLimit.objects.get(region="NA", family=family)


class TestAttempts:
    async def test_it_gives_up_after_the_attempts_of_the_settings(
        self, api_for: AdsApiFactory, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        settings.AMAZON_MAX_ATTEMPTS = 3
        sandbox.faults.add("error_503")
        alice = api_for()
        with pytest.raises(TransientError):
            await alice.profiles("NA", "view")
        assert sandbox.journal.count() == alice.stats.requests == 3

    async def test_a_retry_after_of_a_busy_server_comes_first(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("answer", status=503, body="", headers={"Retry-After": "1"}, count=1)
        began = time.monotonic()
        await api_for().profiles("NA", "view")
        assert time.monotonic() - began >= 1

    async def test_a_retry_after_longer_than_the_call_may_wait_ends_it(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("answer", status=503, body="", headers={"Retry-After": "100"})
        with pytest.raises(TransientError) as raised:
            await api_for().profiles("NA", "view")
        assert raised.value.retry_after == 100
        assert sandbox.journal.count() == 1

    async def test_every_attempt_waits_for_a_slot_of_its_own(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("error_503", count=3)
        await api_for().profiles("NA", "view")
        assert (await get_limit()).requests == 4

    async def test_each_failure_is_logged_with_its_request_id(
        self, api_for: AdsApiFactory, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        sandbox.faults.add("error_503", count=1)
        await api_for().profiles("NA", "view")
        (record,) = [each for each in caplog.records if getattr(each, "action", "") == "amazon_call_failed"]
        assert record.__dict__["request_id"]
        assert record.__dict__["request_id"] in record.getMessage()
        assert record.__dict__["subject"] == "alice"
        assert record.__dict__["attempt"] == 1
        assert record.levelno == logging.WARNING


class TestTokens:
    async def test_the_token_is_asked_for_when_the_slot_has_come(
        self, api_for: AdsApiFactory, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        settings.AMAZON_REQUESTS_PER_SECOND = settings.AMAZON_MAX_REQUESTS_PER_SECOND = 4.0
        settings.AMAZON_BURST = 1
        asked_at: list[float] = []
        good = sandbox.access_token("alice")

        async def token(rejected: str | None = None) -> str:
            asked_at.append(time.monotonic())
            return good

        alice = api_for(token=token)
        await asyncio.gather(*(alice.profiles("NA", "view") for _ in range(4)))
        pauses = [later - earlier for earlier, later in pairwise(asked_at)]
        assert min(pauses) > 0.2

    @pytest.mark.parametrize(
        "error",
        [
            GrantRevokedError("dead"),
            TransientError("away"),
            ThrottledError("slow"),
            PostponedError(datetime.now(UTC)),
            TimeoutError("of the token source"),
        ],
    )
    async def test_an_error_of_the_token_source_is_raised_at_once(
        self, api_for: AdsApiFactory, sandbox: Sandbox, error: Exception
    ) -> None:
        with pytest.raises(type(error)) as raised:
            await api_for(token=BrokenTokens(error)).profiles("NA", "view")
        assert raised.value is error
        assert sandbox.journal.count() == 0
        limit = await get_limit()
        assert (limit.requests, limit.failures, limit.throttled) == (1, 0, 0)


class TestBackoff:
    @pytest.fixture
    def bounds(self) -> list[tuple[float, float]]:
        return []

    @pytest.fixture
    def limiter(self, bounds: list[tuple[float, float]]) -> ExponentialBackoffRateLimiter:
        def choose(low: float, high: float) -> float:
            bounds.append((low, high))
            return 0.0

        return ExponentialBackoffRateLimiter(jitter=choose)

    @pytest.fixture(autouse=True)
    def slow_backoff(self, settings: LazySettings) -> None:
        settings.AMAZON_BACKOFF_BASE_SECONDS = 1.0
        settings.AMAZON_BACKOFF_MAX_SECONDS = 5.0

    async def test_it_has_full_jitter_and_doubles_up_to_its_limit(
        self, api_for: AdsApiFactory, sandbox: Sandbox, bounds: list[tuple[float, float]]
    ) -> None:
        sandbox.faults.add("error_503")
        with pytest.raises(TransientError):
            await api_for().profiles("NA", "view")
        assert bounds[:4] == [(0, 1.0), (0, 2.0), (0, 4.0), (0, 5.0)]

    async def test_a_refused_login_without_retry_after_is_paused_as_long(
        self, api_for: AdsApiFactory, sandbox: Sandbox, bounds: list[tuple[float, float]]
    ) -> None:
        sandbox.faults.add("throttle", retry_after="absent", count=2)
        await api_for().profiles("NA", "view")
        assert bounds == [(0, 1.0), (0, 2.0)]


class TestDeadline:
    @pytest.fixture
    def limiter(self) -> ExponentialBackoffRateLimiter:
        return ExponentialBackoffRateLimiter(max_call_seconds=0.4, jitter=lambda _low, high: high)

    async def test_the_whole_call_ends_at_its_deadline(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("hang")
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="no answer in 0 seconds"):
            await api_for(max_wait=0).profiles("NA", "view")
        assert time.monotonic() - began < 2
        assert (await get_limit()).failures == 1

    async def test_the_last_error_is_raised_at_the_deadline(
        self, api_for: AdsApiFactory, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        settings.AMAZON_BACKOFF_BASE_SECONDS = settings.AMAZON_BACKOFF_MAX_SECONDS = 1000.0
        sandbox.faults.add("error_503")
        with pytest.raises(TransientError, match="503"):
            await api_for(max_wait=0).profiles("NA", "view")


class TestStaleSlots:
    @pytest.fixture
    def limiter(self) -> ExponentialBackoffRateLimiter:
        return ExponentialBackoffRateLimiter(stale_slot_seconds=0.2)

    async def test_a_slot_that_grew_stale_is_not_used(self, api_for: AdsApiFactory, sandbox: Sandbox) -> None:
        api = api_for(token=SlowTokens(sandbox.access_token("alice"), 0.4, 0.0))
        await api.profiles("NA", "view")
        assert (await get_limit()).requests == 2
        assert sandbox.journal.count() == api.stats.requests == 1

    async def test_the_third_slot_is_used_also_if_it_is_stale(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        api = api_for(token=SlowTokens(sandbox.access_token("alice"), 0.3, 0.3, 0.3))
        await api.profiles("NA", "view")
        assert (await get_limit()).requests == 3
        assert sandbox.journal.count() == 1


class SlowTokens:
    """A token source that takes these seconds, one after the other."""

    def __init__(self, token: str, *pauses: float) -> None:
        self.token = token
        self.pauses = iter(pauses)

    async def __call__(self, rejected: str | None = None) -> str:
        await asyncio.sleep(next(self.pauses))
        return self.token


class BrokenTokens:
    """A token source that raises this error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def __call__(self, rejected: str | None = None) -> str:
        raise self.error


async def test_a_region_that_hangs_leaves_room_for_the_others(
    api_for: AdsApiFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    arrived: list[object] = []
    sandbox.faults.add("run", region="EU", options={"function": arrived.append})
    sandbox.faults.add("hang", region="EU")
    alice = api_for()
    hanging = [asyncio.create_task(alice.profiles("EU", "view")) for _ in range(30)]
    await poll_until(lambda: len(arrived) == MAX_CONNECTIONS_PER_RATE_LIMIT)
    async with asyncio.timeout(10):
        await alice.profiles("NA", "view")
        await amazon.lwa.refresh(sandbox.refresh_token("alice"), subject="alice")
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    async with asyncio.timeout(10):
        sandbox.faults.clear()
        await alice.profiles("EU", "view")


async def test_a_cancelled_call_gives_its_connection_back(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    arrived: list[object] = []
    sandbox.faults.add("run", options={"function": arrived.append})
    sandbox.faults.add("hang", count=12)
    alice = api_for()
    for _ in range(2):
        tasks = [asyncio.create_task(alice.profiles("NA", "view")) for _ in range(6)]
        await poll_until(lambda: len(arrived) == 6)
        arrived.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(10):
        await alice.profiles("NA", "view")


async def test_the_ceiling_holds_over_the_wire(
    api_for: AdsApiFactory, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 20.0
    settings.AMAZON_BURST = 5
    alice = api_for()
    await asyncio.gather(*(alice.profiles("NA", "view") for _ in range(45)))
    moments = sorted(entry.time for entry in sandbox.journal)
    for first, moment in enumerate(moments):
        assert sum(1 for other in moments[first:] if other < moment + 1) <= 5 + 20
    assert moments[-1] - moments[0] >= 40 / 20 - 0.1
