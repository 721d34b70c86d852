"""Every connection that is due is refreshed, and no other."""

import asyncio
import time
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import ApplicationRefusedError
from amazon_accounts.amazon_ads.models import ParkedLogin, RateLimit
from amazon_accounts.amazon_ads.pacing.rate_limiter import LWA_KEY
from amazon_accounts.amazon_ads.pacing.reservation import reserve
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.polling import poll_until
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import make_due, read_refreshes, reload
from tokens.models import Connection, TokenRefresh
from tokens.refresh.access_tokens import get_access_token
from tokens.refresh.due import refresh_due
from tokens.refresh.one import refresh_connections, refresh_queued

pytestmark = pytest.mark.django_db

Outcome = TokenRefresh.Outcome
TOKEN_PATH = "/auth/o2/token"


async def test_it_refreshes_what_is_due_and_nothing_else(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    due = await in_thread(connect)("bob")
    later = await in_thread(connect)("charlie", next_refresh_at=timezone.now() + timedelta(minutes=30))

    counts = await refresh_due(amazon)

    assert dict(counts) == {"succeeded": 1}
    assert sandbox.journal.count(path=TOKEN_PATH) == 1
    due = await reload(due)
    assert due.access_token is not None
    assert due.access_token.reveal().startswith("Atza|")
    assert due.access_token.reveal() != "Atza|old"
    assert due.refresh_count == 1
    assert due.lease_id is None
    assert due.expires_at is not None
    assert due.next_refresh_at is not None
    left = due.expires_at - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    assert timedelta(seconds=600) <= due.expires_at - due.next_refresh_at <= timedelta(seconds=660)
    assert (await reload(later)).refresh_count == 0


async def test_it_writes_the_history_of_a_refresh(connect: ConnectionFactory, amazon: AmazonClient) -> None:
    connection = await in_thread(connect)()
    await refresh_due(amazon)
    (refresh,) = await read_refreshes(connection)
    assert refresh.trigger == TokenRefresh.Trigger.SCHEDULED
    assert refresh.outcome == Outcome.SUCCEEDED
    assert refresh.tries == 1
    assert refresh.request_id
    assert refresh.finished_at is not None
    assert refresh.new_expires_at == (await reload(connection)).expires_at


async def test_it_keeps_the_lead_within_half_of_a_short_life(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.choices.change({"access_token_seconds": 60})
    connection = await in_thread(connect)()
    await refresh_due(amazon)
    connection = await reload(connection)
    assert connection.expires_at is not None
    assert connection.next_refresh_at is not None
    assert timedelta(seconds=29) < connection.expires_at - connection.next_refresh_at <= timedelta(seconds=30)


async def test_it_retries_inside_the_check(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("error_500", path=TOKEN_PATH, count=2)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    (refresh,) = await read_refreshes(connection)
    assert refresh.tries == 3


async def test_it_leaves_a_connection_alive_through_an_outage(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("error_503", path=TOKEN_PATH)
    assert dict(await refresh_due(amazon)) == {"transient": 1}
    broken = await reload(connection)
    assert broken.state == Connection.State.ACTIVE
    assert broken.last_error
    assert broken.next_refresh_at is not None
    assert timedelta(0) < broken.next_refresh_at - timezone.now() <= timedelta(seconds=30)
    assert broken.access_token is not None
    assert broken.access_token.reveal() == "Atza|old"

    sandbox.faults.clear()
    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert (await reload(connection)).last_error == ""


@pytest.mark.parametrize(
    ("choice", "stays"),
    [
        ({"refresh_answer": "without_refresh_token"}, True),
        ({"refresh_rotation": "same"}, True),
        ({"refresh_rotation": "rotate"}, False),
        ({"refresh_rotation": "rotate_and_end"}, False),
    ],
)
async def test_it_keeps_the_refresh_token_unless_amazon_gives_another(
    connect: ConnectionFactory,
    amazon: AmazonClient,
    sandbox: Sandbox,
    choice: dict[str, str],
    stays: bool,
) -> None:
    sandbox.choices.change(choice)
    connection = await in_thread(connect)()
    assert connection.refresh_token is not None
    before = connection.refresh_token.reveal()
    await refresh_due(amazon)
    after = await reload(connection)
    assert after.refresh_token is not None
    assert (after.refresh_token.reveal() == before) is stays

    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}


async def test_it_reads_a_life_written_as_text(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.choices.change({"expires_in": "string"})
    await in_thread(connect)()
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}


async def test_failing_ones_do_not_starve_the_others(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1

    def make() -> None:
        for number in range(20):
            connect("bob", label=f"failing {number}", last_error="It failed before.")
        for number in range(10):
            connect("charlie", label=f"healthy {number}")

    await in_thread(make)()
    sandbox.faults.add("hang", path=TOKEN_PATH, login="bob")
    check = asyncio.create_task(refresh_due(amazon))
    unrefreshed = Connection.objects.filter(label__startswith="healthy", refresh_count=0)
    await poll_until(in_thread(lambda: not unrefreshed.exists()))
    # A call is in the journal when it has ended, so every failing connection still waits for Amazon.
    assert sandbox.journal.count(path=TOKEN_PATH) == 10
    check.cancel()
    await asyncio.gather(check, return_exceptions=True)


async def test_connections_of_another_application_are_left_alone_and_say_so(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob", client_id="amzn1.application-oa2-client.other")
    assert dict(await refresh_due(amazon)) == {}
    with pytest.raises(ApplicationRefusedError, match="another Login with Amazon application"):
        await get_access_token(connection.pk, amazon=amazon)
    assert (await reload(connection)).last_error == ""
    assert sandbox.journal.count() == 0


async def test_a_manual_refresh_does_not_wait_until_the_token_is_due(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    connection = await in_thread(connect)("bob", next_refresh_at=timezone.now() + timedelta(minutes=40))
    counts = await refresh_connections([connection.pk], TokenRefresh.Trigger.MANUAL, amazon)
    assert dict(counts) == {"succeeded": 1}
    assert counts.all_succeeded


async def test_a_check_ends_when_amazon_answers_nobody(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1

    def make() -> None:
        for number in range(100):
            connect(("bob", "charlie")[number % 2], label=f"Shop {number}")

    await in_thread(make)()
    sandbox.faults.add("error_503", path=TOKEN_PATH)
    counts = await refresh_due(amazon, max_wait=0.1)
    assert set(counts) == {"transient", "postponed"}
    assert sandbox.journal.count(path=TOKEN_PATH) < 40
    assert await in_thread(Connection.objects.filter(state="active").count)() == 100


async def test_logins_that_are_sent_away_alone_do_not_end_the_check_for_the_others(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    def make() -> None:
        first = timezone.now() - timedelta(hours=1)
        parked = [connect("bob", label=f"Parked {number}", next_refresh_at=first) for number in range(4)]
        for number in range(4):
            connect("charlie", label=f"Shop {number}")
        reserve(LWA_KEY, "nobody", max_wait=0)
        limit, until = RateLimit.objects.get(family=LWA_KEY.family), timezone.now() + timedelta(hours=1)
        for each in parked:
            ParkedLogin.objects.create(rate_limit=limit, subject=str(each.pk), until=until)

    await in_thread(make)()
    assert dict(await refresh_due(amazon, concurrency=1)) == {"postponed": 4, "succeeded": 4}


async def test_a_refresh_does_not_wait_for_the_long_statements_of_others(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    await in_thread(connect)("bob")
    long_statements = [asyncio.ensure_future(in_thread(time.sleep)(2)) for _ in range(20)]
    await asyncio.sleep(0)
    began = time.monotonic()
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert time.monotonic() - began < 1.5
    for statement in long_statements:
        statement.cancel()
    await asyncio.gather(*long_statements, return_exceptions=True)


async def test_a_queued_refresh_is_not_repeated_when_one_has_ended_meanwhile(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    for _ in range(2):
        await refresh_queued(connection.pk, TokenRefresh.Trigger.ON_USE, amazon, seen=0)
    assert sandbox.journal.count(path=TOKEN_PATH) == 1
    assert (await reload(connection)).refresh_count == 1
