"""What happens when Amazon does not answer: the circuit opens, and one probe closes it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils.timezone import now

from amazon_accounts.amazon_ads.errors import (
    ForbiddenError,
    GrantRevokedError,
    PostponedError,
    TransientError,
)
from amazon_accounts.amazon_ads.models import Family, RateLimit
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.amazon_ads.conftest import OWN_TABLES, AdsApiFactory
from tests.polling import poll_until

pytestmark = OWN_TABLES


@in_thread
def get_limit(family: str = Family.ACCOUNTS) -> RateLimit:
    return RateLimit.objects.get(region="NA", family=family)


@in_thread
def change_limit(**values: object) -> None:
    RateLimit.objects.update(**values)


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
    async def test_it_opens_and_one_probe_closes_it(self, api_for: AdsApiFactory, sandbox: Sandbox) -> None:
        alice, bob = api_for("alice", max_wait=0.5), api_for("bob", max_wait=0.5)
        for api in (alice, bob, alice, bob, alice):
            await self.fail(partial(api.profiles, "NA", "view"))
        asked = sandbox.journal.count()
        assert asked == 10
        with pytest.raises(PostponedError, match="does not answer"):
            await bob.profiles("NA", "view")
        assert sandbox.journal.count() == asked
        await bob.profiles("EU", "view")

        # The circuit's time is over and the probe fails, so the circuit opens for twice as long.
        await change_limit(circuit_open_until=now() - timedelta(seconds=1))
        with pytest.raises(PostponedError):
            await alice.profiles("NA", "view")
        assert (await get_limit()).circuit_seconds == 60

        sandbox.faults.remove("down")
        await change_limit(circuit_open_until=now() - timedelta(seconds=1))
        await alice.profiles("NA", "view")
        limit = await get_limit()
        assert (limit.circuit_open_until, limit.failures_in_a_row) == (None, 0)
        await bob.profiles("NA", "view")

    @pytest.mark.usefixtures("failing")
    async def test_while_one_probes_the_others_wait_and_then_go_on(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.remove("down")
        await api_for("alice").profiles("NA", "view")
        await change_limit(circuit_open_until=now() - timedelta(seconds=1), circuit_seconds=30)
        sandbox.faults.add("slow", seconds=0.3, count=1)
        sandbox.journal.clear()
        await asyncio.gather(*(api_for(name).profiles("NA", "view") for name in ("alice", "bob", "charlie")))
        first, *others = sorted(entry.time for entry in sandbox.journal)
        assert all(moment - first >= 0.3 for moment in others)

    async def test_a_probe_that_was_not_made_is_made_by_the_next(self, api_for: AdsApiFactory) -> None:
        async def refuse(rejected: str | None = None) -> str:
            raise GrantRevokedError

        await api_for().profiles("NA", "view")
        await change_limit(circuit_open_until=now() - timedelta(seconds=1), circuit_seconds=30)
        with pytest.raises(GrantRevokedError):
            await api_for("bob", token=refuse).profiles("NA", "view")
        began = time.monotonic()
        await api_for().profiles("NA", "view")
        assert time.monotonic() - began < 0.9
        assert (await get_limit()).circuit_open_until is None

    async def test_a_probe_that_is_cancelled_is_made_by_the_next(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        await api_for().profiles("NA", "view")
        await change_limit(circuit_open_until=now() - timedelta(seconds=1), circuit_seconds=30)
        sandbox.faults.add("hang", name="hang")
        probe = asyncio.create_task(api_for("bob").profiles("NA", "view"))
        await poll_until(in_thread(RateLimit.objects.filter(probe_until__isnull=False).exists))
        await asyncio.sleep(0.2)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert (await get_limit()).probe_until is None

    @pytest.mark.usefixtures("failing")
    async def test_a_refusal_is_an_answer_and_closes_it(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        await self.fail(*[partial(api_for().profiles, "NA", "view")] * 5)
        sandbox.faults.remove("down")
        sandbox.faults.add("forbidden")
        await change_limit(circuit_open_until=now() - timedelta(seconds=1))
        with pytest.raises(ForbiddenError):
            await api_for().profiles("NA", "view")
        assert (await get_limit()).circuit_open_until is None

    @pytest.mark.usefixtures("failing")
    async def test_failures_between_answers_never_open_it(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.remove("down")
        sandbox.faults.add("error_503", login="bob")
        for _ in range(6):
            await self.fail(lambda: api_for("bob").profiles("NA", "view"))
            await api_for("alice").profiles("NA", "view")
        limit = await get_limit()
        assert (limit.circuit_open_until, limit.failures_in_a_row, limit.failures) == (None, 0, 6)
