"""What happens while Amazon refuses our application."""

import asyncio
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import ApplicationRefusedError
from amazon_accounts.amazon_ads.models import ApplicationRefusal
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import make_due
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Connection, TokenRefresh
from tokens.permissions import SYSTEM
from tokens.refresh.access_tokens import get_access_token
from tokens.refresh.counts import CONCURRENCY
from tokens.refresh.due import refresh_due
from tokens.refresh.one import refresh_connections, refresh_queued

pytestmark = pytest.mark.django_db

Outcome = TokenRefresh.Outcome
TOKEN_PATH = "/auth/o2/token"


async def test_a_refused_application_stops_all_refreshes_and_blames_nobody(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    def make() -> None:
        for number in range(60):
            connect("bob", label=f"Shop {number}")

    await in_thread(make)()
    fault = sandbox.faults.add("lwa_error", path=TOKEN_PATH, status=401, error="invalid_client")
    counts = await refresh_due(amazon)
    assert set(counts) == {"config"}
    first = sandbox.journal.count(path=TOKEN_PATH)
    assert first <= CONCURRENCY  # those that were under way when the first was refused

    def all_due() -> int:
        Connection.objects.update(next_refresh_at=timezone.now())
        ApplicationRefusal.objects.update(
            refused_since=timezone.now() - timedelta(hours=1),
            last_refused_at=timezone.now() - timedelta(minutes=5),
            probed_at=timezone.now() - timedelta(minutes=6),
        )
        return Connection.objects.filter(last_error="", state="active").count()

    assert await in_thread(all_due)() == 60
    # One probe per check, however many tasks share the check.
    assert dict(await refresh_due(amazon)) == {"config": 1}
    assert dict(await refresh_due(amazon)) == {}
    assert sandbox.journal.count(path=TOKEN_PATH) == first + 1
    # Who wants to use a token hears why there is none, without a call.
    someone = await in_thread(Connection.objects.latest)("pk")
    with pytest.raises(ApplicationRefusedError):
        await get_access_token(someone.pk, amazon=amazon, rejected="Atza|old")
    assert sandbox.journal.count(path=TOKEN_PATH) == first + 1

    sandbox.faults.remove(fault.name)
    await in_thread(all_due)()
    assert dict(await refresh_due(amazon)) == {"succeeded": 60}


async def test_a_refusal_that_comes_after_the_claim_was_lost_is_no_acceptance(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    sandbox.faults.add("lwa_error", path=TOKEN_PATH, status=401, error="invalid_client")
    assert dict(await refresh_due(amazon)) == {"config": 1}

    def a_check_later() -> None:
        make_due(connection)
        ApplicationRefusal.objects.update(probed_at=timezone.now() - timedelta(minutes=6))

    async def on_call(_: object) -> None:
        await in_thread(disconnect_connection)(SYSTEM, connection)

    await in_thread(a_check_later)()
    sandbox.faults.add("run", path=TOKEN_PATH, options={"function": on_call})
    assert dict(await refresh_due(amazon)) == {"superseded": 1}
    assert await in_thread(ApplicationRefusal.objects.exists)()


async def test_who_uses_a_token_finds_out_that_the_application_is_accepted_again(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    def make() -> list[Connection]:
        later = timezone.now() + timedelta(hours=1)
        return [
            connect("bob", label=f"Shop {number}", access_token=None, expires_at=None, next_refresh_at=later)
            for number in range(5)
        ]

    connections = await in_thread(make)()
    fault = sandbox.faults.add("lwa_error", path=TOKEN_PATH, status=401, error="invalid_client")

    async def ask_all() -> list[str | BaseException]:
        return await asyncio.gather(
            *(get_access_token(each.pk, amazon=amazon) for each in connections), return_exceptions=True
        )

    def a_check_later() -> None:
        ApplicationRefusal.objects.update(probed_at=timezone.now() - timedelta(minutes=6))

    await ask_all()
    refused = sandbox.journal.count(path=TOKEN_PATH)
    await ask_all()
    assert sandbox.journal.count(path=TOKEN_PATH) == refused
    await in_thread(a_check_later)()
    assert all(isinstance(answer, ApplicationRefusedError) for answer in await ask_all())
    assert sandbox.journal.count(path=TOKEN_PATH) == refused + 1
    sandbox.faults.remove(fault.name)
    await in_thread(a_check_later)()
    await ask_all()
    assert not await in_thread(ApplicationRefusal.objects.exists)()
    assert all(isinstance(answer, str) for answer in await ask_all())


async def test_many_queued_refreshes_ask_once_whether_the_application_is_accepted_again(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    def make() -> list[Connection]:
        later = timezone.now() + timedelta(hours=1)
        return [connect("bob", label=f"Shop {number}", next_refresh_at=later) for number in range(5)]

    async def refresh_all() -> int:
        before = sandbox.journal.count(path=TOKEN_PATH)
        for each in connections:
            await refresh_queued(each.pk, TokenRefresh.Trigger.MANUAL, amazon)
        return sandbox.journal.count(path=TOKEN_PATH) - before

    def a_moment_later() -> None:
        ApplicationRefusal.objects.update(probed_at=timezone.now() - timedelta(seconds=11))

    connections = await in_thread(make)()
    fault = sandbox.faults.add("lwa_error", path=TOKEN_PATH, status=401, error="invalid_client")
    assert await refresh_all() == 1
    assert await refresh_all() == 0
    await in_thread(a_moment_later)()
    assert await refresh_all() == 1

    # The command is run by a person, and asks whenever it is run.
    ids = [each.pk for each in connections]
    counts = await refresh_connections(ids, TokenRefresh.Trigger.MANUAL, amazon)
    assert dict(counts) == {"config": 5}
    assert sandbox.journal.count(path=TOKEN_PATH) == 3

    sandbox.faults.remove(fault.name)
    await in_thread(a_moment_later)()
    assert await refresh_all() == 5


async def test_another_secret_is_not_held_back_by_the_refusal_of_the_first(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    connection = await in_thread(connect)("bob")
    good = settings.AMAZON_CLIENT_SECRET
    settings.AMAZON_CLIENT_SECRET = "wrong"
    assert dict(await refresh_due(amazon)) == {"config": 1}
    settings.AMAZON_CLIENT_SECRET = good
    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
