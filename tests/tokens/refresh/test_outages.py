"""Refreshes while Amazon or the database is away."""

import asyncio
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.database_outage import DatabaseOutage
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import reload
from tokens.models import Connection, TokenRefresh
from tokens.refresh.due import refresh_due

pytestmark = pytest.mark.django_db

Outcome = TokenRefresh.Outcome
TOKEN_PATH = "/auth/o2/token"


async def test_a_token_does_not_live_longer_because_the_database_was_away(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, database_outage: DatabaseOutage
) -> None:
    connection = await in_thread(connect)()
    answered = asyncio.Event()

    async def on_call(_: object) -> None:
        await in_thread(database_outage.begin)()
        answered.set()

    sandbox.faults.add("run", path=TOKEN_PATH, options={"function": on_call})
    check = asyncio.create_task(refresh_due(amazon, concurrency=1))
    await answered.wait()
    answered_at = timezone.now()
    await asyncio.sleep(0.5)
    await in_thread(database_outage.end)()
    assert dict(await check) == {"succeeded": 1}
    expires_at = (await reload(connection)).expires_at
    assert expires_at is not None
    assert expires_at <= answered_at + timedelta(hours=1)


async def test_an_outage_of_hours_disables_nobody_and_one_check_mends_all(
    connect: ConnectionFactory,
    amazon: AmazonClient,
    sandbox: Sandbox,
    settings: LazySettings,
) -> None:
    settings.LWA_REQUESTS_PER_SECOND = 100

    def make() -> None:
        for number in range(60):
            connect(("bob", "charlie")[number % 2], label=f"Shop {number}")

    def hours_later() -> None:
        sandbox.clock.advance(3600)
        now = timezone.now()
        RateLimit.objects.filter(circuit_open_until__isnull=False).update(circuit_open_until=now)
        Connection.objects.update(next_refresh_at=now, expires_at=now - timedelta(minutes=1))

    await in_thread(make)()
    for kind in ("error_503", "hang", "html", "truncated", "drop", "error_500"):
        settings.LWA_TIMEOUT_SECONDS = 0.2
        fault = sandbox.faults.add(kind, path=TOKEN_PATH)
        await refresh_due(amazon, max_wait=0.1)
        assert await in_thread(Connection.objects.filter(state="active").count)() == 60
        await in_thread(hours_later)()
        sandbox.faults.remove(fault.name)
    settings.LWA_TIMEOUT_SECONDS = 10
    counts = await refresh_due(amazon)
    fresh = Connection.objects.filter(expires_at__gt=timezone.now() + timedelta(minutes=50), last_error="")
    assert await in_thread(fresh.count)() == 60, counts
