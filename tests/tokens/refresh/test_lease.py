"""One process at a time refreshes a connection."""

import asyncio
import time
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.database_outage import DatabaseOutage
from tests.polling import poll_until
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import make_due, read_refreshes, reload, store_tokens
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Connection, TokenRefresh
from tokens.permissions import SYSTEM
from tokens.refresh import lease
from tokens.refresh.due import refresh_due
from tokens.refresh.exchange import refresh_leased
from tokens.refresh.lease import keep_leases

pytestmark = pytest.mark.django_db

Outcome = TokenRefresh.Outcome
TOKEN_PATH = "/auth/o2/token"


def hold_row(connection: Connection, is_locked: Event, may_go: Event) -> None:
    """Lock the row of a connection until the other thread lets go."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SELECT FROM tokens_connection WHERE id = %s FOR SHARE", [connection.pk])
        is_locked.set()
        may_go.wait(5)


async def test_a_connection_disconnected_in_mid_refresh_is_not_revived(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")

    async def on_call(_: object) -> None:
        await in_thread(disconnect_connection)(SYSTEM, connection)

    sandbox.faults.add("run", path=TOKEN_PATH, options={"function": on_call})
    assert dict(await refresh_due(amazon)) == {"superseded": 1}
    after = await reload(connection)
    assert after.state == Connection.State.DISCONNECTED
    assert after.access_token is None
    assert after.refresh_token is None
    (refresh,) = await read_refreshes(connection)
    assert refresh.outcome == Outcome.SUPERSEDED


async def test_a_connection_reconnected_in_mid_refresh_keeps_its_new_grant(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)("bob")

    def reconnect() -> None:
        Connection.objects.filter(pk=connection.pk).update(grant_version=2, lease_id=None)
        store_tokens(connection, access_token="Atza|of the new grant")

    async def on_call(_: object) -> None:
        await in_thread(reconnect)()

    sandbox.faults.add("run", path=TOKEN_PATH, options={"function": on_call})
    assert dict(await refresh_due(amazon)) == {"superseded": 1}
    after = await reload(connection)
    assert after.access_token is not None
    assert after.access_token.reveal() == "Atza|of the new grant"


async def test_it_takes_over_what_a_dead_process_left(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    connection = await in_thread(connect)("bob")
    leases = await in_thread(lease.take_due_leases)(limit=10, before=timezone.now(), healthy=True)
    assert len(leases) == 1
    assert dict(await refresh_due(amazon)) == {}  # the lease holds

    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    assert [refresh.outcome for refresh in await read_refreshes(connection)] == ["lost", "succeeded"]


async def test_a_lost_lease_records_nothing_but_a_rotated_refresh_token(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.choices.change({"refresh_rotation": "rotate_and_end"})
    connection = await in_thread(connect)("bob")
    old = connection.refresh_token
    assert old is not None

    def take_lease() -> None:
        make_due(connection)
        assert lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL) is not None

    async def on_call(_: object) -> None:
        await in_thread(take_lease)()

    sandbox.faults.add("run", path=TOKEN_PATH, count=1, options={"function": on_call})
    assert dict(await refresh_due(amazon)) == {"superseded": 1}
    after = await reload(connection)
    assert after.refresh_count == 0
    assert after.refresh_token is not None
    assert after.refresh_token.reveal() != old.reveal()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="token"),
        pytest.param({"status": 400, "error": "invalid_grant"}, id="refusal"),
        pytest.param({"status": 401, "error": "invalid_client"}, id="failure"),
    ],
)
async def test_the_call_of_a_process_that_woke_up_too_late_is_in_the_history(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, answer: dict[str, Any]
) -> None:
    connection = await in_thread(connect)("bob")
    late = await in_thread(lease.take_lease)(connection.pk, TokenRefresh.Trigger.MANUAL)
    assert late is not None
    await in_thread(make_due)(connection)
    assert dict(await refresh_due(amazon)) == {"succeeded": 1}
    if answer:
        sandbox.faults.add("lwa_error", path=TOKEN_PATH, options=answer)
    refreshed = await refresh_leased(late, amazon, max_wait=10)
    assert refreshed.outcome == Outcome.SUPERSEDED
    lost, succeeded = await read_refreshes(connection)
    assert (lost.outcome, lost.tries) == (Outcome.LOST, 1)
    assert (succeeded.outcome, succeeded.tries) == (Outcome.SUCCEEDED, 1)


def seconds_left(connection: Connection) -> float:
    connection.refresh_from_db()
    assert connection.next_refresh_at is not None
    return (connection.next_refresh_at - timezone.now()).total_seconds()


@pytest.mark.django_db(transaction=True)
async def test_leases_are_renewed_while_amazon_takes_its_time(connect: ConnectionFactory) -> None:
    connection = await in_thread(connect)("bob")
    taken = await in_thread(lease.take_lease)(connection.pk, TokenRefresh.Trigger.MANUAL)
    assert taken is not None
    assert 14 < await in_thread(seconds_left)(connection) <= lease.LEASE_SECONDS

    await in_thread(make_due)(connection)
    async with keep_leases(taken, every=0.05):
        await poll_until(in_thread(lambda: 9 < seconds_left(connection) <= lease.RENEWED_SECONDS))


@pytest.mark.django_db(transaction=True)
async def test_a_lease_that_was_released_is_not_renewed(connect: ConnectionFactory) -> None:
    released = await in_thread(connect)("bob")
    kept = await in_thread(connect)("charlie")
    leases = await in_thread(lease.take_due_leases)(limit=2, before=timezone.now(), healthy=True)
    async with keep_leases(*leases, every=0.05) as keeper:
        keeper.release(next(each for each in leases if each.connection_id == released.pk))
        await in_thread(make_due)(released)
        await in_thread(make_due)(kept)
        await poll_until(in_thread(lambda: seconds_left(kept) > 9))
        assert await in_thread(seconds_left)(released) <= 0


async def test_leases_are_renewed_again_after_an_outage_of_the_database(
    connect: ConnectionFactory, database_outage: DatabaseOutage, caplog: pytest.LogCaptureFixture
) -> None:
    connection = await in_thread(connect)("bob")
    taken = await in_thread(lease.take_lease)(connection.pk, TokenRefresh.Trigger.MANUAL)
    assert taken is not None
    async with keep_leases(taken, every=0.05):
        await in_thread(database_outage.begin)()
        await poll_until(lambda: "Leases could not be renewed" in caplog.text)
        await in_thread(database_outage.end)()
        await in_thread(make_due)(connection)
        await poll_until(in_thread(lambda: seconds_left(connection) > 9))


def test_a_lost_lease_is_not_renewed(connect: ConnectionFactory) -> None:
    connection = connect("bob")
    lost = lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL)
    assert lost is not None
    make_due(connection)
    assert lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL) is not None
    assert lease.renew_leases([lost]) == 0


def test_the_lease_of_one_connection_is_taken_only_when_it_is_free(connect: ConnectionFactory) -> None:
    connection = connect("bob", next_refresh_at=timezone.now() + timedelta(hours=1))
    assert lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL, seen=7) is None
    assert lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL, seen=0) is not None
    assert lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL) is None


def test_due_leases_are_taken_soonest_first(connect: ConnectionFactory) -> None:
    now = timezone.now()
    minutes = {connect("bob", next_refresh_at=now - timedelta(minutes=each)).pk: each for each in (1, 3, 2)}
    connect("bob", next_refresh_at=now + timedelta(minutes=1))
    taken = [each for _ in range(3) for each in lease.take_due_leases(limit=1, before=now, healthy=True)]
    assert [minutes[each.connection_id] for each in taken] == [3, 2, 1]
    assert lease.take_due_leases(limit=5, before=now, healthy=True) == []


def test_healthy_and_failing_connections_are_taken_apart(connect: ConnectionFactory) -> None:
    healthy, failing = connect("bob"), connect("bob", last_error="It failed before.")
    now = timezone.now()
    (taken,) = lease.take_due_leases(limit=5, before=now, healthy=False)
    assert taken.connection_id == failing.pk
    (taken,) = lease.take_due_leases(limit=5, before=now, healthy=True)
    assert taken.connection_id == healthy.pk
    assert "Atzr" not in repr(taken)


async def test_a_process_that_stops_gives_its_leases_back(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connections = [await in_thread(connect)(name) for name in ("bob", "charlie")]
    hang = sandbox.faults.add("hang", name="hang", path=TOKEN_PATH)
    check = asyncio.create_task(refresh_due(amazon, concurrency=1))
    await poll_until(in_thread(lambda: TokenRefresh.objects.filter(outcome=None).count() == 2))
    await poll_until(lambda: hang.struck > 0)
    check.cancel()
    await asyncio.gather(check, return_exceptions=True)
    assert not await in_thread(Connection.objects.filter(lease_id__isnull=False).exists)()
    assert [(await read_refreshes(each))[0].outcome for each in connections] == [Outcome.LOST, Outcome.LOST]
    # One had asked Amazon, which had not answered yet.
    assert sorted([(await read_refreshes(each))[0].tries for each in connections]) == [0, 1]
    sandbox.faults.clear()
    assert dict(await refresh_due(amazon)) == {"succeeded": 2}


def test_the_lease_of_a_dead_process_is_foreseen(connect: ConnectionFactory) -> None:
    assert lease.seconds_until_lost() is None
    connection = connect("bob")
    lease.take_lease(connection.pk, TokenRefresh.Trigger.MANUAL)
    assert lease.seconds_until_lost() is None
    Connection.objects.update(next_refresh_at=timezone.now() + timedelta(seconds=3))
    assert 2 < (lease.seconds_until_lost() or 0) <= 3
    make_due(connection)
    assert lease.seconds_until_lost() == 0


@pytest.mark.django_db(transaction=True)
async def test_leases_are_renewed_though_another_one_is_locked(connect: ConnectionFactory) -> None:
    locked = await in_thread(connect)("bob", label="locked")
    await in_thread(connect)("bob", label="free")
    leases = await in_thread(lease.take_due_leases)(limit=2, before=timezone.now(), healthy=True)
    is_locked, may_go = Event(), Event()

    holding = asyncio.ensure_future(in_thread(hold_row)(locked, is_locked, may_go))
    await asyncio.to_thread(is_locked.wait)
    began = time.monotonic()
    assert await in_thread(lease.renew_leases)(leases) == 1
    assert time.monotonic() - began < 2
    may_go.set()
    await holding
    assert await in_thread(lease.renew_leases)(leases) == 2


async def test_a_check_waits_for_a_lost_lease_whose_row_is_locked(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    connection = await in_thread(connect)("bob")
    await in_thread(lease.take_lease)(connection.pk, TokenRefresh.Trigger.MANUAL)
    await in_thread(make_due)(connection)
    is_locked, may_go = Event(), Event()
    locking = asyncio.ensure_future(in_thread(hold_row)(connection, is_locked, may_go))
    await asyncio.to_thread(is_locked.wait)
    check = asyncio.create_task(refresh_due(amazon))
    await asyncio.sleep(0.2)
    may_go.set()
    await locking
    assert dict(await check) == {"succeeded": 1}
