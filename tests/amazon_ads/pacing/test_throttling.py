"""What happens to calls that Amazon refuses with 429, and to calls whose slots are too far away."""

import asyncio
import time
from datetime import timedelta
from typing import cast

import pytest
from django.conf import LazySettings
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.utils.timezone import now

from amazon_accounts.amazon_ads.errors import PostponedError, ThrottledError
from amazon_accounts.amazon_ads.models import Family, ParkedLogin, RateLimit
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import generated_world
from tests.amazon_ads.conftest import OWN_TABLES, AdsApiFactory
from tests.polling import poll_until

pytestmark = OWN_TABLES


@in_thread
def get_limit(family: str = Family.ACCOUNTS) -> RateLimit:
    return RateLimit.objects.get(region="NA", family=family)


@in_thread
def change_limit(**values: object) -> None:
    RateLimit.objects.update(**values)


@in_thread
def list_parked() -> list[str]:
    return [parked.subject for parked in ParkedLogin.objects.filter(until__gt=now())]


class TestThrottling:
    async def test_it_waits_for_the_retry_after(self, api_for: AdsApiFactory, sandbox: Sandbox) -> None:
        sandbox.faults.add("throttle", retry_after="1", count=1)
        alice = api_for()
        began = time.monotonic()
        await alice.profiles("NA", "view")
        assert 1 <= time.monotonic() - began < 15
        assert (alice.stats.requests, alice.stats.throttled) == (2, 1)
        assert alice.stats.waited_seconds >= 0.9

    @pytest.mark.parametrize("retry_after", ["absent", "malformed", "negative", "0", "date", "seconds"])
    async def test_any_retry_after_is_understood(
        self, api_for: AdsApiFactory, sandbox: Sandbox, retry_after: str
    ) -> None:
        sandbox.faults.add("throttle", retry_after=retry_after, count=1)
        await api_for().profiles("NA", "view")
        assert [entry.status for entry in sandbox.journal] == [429, 200]

    async def test_a_pause_of_an_hour_postpones_the_call(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("throttle", retry_after="3600", count=1)
        with pytest.raises(PostponedError) as raised:
            await api_for().profiles("NA", "view")
        assert raised.value.until == pytest.approx(now() + timedelta(hours=1), abs=timedelta(seconds=10))
        assert sandbox.journal.count() == 1

    async def test_five_refusals_end_the_call(self, api_for: AdsApiFactory, sandbox: Sandbox) -> None:
        sandbox.faults.add("throttle", retry_after="absent")
        with pytest.raises(ThrottledError):
            await api_for().profiles("NA", "view")
        assert sandbox.journal.count() == 5

    async def test_one_throttled_login_waits_alone(self, api_for: AdsApiFactory, sandbox: Sandbox) -> None:
        sandbox.faults.add("throttle", login="alice", retry_after="3600")
        alice, bob = api_for("alice"), api_for("bob")
        await bob.profiles("NA", "view")
        with pytest.raises(PostponedError, match="this login"):
            await alice.profiles("NA", "view")
        for _ in range(5):
            await bob.profiles("NA", "view")
        assert await list_parked() == ["alice"]
        # Alice does not ask again before her pause ends.
        with pytest.raises(PostponedError):
            await alice.profiles("NA", "view")
        assert sandbox.journal.count(login="alice") == 1

    async def test_a_parked_login_waits_outside_the_queue_and_comes_back(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("throttle", login="alice", retry_after="2", count=1)
        # Bob's call would be postponed if it had to wait in the queue behind Alice's.
        alice, bob = api_for("alice"), api_for("bob", max_wait=0.5)
        await bob.profiles("NA", "view")
        waiting = asyncio.create_task(alice.profiles("NA", "view"))
        await poll_until(in_thread(ParkedLogin.objects.filter(subject="alice").exists))
        await bob.profiles("NA", "view")
        assert sandbox.journal.count(login="alice", status=200) == 0
        await waiting
        assert sandbox.journal.count(login="alice", status=200) == 1

    async def test_two_throttled_logins_stop_everybody(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("throttle", login="alice", retry_after="2", count=1)
        sandbox.faults.add("throttle", login="bob", retry_after="2", count=1)
        await api_for("charlie").profiles("NA", "view")
        together = asyncio.gather(
            api_for("alice").profiles("NA", "view"), api_for("bob").profiles("NA", "view")
        )
        await poll_until(in_thread(RateLimit.objects.filter(blocked_until__gt=now()).exists))
        assert sandbox.journal.count(status=429) == 2
        with pytest.raises(PostponedError, match="asked for a pause"):
            await api_for("charlie", max_wait=0.5).profiles("NA", "view")
        await together
        assert not (await get_limit()).growing

    async def test_other_regions_are_not_paused(self, api_for: AdsApiFactory, sandbox: Sandbox) -> None:
        sandbox.faults.add("throttle", region="NA", retry_after="3600")
        alice = api_for("alice", max_wait=1)
        with pytest.raises(PostponedError):
            await alice.profiles("NA", "view")
        await alice.profiles("EU", "view")
        await alice.profiles("FE", "view")

    async def test_a_refusal_in_the_middle_of_a_listing_loses_nothing(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.reset(generated_world(accounts_per_login=350))
        sandbox.faults.add("throttle", nth=[2, 3, 5], retry_after="absent")
        someone = api_for("login-1")
        found = [
            account.ads_account_id async for page in someone.ads_accounts("NA") for account in page.items
        ]
        assert len(found) == len(set(found)) == 350
        assert someone.stats.throttled == 3


class TestPostponing:
    async def test_a_slot_too_far_away_postpones_the_call(self, api_for: AdsApiFactory) -> None:
        await api_for().profiles("NA", "view")
        await change_limit(blocked_until=now() + timedelta(seconds=90))
        with pytest.raises(PostponedError) as raised:
            await api_for(max_wait=60).profiles("NA", "view")
        assert raised.value.kind == "postponed"
        assert raised.value.until == pytest.approx(now() + timedelta(seconds=90), abs=timedelta(seconds=3))

    async def test_a_queue_too_long_postpones_calls(
        self, api_for: AdsApiFactory, settings: LazySettings
    ) -> None:
        settings.AMAZON_REQUESTS_PER_SECOND = settings.AMAZON_MAX_REQUESTS_PER_SECOND = 5.0
        settings.AMAZON_BURST = 1
        alice = api_for(max_wait=1.0)
        began = time.monotonic()
        results = await asyncio.gather(
            *(alice.profiles("NA", "view") for _ in range(20)), return_exceptions=True
        )
        late = [result for result in results if isinstance(result, PostponedError)]
        assert 10 <= len(late) <= 19
        assert time.monotonic() - began < 10

    async def test_a_block_that_comes_while_it_waits_is_seen(
        self, api_for: AdsApiFactory, sandbox: Sandbox, settings: LazySettings
    ) -> None:
        settings.AMAZON_REQUESTS_PER_SECOND = settings.AMAZON_MAX_REQUESTS_PER_SECOND = 2.0
        settings.AMAZON_BURST = 1
        alice = api_for()
        await alice.profiles("NA", "view")
        waiting = asyncio.create_task(alice.profiles("NA", "view"))
        await asyncio.sleep(0.2)
        until = now() + timedelta(seconds=1.5)
        await change_limit(blocked_until=until)
        await waiting
        assert now() >= until

    async def test_waiting_holds_no_database_connection(
        self, api_for: AdsApiFactory, settings: LazySettings
    ) -> None:
        await api_for().profiles("NA", "view")
        await change_limit(blocked_until=now() + timedelta(seconds=1))
        waiting = asyncio.create_task(api_for().profiles("NA", "view"))
        await asyncio.sleep(0.5)
        stats = cast("DatabaseWrapper", connections["default"]).pool.get_stats()
        assert stats["pool_available"] == stats["pool_size"]
        await waiting
