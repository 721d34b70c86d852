"""Slot, token, request, and again: the whole way of a call, against the sandbox."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, cast

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.utils.timezone import now

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import (
    ForbiddenError,
    GrantRevokedError,
    PaceUnavailableError,
    PostponedError,
    ThrottledError,
    TransientError,
    UnreachableError,
)
from amazon_accounts.amazon_ads.models import Family, ParkedLogin, RateLimit
from amazon_accounts.amazon_ads.pacing import learning, rate_limiter, slots
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.amazon_ads.conftest import CLIENT_ID, OWN_TABLES, AdsApiFactory

pytestmark = OWN_TABLES

NA = RateLimitKey("NA", Family.ACCOUNTS)


@in_thread
def the_row(family: str = Family.ACCOUNTS) -> RateLimit:
    return RateLimit.objects.get(region="NA", family=family)


@in_thread
def change(**values: object) -> None:
    RateLimit.objects.update(**values)


@in_thread
def parked() -> list[str]:
    return [each.subject for each in ParkedLogin.objects.filter(until__gt=now())]


class TestRetries:
    async def test_it_gives_up_after_the_attempts_of_the_settings(
        self, login: AdsApiFactory, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        settings.AMAZON_MAX_ATTEMPTS = 3
        sandbox.faults.add("error_503")
        alice = login()
        with pytest.raises(TransientError):
            await alice.profiles("NA", "view")
        assert sandbox.journal.count() == alice.stats.requests == 3

    async def test_it_waits_with_full_jitter_between_tries(
        self, login: AdsApiFactory, sandbox: Sandbox, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.AMAZON_BACKOFF_BASE_SECONDS = 1.0
        settings.AMAZON_BACKOFF_MAX_SECONDS = 5.0
        asked: list[tuple[float, float]] = []

        def uniform(low: float, high: float) -> float:
            asked.append((low, high))
            return 0.0

        monkeypatch.setattr("random.uniform", uniform)
        sandbox.faults.add("error_503")
        with pytest.raises(TransientError):
            await login().profiles("NA", "view")
        assert asked[:4] == [(0, 1.0), (0, 2.0), (0, 4.0), (0, 5.0)]

    async def test_a_retry_after_of_a_busy_server_comes_first(
        self, login: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("answer", status=503, body="", headers={"Retry-After": "1"}, count=1)
        began = time.monotonic()
        await login().profiles("NA", "view")
        assert time.monotonic() - began >= 1

    async def test_a_retry_after_longer_than_its_patience_ends_the_call(
        self, login: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("answer", status=503, body="", headers={"Retry-After": "100"})
        with pytest.raises(TransientError) as raised:
            await login().profiles("NA", "view")
        assert raised.value.retry_after == 100
        assert sandbox.journal.count() == 1

    async def test_every_try_waits_for_a_slot_of_its_own(
        self, login: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("error_503", count=3)
        await login().profiles("NA", "view")
        assert (await the_row()).requests == 4

    async def test_the_whole_call_has_a_deadline(
        self, login: AdsApiFactory, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rate_limiter, "CALL_SECONDS", 0.4)
        sandbox.faults.add("hang")
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="no answer in 0 seconds"):
            await login(max_wait=0).profiles("NA", "view")
        assert time.monotonic() - began < 2
        assert (await the_row()).failures == 1

    async def test_a_timeout_of_the_token_source_is_its_own(self, amazon: AmazonClient) -> None:
        async def token(rejected: str | None = None) -> str:
            raise TimeoutError("of the source")

        with pytest.raises(TimeoutError, match="of the source"):
            await amazon.with_token(subject="alice", client_id=CLIENT_ID, token=token).profiles("NA", "view")

    async def test_at_the_deadline_it_tells_the_last_error(
        self, login: AdsApiFactory, sandbox: Sandbox, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.AMAZON_BACKOFF_BASE_SECONDS = settings.AMAZON_BACKOFF_MAX_SECONDS = 1000.0
        monkeypatch.setattr("random.uniform", lambda _low, high: high)
        monkeypatch.setattr(rate_limiter, "CALL_SECONDS", 0.4)
        sandbox.faults.add("error_503")
        with pytest.raises(TransientError, match="503"):
            await login(max_wait=0).profiles("NA", "view")

    async def test_each_failure_is_a_log_line_with_its_request_id(
        self, login: AdsApiFactory, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        sandbox.faults.add("error_503", count=1)
        await login().profiles("NA", "view")
        (record,) = [each for each in caplog.records if getattr(each, "action", "") == "amazon_call_failed"]
        assert record.__dict__["request_id"]
        assert record.__dict__["request_id"] in record.getMessage()
        assert record.__dict__["subject"] == "alice"
        assert record.__dict__["attempt"] == 1
        assert record.levelno == logging.WARNING


class TestTokens:
    async def test_the_token_is_asked_for_when_the_slot_has_come(
        self, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        settings.AMAZON_REQUESTS_PER_SECOND = settings.AMAZON_MAX_REQUESTS_PER_SECOND = 4.0
        settings.AMAZON_BURST = 1
        asked_at: list[float] = []
        good = sandbox.access_token("alice")

        async def token(rejected: str | None = None) -> str:
            asked_at.append(time.monotonic())
            return good

        alice = amazon.with_token(subject="alice", client_id=CLIENT_ID, token=token)
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
        ],
    )
    async def test_an_error_of_the_token_source_passes_through_at_once(
        self, amazon: AmazonClient, sandbox: Sandbox, error: Exception
    ) -> None:
        async def token(rejected: str | None = None) -> str:
            raise error

        alice = amazon.with_token(subject="alice", client_id=CLIENT_ID, token=token)
        with pytest.raises(type(error)) as raised:
            await alice.profiles("NA", "view")
        assert raised.value is error
        assert sandbox.journal.count() == 0
        row = await the_row()
        assert (row.requests, row.failures, row.throttled) == (1, 0, 0)

    async def test_a_slot_that_grew_stale_is_not_used(
        self, amazon: AmazonClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(slots, "STALE_SLOT_SECONDS", 0.05)
        good = sandbox.access_token("alice")
        pauses = iter([0.2, 0.0])

        async def token(rejected: str | None = None) -> str:
            await asyncio.sleep(next(pauses))
            return good

        alice = amazon.with_token(subject="alice", client_id=CLIENT_ID, token=token)
        await alice.profiles("NA", "view")
        assert (await the_row()).requests == 2
        assert sandbox.journal.count() == alice.stats.requests == 1

    async def test_a_source_that_is_always_slow_is_served_all_the_same(
        self, amazon: AmazonClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(slots, "STALE_SLOT_SECONDS", 0.01)
        good = sandbox.access_token("alice")

        async def token(rejected: str | None = None) -> str:
            await asyncio.sleep(0.05)
            return good

        await amazon.with_token(subject="alice", client_id=CLIENT_ID, token=token).profiles("NA", "view")
        assert (await the_row()).requests == 3


class TestThrottling:
    async def test_it_waits_for_the_retry_after(self, login: AdsApiFactory, sandbox: Sandbox) -> None:
        sandbox.faults.add("throttle", retry_after="1", count=1)
        alice = login()
        began = time.monotonic()
        await alice.profiles("NA", "view")
        assert 1 <= time.monotonic() - began < 4
        assert (alice.stats.requests, alice.stats.throttled) == (2, 1)
        assert alice.stats.waited_seconds >= 0.9

    @pytest.mark.parametrize("retry_after", ["absent", "malformed", "negative", "0", "date", "seconds"])
    async def test_it_gets_over_any_retry_after(
        self, login: AdsApiFactory, sandbox: Sandbox, retry_after: str
    ) -> None:
        sandbox.faults.add("throttle", retry_after=retry_after, count=1)
        await login().profiles("NA", "view")
        assert [entry.status for entry in sandbox.journal] == [429, 200]

    async def test_an_hour_is_work_for_later(self, login: AdsApiFactory, sandbox: Sandbox) -> None:
        sandbox.faults.add("throttle", retry_after="3600", count=1)
        with pytest.raises(PostponedError) as raised:
            await login().profiles("NA", "view")
        assert raised.value.until == pytest.approx(now() + timedelta(hours=1), abs=timedelta(seconds=10))
        assert sandbox.journal.count() == 1

    async def test_five_refusals_are_enough(self, login: AdsApiFactory, sandbox: Sandbox) -> None:
        sandbox.faults.add("throttle", retry_after="absent")
        with pytest.raises(ThrottledError):
            await login().profiles("NA", "view")
        assert sandbox.journal.count() == 5

    async def test_one_throttled_login_waits_alone(self, login: AdsApiFactory, sandbox: Sandbox) -> None:
        sandbox.faults.add("throttle", login="alice", retry_after="3600")
        alice, bob = login("alice"), login("bob")
        await bob.profiles("NA", "view")
        with pytest.raises(PostponedError, match="this login"):
            await alice.profiles("NA", "view")
        began = time.monotonic()
        for _ in range(5):
            await bob.profiles("NA", "view")
        assert time.monotonic() - began < 3
        assert await parked() == ["alice"]
        # Nor does alice ask again before her time.
        with pytest.raises(PostponedError):
            await alice.profiles("NA", "view")
        assert sandbox.journal.count(login="alice") == 1

    async def test_a_parked_login_waits_aside_and_comes_back(
        self, login: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("throttle", login="alice", retry_after="1", count=1)
        alice, bob = login("alice"), login("bob")
        await bob.profiles("NA", "view")
        waiting = asyncio.create_task(alice.profiles("NA", "view"))
        await asyncio.sleep(0.3)
        await asyncio.wait_for(bob.profiles("NA", "view"), 0.6)
        assert not waiting.done()
        await waiting
        assert sandbox.journal.count(login="alice", status=200) == 1

    async def test_two_throttled_logins_stop_everybody(self, login: AdsApiFactory, sandbox: Sandbox) -> None:
        sandbox.faults.add("throttle", login="alice", retry_after="2", count=1)
        sandbox.faults.add("throttle", login="bob", retry_after="2", count=1)
        await login("charlie").profiles("NA", "view")
        together = asyncio.gather(login("alice").profiles("NA", "view"), login("bob").profiles("NA", "view"))
        await asyncio.sleep(0.5)
        assert sandbox.journal.count(status=429) == 2
        with pytest.raises(PostponedError, match="asked for a pause"):
            await login("charlie", max_wait=0.5).profiles("NA", "view")
        await together
        assert not (await the_row()).growing

    async def test_another_region_or_family_is_not_concerned(
        self, login: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("throttle", region="NA", retry_after="3600")
        alice = login("alice", max_wait=1)
        with pytest.raises(PostponedError):
            await alice.profiles("NA", "view")
        await alice.profiles("EU", "view")
        await alice.profiles("FE", "view")

    async def test_a_throttle_in_the_middle_of_a_walk_loses_nothing(
        self, login: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        from amazon_accounts.sandbox.world import generated_world

        sandbox.reset(generated_world(accounts_per_login=350))
        sandbox.faults.add("throttle", nth=[2, 3, 5], retry_after="absent")
        someone = login("login-1")
        found = [
            account.ads_account_id async for page in someone.ads_accounts("NA") for account in page.items
        ]
        assert len(found) == len(set(found)) == 350
        assert someone.stats.throttled == 3


class TestPostponing:
    async def test_a_slot_too_far_away_is_work_for_later(self, login: AdsApiFactory) -> None:
        await login().profiles("NA", "view")
        await change(blocked_until=now() + timedelta(seconds=90))
        with pytest.raises(PostponedError) as raised:
            await login(max_wait=60).profiles("NA", "view")
        assert raised.value.kind == "postponed"
        assert raised.value.until == pytest.approx(now() + timedelta(seconds=90), abs=timedelta(seconds=3))

    async def test_a_line_too_long_is_work_for_later(
        self, login: AdsApiFactory, settings: LazySettings
    ) -> None:
        settings.AMAZON_REQUESTS_PER_SECOND = settings.AMAZON_MAX_REQUESTS_PER_SECOND = 5.0
        settings.AMAZON_BURST = 1
        alice = login(max_wait=1.0)
        began = time.monotonic()
        results = await asyncio.gather(
            *(alice.profiles("NA", "view") for _ in range(20)), return_exceptions=True
        )
        late = [result for result in results if isinstance(result, PostponedError)]
        assert 10 <= len(late) <= 19
        assert time.monotonic() - began < 10

    async def test_a_block_that_comes_while_it_waits_is_seen(
        self, login: AdsApiFactory, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        settings.AMAZON_REQUESTS_PER_SECOND = settings.AMAZON_MAX_REQUESTS_PER_SECOND = 2.0
        settings.AMAZON_BURST = 1
        alice = login()
        await alice.profiles("NA", "view")
        waiting = asyncio.create_task(alice.profiles("NA", "view"))
        await asyncio.sleep(0.2)
        until = now() + timedelta(seconds=1.5)
        await change(blocked_until=until)
        await waiting
        assert now() >= until

    async def test_waiting_holds_no_database_connection(
        self, login: AdsApiFactory, settings: LazySettings
    ) -> None:
        await login().profiles("NA", "view")
        await change(blocked_until=now() + timedelta(seconds=1))
        waiting = asyncio.create_task(login().profiles("NA", "view"))
        await asyncio.sleep(0.5)
        stats = cast("DatabaseWrapper", connections["default"]).pool.get_stats()
        assert stats["pool_available"] == stats["pool_size"]
        await waiting


class TestCircuit:
    @pytest.fixture
    def failing(self, sandbox: Sandbox, settings: LazySettings) -> None:
        settings.AMAZON_MAX_ATTEMPTS = 2
        sandbox.faults.add("error_503", name="down", region="NA")

    async def fail(self, *calls: Callable[[], Awaitable[Any]]) -> None:
        for call in calls:
            with pytest.raises(TransientError):
                await call()

    @pytest.mark.usefixtures("failing")
    async def test_it_opens_and_one_probe_closes_it(self, login: AdsApiFactory, sandbox: Sandbox) -> None:
        alice, bob = login("alice", max_wait=0.5), login("bob", max_wait=0.5)
        for login_ in (alice, bob, alice, bob, alice):
            await self.fail(partial(login_.profiles, "NA", "view"))
        asked = sandbox.journal.count()
        assert asked == 10
        with pytest.raises(PostponedError, match="does not answer"):
            await bob.profiles("NA", "view")
        assert sandbox.journal.count() == asked
        await bob.profiles("EU", "view")

        # Its time is over, and the probe fails: twice as long, and the call is put back.
        await change(circuit_open_until=now() - timedelta(seconds=1))
        with pytest.raises(PostponedError):
            await alice.profiles("NA", "view")
        assert (await the_row()).circuit_seconds == 60

        sandbox.faults.remove("down")
        await change(circuit_open_until=now() - timedelta(seconds=1))
        await alice.profiles("NA", "view")
        row = await the_row()
        assert (row.circuit_open_until, row.failures_in_a_row) == (None, 0)
        await bob.profiles("NA", "view")

    @pytest.mark.usefixtures("failing")
    async def test_while_one_probes_the_others_wait_and_then_go_on(
        self, login: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.remove("down")
        await login("alice").profiles("NA", "view")
        await change(circuit_open_until=now() - timedelta(seconds=1), circuit_seconds=30)
        sandbox.faults.add("slow", seconds=0.3, count=1)
        sandbox.journal.clear()
        await asyncio.gather(*(login(name).profiles("NA", "view") for name in ("alice", "bob", "charlie")))
        first, *others = sorted(entry.time for entry in sandbox.journal)
        assert all(moment - first >= 0.3 for moment in others)

    async def test_a_probe_that_was_not_made_is_made_by_the_next(
        self, login: AdsApiFactory, amazon: AmazonClient, sandbox: Sandbox
    ) -> None:
        async def no_token(rejected: str | None = None) -> str:
            raise GrantRevokedError

        await login().profiles("NA", "view")
        await change(circuit_open_until=now() - timedelta(seconds=1), circuit_seconds=30)
        with pytest.raises(GrantRevokedError):
            await amazon.with_token(subject="bob", client_id=CLIENT_ID, token=no_token).profiles("NA", "view")
        began = time.monotonic()
        await login().profiles("NA", "view")
        assert time.monotonic() - began < 0.9
        assert (await the_row()).circuit_open_until is None

    @pytest.mark.usefixtures("failing")
    async def test_a_refusal_is_an_answer_and_closes_it(self, login: AdsApiFactory, sandbox: Sandbox) -> None:
        await self.fail(*[lambda: login().profiles("NA", "view")] * 5)
        sandbox.faults.remove("down")
        sandbox.faults.add("forbidden")
        await change(circuit_open_until=now() - timedelta(seconds=1))
        with pytest.raises(ForbiddenError):
            await login().profiles("NA", "view")
        assert (await the_row()).circuit_open_until is None

    @pytest.mark.usefixtures("failing")
    async def test_failures_between_answers_never_open_it(
        self, login: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.remove("down")
        sandbox.faults.add("error_503", login="bob")
        for _ in range(6):
            await self.fail(lambda: login("bob").profiles("NA", "view"))
            await login("alice").profiles("NA", "view")
        row = await the_row()
        assert (row.circuit_open_until, row.failures_in_a_row, row.failures) == (None, 0, 6)


class TestDatabaseAway:
    @pytest.fixture
    def away(self, amazon: AmazonClient, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*args: object, **kwargs: object) -> None:
            raise OperationalError("the connection is closed")

        monkeypatch.setattr(slots, "reserve", refuse)

    @pytest.mark.usefixtures("away")
    async def test_nothing_is_sent_and_the_error_has_a_name(
        self, login: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        with pytest.raises(PaceUnavailableError):
            await login().profiles("NA", "view")
        assert sandbox.journal.count() == 0

    async def test_a_database_that_hangs_is_away(
        self, login: AdsApiFactory, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
    ) -> None:
        settings.AMAZON_MAX_ATTEMPTS = 1
        monkeypatch.setattr(slots, "DATABASE_SECONDS", 0.1)
        monkeypatch.setattr(slots, "reserve", lambda *args, **kwargs: time.sleep(0.4))
        with pytest.raises(PaceUnavailableError):
            await login().profiles("NA", "view")

    async def test_an_answer_counts_though_its_lesson_is_lost(
        self,
        login: AdsApiFactory,
        sandbox: Sandbox,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def refuse(*args: object, **kwargs: object) -> None:
            raise OperationalError("the connection is closed")

        monkeypatch.setattr(learning, "record_throttled", refuse)
        sandbox.faults.add("throttle", retry_after="absent", count=1)
        await login().profiles("NA", "view")
        assert "lesson_lost" in [getattr(record, "action", "") for record in caplog.records]


async def test_a_region_that_hangs_leaves_room_for_the_others(
    login: AdsApiFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add("hang", region="EU")
    alice = login()
    hanging = [asyncio.create_task(alice.profiles("EU", "view")) for _ in range(30)]
    await asyncio.sleep(0.5)
    async with asyncio.timeout(3):
        await alice.profiles("NA", "view")
        await amazon.lwa.refresh(sandbox.refresh_token("alice"), subject="alice")
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    async with asyncio.timeout(3):
        sandbox.faults.clear()
        await alice.profiles("EU", "view")


async def test_a_cancelled_call_gives_its_place_back(login: AdsApiFactory, sandbox: Sandbox) -> None:
    sandbox.faults.add("hang", count=12)
    alice = login()
    for _ in range(2):
        tasks = [asyncio.create_task(alice.profiles("NA", "view")) for _ in range(6)]
        await asyncio.sleep(0.3)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(3):
        await alice.profiles("NA", "view")


async def test_the_ceiling_holds_over_the_wire(
    login: AdsApiFactory, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 20.0
    settings.AMAZON_BURST = 5
    alice = login()
    await asyncio.gather(*(alice.profiles("NA", "view") for _ in range(45)))
    moments = sorted(entry.time for entry in sandbox.journal)
    for first, moment in enumerate(moments):
        assert sum(1 for other in moments[first:] if other < moment + 1) <= 5 + 20
    assert moments[-1] - moments[0] >= 40 / 20 - 0.1
