"""What happens when Amazon refuses a refresh token."""

import asyncio

import httpx
import pytest
from django.conf import LazySettings

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import GrantRevokedError
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxTransport
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import make_due, read_refreshes, reload, store_tokens
from tokens.models import Alert, Connection, TokenRefresh
from tokens.refresh import lease, outcomes
from tokens.refresh.access_tokens import get_access_token
from tokens.refresh.due import refresh_due
from tokens.refresh.one import refresh_connections
from tokens.signals import connection_changed

pytestmark = pytest.mark.django_db

Outcome = TokenRefresh.Outcome
TOKEN_PATH = "/auth/o2/token"
PASSING_REFUSAL = {"status": 400, "error": "invalid_grant"}


async def test_it_confirms_a_dead_grant_once_and_then_never_asks_again(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    heard: list[str] = []

    def listener(change: str, **_: object) -> None:
        heard.append(change)

    connection_changed.connect(listener)
    try:
        sandbox.revoke("bob")
        assert dict(await refresh_due(amazon)) == {"reauthorise": 1}
    finally:
        connection_changed.disconnect(listener)
    assert heard == ["broken"]
    assert sandbox.journal.count(path=TOKEN_PATH) == 2
    connection = await reload(connection)
    assert connection.state == Connection.State.REAUTHORIZATION_REQUIRED
    assert connection.next_refresh_at is None
    assert "invalid_grant" in connection.last_error
    assert await in_thread(Alert.objects.filter(kind=Alert.Kind.CONNECTION_BROKEN).count)() == 1

    await refresh_due(amazon)
    await refresh_connections([connection.pk], TokenRefresh.Trigger.MANUAL, amazon)
    with pytest.raises(GrantRevokedError):
        await get_access_token(connection.pk, amazon=amazon)
    assert sandbox.journal.count(path=TOKEN_PATH) == 2


async def test_it_believes_in_a_passing_fault_when_the_second_try_succeeds(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")
    sandbox.faults.add(
        "lwa_error", path=TOKEN_PATH, count=1, options={"status": 400, "error": "invalid_grant"}
    )
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert (await reload(connection)).grant_refusals == 0


async def test_it_asks_with_the_token_that_another_process_stored_meanwhile(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    newer = sandbox.refresh_token("bob")
    connection = await in_thread(connect)("bob", refresh_token="Atzr|stale")

    async def on_call(_: object) -> None:
        await in_thread(store_tokens)(connection, refresh_token=newer)

    sandbox.faults.add("run", path=TOKEN_PATH, count=1, options={"function": on_call})
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert (await reload(connection)).state == Connection.State.ACTIVE


async def wait_for_refusals(connection: Connection, number: int) -> None:
    for _ in range(1000):
        if (await reload(connection)).grant_refusals == number:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"Amazon did not refuse {number} times.")


async def test_a_token_that_is_stored_while_amazon_is_asked_is_not_dead_after_one_refusal(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    newer = sandbox.refresh_token("bob")
    connection = await in_thread(connect)("bob", refresh_token="Atzr|stale")

    async def on_call(_: object) -> None:
        await in_thread(store_tokens)(connection, refresh_token=newer)

    sandbox.faults.add("run", path=TOKEN_PATH, count=1, options={"function": on_call})
    sandbox.faults.add("lwa_error", path=TOKEN_PATH, nth=2, options=PASSING_REFUSAL)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert sandbox.journal.count(path=TOKEN_PATH) == 3


async def test_a_token_that_is_stored_after_a_refusal_is_not_dead_after_one_refusal(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    settings.TOKEN_REFUSAL_CONFIRMATION_SECONDS = 0.5
    newer = sandbox.refresh_token("bob")
    connection = await in_thread(connect)("bob", refresh_token="Atzr|stale")
    sandbox.faults.add("lwa_error", path=TOKEN_PATH, nth=2, options=PASSING_REFUSAL)
    check = asyncio.create_task(refresh_due(amazon))
    await wait_for_refusals(connection, 1)
    await in_thread(store_tokens)(connection, refresh_token=newer)
    assert dict(await check) == {"succeeded": 1}
    assert sandbox.journal.count(path=TOKEN_PATH) == 3


def test_a_refusal_that_is_recorded_twice_counts_once(connect: ConnectionFactory) -> None:
    connection = connect("bob")
    taken = lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL)
    assert taken is not None
    refused = taken.refresh_token.reveal()
    # The answer to a commit may be lost with the connection to the database, and then it is recorded again.
    for _ in range(2):
        stored = outcomes.record_refusal(taken, refused, 1)
        assert stored is not None
        assert stored.reveal() == refused
    assert Connection.objects.get().grant_refusals == 1


def test_a_refusal_of_a_token_that_was_replaced_says_nothing_about_the_new_one(
    connect: ConnectionFactory,
) -> None:
    connection = connect("bob")
    taken = lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL)
    assert taken is not None
    refused = taken.refresh_token.reveal()
    store_tokens(connection, refresh_token="Atzr|newer")
    stored = outcomes.record_refusal(taken, refused, 2)
    assert stored is not None
    assert stored.reveal() == "Atzr|newer"
    assert Connection.objects.get().grant_refusals == 0


def test_a_refusal_is_not_recorded_after_the_lease_was_lost(connect: ConnectionFactory) -> None:
    connection = connect("bob")
    taken = lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL)
    assert taken is not None
    make_due(connection)
    assert lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL) is not None
    assert outcomes.record_refusal(taken, taken.refresh_token.reveal(), 1) is None
    assert outcomes.read_refresh_token(taken) is None
    assert Connection.objects.get().grant_refusals == 0


async def test_it_never_makes_more_than_three_refused_calls_though_its_process_dies(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, settings: LazySettings
) -> None:
    connection = await in_thread(connect)("bob")
    sandbox.revoke("bob")
    settings.TOKEN_REFUSAL_CONFIRMATION_SECONDS = 60
    dying = asyncio.create_task(refresh_due(amazon))
    await wait_for_refusals(connection, 1)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)

    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"reauthorise": 1}
    assert sandbox.journal.count(path=TOKEN_PATH) == 2
    assert [refresh.outcome for refresh in await read_refreshes(connection)] == ["lost", "reauthorise"]


class HoldingTransport(httpx.AsyncBaseTransport):
    """Keeps Amazon's answers back until the test lets them go."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self.holds = asyncio.Event()
        self.may_go = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        self.holds.set()
        await self.may_go.wait()
        return response


async def test_a_process_that_was_stopped_with_a_rotated_token_heals_the_connection(
    connect: ConnectionFactory,
    amazon: AmazonClient,
    sandbox: Sandbox,
    sandbox_transport: SandboxTransport,
    settings: LazySettings,
) -> None:
    settings.LWA_TIMEOUT_SECONDS = 60
    sandbox.choices.change({"refresh_rotation": "rotate_and_end"})
    connection = await in_thread(connect)("bob")
    transport = HoldingTransport(sandbox_transport)
    async with AmazonClient(transport=transport) as stopped:
        refresh = asyncio.create_task(refresh_due(stopped))
        await transport.holds.wait()
        await in_thread(make_due)(connection)
        assert dict(await refresh_due(amazon)) == {"reauthorise": 1}
        transport.may_go.set()
        assert dict(await refresh) == {"superseded": 1}
    healed = await reload(connection)
    assert healed.state == Connection.State.ACTIVE
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert await in_thread(Alert.objects.filter(kind=Alert.Kind.CONNECTION_HEALED).count)() == 1
