"""What happens to calls while the database that keeps the pace is away."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.db import connection, transaction

from amazon_accounts.amazon_ads.errors import PaceUnavailableError, ThrottledError
from amazon_accounts.amazon_ads.models import Family, RateLimit
from amazon_accounts.amazon_ads.pacing.database import PacingDatabase
from amazon_accounts.amazon_ads.pacing.rate_limiter import ExponentialBackoffRateLimiter
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, reserve
from amazon_accounts.sandbox.state import Sandbox
from tests.amazon_ads.conftest import OWN_TABLES, AdsApiFactory
from tests.database_outage import DatabaseOutage

pytestmark = OWN_TABLES


@pytest.fixture(autouse=True)
def one_attempt(settings: LazySettings) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1


async def test_nothing_is_sent_and_the_error_has_a_name(
    api_for: AdsApiFactory, sandbox: Sandbox, database_outage: DatabaseOutage
) -> None:
    await asyncio.to_thread(database_outage.begin)
    with pytest.raises(PaceUnavailableError):
        await api_for().profiles("NA", "view")
    assert sandbox.journal.count() == 0
    await asyncio.to_thread(database_outage.end)
    await api_for().profiles("NA", "view")


async def test_an_answer_is_used_although_it_cannot_be_recorded(
    api_for: AdsApiFactory,
    sandbox: Sandbox,
    database_outage: DatabaseOutage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox.faults.add("run", function=lambda call: run_in_thread(database_outage))
    sandbox.faults.add("throttle", retry_after="absent", count=1)
    with pytest.raises(ThrottledError):
        await api_for().profiles("NA", "view")
    assert "call_result_lost" in [getattr(record, "action", "") for record in caplog.records]


def run_in_thread(outage: DatabaseOutage) -> None:
    thread = threading.Thread(target=outage.begin)
    thread.start()
    thread.join()


class TestHangingDatabase:
    @pytest.fixture
    def limiter(self) -> ExponentialBackoffRateLimiter:
        return ExponentialBackoffRateLimiter(database=PacingDatabase(max_statement_seconds=0.1))

    @pytest.fixture
    def locked_limits(self, transactional_db: None) -> Iterator[None]:
        """Lock the rate limits in another session, so that statements about them wait."""
        is_locked, may_end = threading.Event(), threading.Event()

        def lock() -> None:
            try:
                with transaction.atomic():
                    list(RateLimit.objects.select_for_update())
                    is_locked.set()
                    may_end.wait(10)
            finally:
                connection.close()

        reserve(RateLimitKey("NA", Family.ACCOUNTS), "alice", max_wait=1)
        thread = threading.Thread(target=lock)
        thread.start()
        is_locked.wait(10)
        yield
        may_end.set()
        thread.join()

    @pytest.mark.usefixtures("locked_limits")
    async def test_it_counts_as_away(self, api_for: AdsApiFactory) -> None:
        with pytest.raises(PaceUnavailableError):
            await api_for().profiles("NA", "view")
