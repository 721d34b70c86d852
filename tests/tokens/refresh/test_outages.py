"""Refreshes while Amazon or the database is away."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from django.conf import LazySettings
from django.utils import timezone
from procrastinate import JobContext
from procrastinate.contrib.django.models import ProcrastinateJob

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.database_outage import DatabaseOutage
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import reload
from tokens.models import Connection, TokenRefresh
from tokens.refresh.due import refresh_due
from tokens.refresh.tasks import refresh_due_tokens

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


async def test_tokens_near_their_end_are_refreshed_before_it_when_amazon_answers_again(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1
    settings.TOKEN_REFRESH_CHECK_SECONDS = 1
    ends_at = timezone.now() + timedelta(seconds=28)

    def make() -> None:
        for number in range(10):
            connect(("bob", "charlie")[number % 2], label=f"Shop {number}", expires_at=ends_at)

    await in_thread(make)()
    sandbox.faults.add("error_503", name="outage", path=TOKEN_PATH)
    # Calls that find the circuit open wait for it, and fail.
    await refresh_due(amazon, max_wait=4)
    assert await in_thread(RateLimit.objects.filter(circuit_open_until__isnull=False).exists)()
    sandbox.faults.clear()
    unrefreshed = Connection.objects.filter(refresh_count=0)
    while await in_thread(unrefreshed.exists)():
        assert timezone.now() < ends_at
        await refresh_due(amazon, max_wait=4)
        await asyncio.sleep(0.2)


async def test_a_check_with_failures_is_followed_by_another_before_the_next_of_the_schedule(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1
    await in_thread(connect)()
    sandbox.faults.add("error_503", path=TOKEN_PATH)
    await refresh_due_tokens(cast("JobContext", SimpleNamespace(additional_context={"amazon": amazon})))
    job = await in_thread(ProcrastinateJob.objects.get)(task_name=refresh_due_tokens.name)
    assert job.scheduled_at is not None
    assert timedelta(seconds=20) < job.scheduled_at - timezone.now() <= timedelta(seconds=30)
    due = await in_thread(Connection.objects.filter(next_refresh_at__lte=job.scheduled_at).count)()
    assert due == 1


async def test_a_check_that_went_well_is_followed_by_the_schedule_alone(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    await in_thread(connect)()
    await refresh_due_tokens(cast("JobContext", SimpleNamespace(additional_context={"amazon": amazon})))
    assert not await in_thread(ProcrastinateJob.objects.filter(task_name=refresh_due_tokens.name).exists)()
