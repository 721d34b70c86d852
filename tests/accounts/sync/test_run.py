"""One sync from its claim to its end, with every way in which it can end."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import AccountAccess, SyncRun
from accounts.sync.claims import (
    MAX_POSTPONEMENTS,
    UNAUTHORIZED_RUNS,
    AnotherRunActiveError,
    RunTakenError,
    claim_run,
    close_unfinished_runs,
)
from accounts.sync.listing import Listing
from accounts.sync.reading import run_all
from accounts.sync.requests import open_run, queue_sync
from accounts.sync.rescue import rescue_runs
from accounts.sync.run import INTERNAL_ERROR, STAGING_LOST, sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.runs import (
    MANUAL,
    let_die,
    list_queued_runs,
    list_scheduled_times,
    wait_until_started,
)
from tests.polling import poll_until
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Alert, Connection
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)


@in_thread
def request(connect: ConnectionFactory) -> tuple[Connection, SyncRun]:
    connection = connect()
    return connection, queue_sync(connection, trigger=MANUAL)


@in_thread
def reload(run: SyncRun) -> SyncRun:
    return SyncRun.objects.get(pk=run.pk)


async def stop(syncing: "asyncio.Task[SyncRun]") -> None:
    syncing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await syncing


async def test_a_run_that_cannot_be_claimed_is_refused(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    connection, run = await request(connect)
    await in_thread(claim_run)(run.pk)
    with pytest.raises(RunTakenError):
        await sync_connection(run.pk, amazon)
    second = await in_thread(open_run)(connection, trigger=MANUAL)
    with pytest.raises(AnotherRunActiveError):
        await sync_connection(second.pk, amazon)


async def test_failures_are_counted_until_a_run_succeeds(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("error_500", area="api")
    for count in (1, 2):
        run = await sync(connection)
        await in_thread(RateLimit.objects.all().delete)()
        await in_thread(connection.refresh_from_db)()
        assert (run.state, connection.sync_failures) == ("failed", count)
        assert connection.last_synced_at is None
    assert "Amazon answered 500" in connection.sync_error
    sandbox.faults.clear()
    await sync(connection)
    await in_thread(connection.refresh_from_db)()
    assert (connection.sync_failures, connection.sync_error) == (0, "")
    assert connection.last_synced_at is not None


async def test_a_refused_application_is_no_failure_of_the_connection_that_met_it(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("lwa_error", path="/auth/o2/token", status=401, error="invalid_client")
    run = await sync(connection)
    assert run.state == SyncRun.State.FAILED
    assert "invalid_client" in run.error
    await in_thread(connection.refresh_from_db)()
    assert (connection.sync_failures, connection.sync_error) == (0, "")


@pytest.mark.parametrize("is_alone", [True, False])
async def test_a_login_that_amazon_refuses_while_it_accepts_another_must_be_reconnected(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, *, is_alone: bool
) -> None:
    refused, other = await in_thread(connect)("alice"), await in_thread(connect)("bob")
    for number in range(1, UNAUTHORIZED_RUNS + 1):
        await in_thread(refused.refresh_from_db)()
        assert refused.state == Connection.State.ACTIVE
        if not is_alone:
            sandbox.faults.clear()
            await sync(other)
        sandbox.faults.add("unauthorized", area="api", login="alice" if not is_alone else "")
        run = await sync(refused)
        assert run.state == "failed", number
        if is_alone:
            await sync(other)
    await in_thread(refused.refresh_from_db)()
    assert (refused.state == Connection.State.REAUTHORIZATION_REQUIRED) is not is_alone
    alerts = await in_thread(lambda: list(Alert.objects.values_list("kind", "connection")))()
    assert alerts == ([] if is_alone else [("connection_broken", refused.pk)])


async def test_a_connection_that_became_unusable_ends_the_run_with_the_reason(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection, run = await request(connect)
    await in_thread(Connection.objects.update)(state=Connection.State.REAUTHORIZATION_REQUIRED)
    ended = await sync_connection(run.pk, amazon)
    await in_thread(connection.refresh_from_db)()
    assert (ended.state, ended.error) == ("failed", connection.reason_unusable)
    assert ended.requests == 0


async def test_progress_can_be_read_while_it_runs(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    _, run = await request(connect)
    seen: list[SyncRun] = []

    async def look(_call: object) -> None:
        await asyncio.sleep(0.3)
        seen.append(await reload(run))

    sandbox.faults.add("run", path="/dsp/advertisers", function=look)
    ended = await sync_connection(run.pk, amazon, heartbeat_seconds=0.05)
    assert ended.state == "succeeded"
    [during] = seen
    assert (during.state, during.sources[0]["outcome"]) == ("running", "complete")
    assert during.seen > 0
    assert during.heartbeat_at is not None
    assert during.started_at is not None
    assert during.heartbeat_at > during.started_at


async def test_progress_is_reported_for_each_page(connect: ConnectionFactory, sync: Sync) -> None:
    seen: list[int] = []

    def note(listings: Sequence[Listing]) -> None:
        seen.append(sum(listing.seen for listing in listings))

    await sync(await in_thread(connect)(), on_progress=note)
    assert seen == sorted(seen)
    assert len(seen) > 10


async def test_a_run_reports_every_list(connect: ConnectionFactory, sync: Sync, sandbox: Sandbox) -> None:
    sandbox.faults.add("throttle", path="/managerAccounts", region="FE", nth=1, seconds=0.01)
    run = await sync(await in_thread(connect)())
    sources = {(each["source"], each["region"]): each for each in run.sources}
    assert len(sources) == 1 + 3 * 4 + 1
    listed = sources[("ads_accounts", None)]
    assert {name: listed[name] for name in ("outcome", "requests", "pages", "seen", "created")} == {
        "outcome": "complete",
        "requests": 1,
        "pages": 1,
        "seen": 5,
        "created": 5,
    }
    managers = sources[("manager_accounts", "FE")]
    assert (managers["requests"], managers["throttled"]) == (2, 1)
    assert (run.throttled, run.requests) == (1, sum(each["requests"] for each in run.sources))
    assert run.created == sum(each["created"] for each in run.sources)
    assert run.started_at is not None
    assert run.finished_at is not None


@pytest.mark.parametrize("what", ["reconnected", "disconnected", "rescued"])
async def test_a_lost_run_writes_nothing(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, what: str
) -> None:
    connection, run = await request(connect)

    def happen() -> None:
        if what == "reconnected":
            Connection.objects.filter(pk=connection.pk).update(grant_version=F("grant_version") + 1)
        elif what == "disconnected":
            disconnect_connection(SYSTEM, connection)
        else:
            let_die(run)
            rescue_runs()

    async def intervene(_call: object) -> None:
        await in_thread(happen)()

    sandbox.faults.add("run", path="/adsAccounts/list", function=intervene)
    ended = await sync_connection(run.pk, amazon)
    assert ended.state == SyncRun.State.FAILED
    assert await in_thread(AccountAccess.objects.count)() == 0
    assert not await in_thread(SyncRun.objects.filter(state="running").exists)()


async def test_the_heartbeat_of_a_lost_run_stops_its_work(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection, run = await request(connect)
    is_cancelled = False

    async def hang(_call: object) -> None:
        nonlocal is_cancelled
        try:
            await in_thread(close_unfinished_runs)(connection, "Closed in the meantime.")
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            is_cancelled = True
            raise

    sandbox.faults.add("run", path="/adsAccounts/list", function=hang)
    ended = await asyncio.wait_for(sync_connection(run.pk, amazon, heartbeat_seconds=0.05), 20)
    assert (ended.state, ended.error) == ("failed", "Closed in the meantime.")
    assert is_cancelled


async def test_an_error_in_the_program_closes_the_run_and_is_raised(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    connection, run = await request(connect)
    waiting: list[SyncRun] = []

    def fail(_listings: Sequence[Listing]) -> None:
        raise ZeroDivisionError

    @in_thread
    def request_another() -> None:
        waiting.append(open_run(connection, trigger=MANUAL))

    syncing = asyncio.create_task(sync_connection(run.pk, amazon, on_progress=fail))
    await wait_until_started(run)
    await request_another()
    with pytest.raises(ZeroDivisionError):
        await syncing
    ended = await reload(run)
    assert (ended.state, ended.error) == ("failed", INTERNAL_ERROR)
    assert str(waiting[0].pk) in await in_thread(list_queued_runs)()


async def test_a_run_whose_staged_rows_were_lost_returns_to_the_queue(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    _, run = await request(connect)

    @in_thread
    def crash() -> None:
        # Unlogged tables are empty after a crash.
        with database.cursor() as cursor:
            cursor.execute("TRUNCATE accounts_staged_account, accounts_staged_profile")

    async def crash_database(_call: object) -> None:
        await crash()

    sandbox.faults.add("run", path="/dsp/advertisers", function=crash_database)
    ended = await sync_connection(run.pk, amazon)
    assert (ended.state, ended.error) == ("waiting", STAGING_LOST)
    assert str(run.pk) in await in_thread(list_queued_runs)()


async def test_a_stopped_run_returns_to_the_queue(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add("slow", path="/adsAccounts/list", seconds=5)
    _, run = await request(connect)
    syncing = asyncio.create_task(sync_connection(run.pk, amazon))
    await wait_until_started(run)
    await stop(syncing)
    stopped = await reload(run)
    assert (stopped.state, stopped.started_at, stopped.postponed) == ("waiting", None, 0)
    assert str(run.pk) in await in_thread(list_queued_runs)()


async def test_a_stopped_run_fails_if_another_run_is_waiting(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add("slow", path="/adsAccounts/list", seconds=5)
    connection, run = await request(connect)
    syncing = asyncio.create_task(sync_connection(run.pk, amazon))
    await wait_until_started(run)
    waiting = await in_thread(open_run)(connection, trigger=MANUAL)
    await stop(syncing)
    assert (await reload(run)).state == "failed"
    assert str(waiting.pk) in await in_thread(list_queued_runs)()


async def test_a_run_that_is_stopped_during_its_claim_returns_to_the_queue(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    _, run = await request(connect)
    is_locked, may_end = threading.Event(), threading.Event()

    def hold_row() -> None:
        with transaction.atomic():
            SyncRun.objects.select_for_update().get(pk=run.pk)
            is_locked.set()
            may_end.wait(20)

    @in_thread
    def is_claiming() -> bool:
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND query LIKE 'UPDATE%accounts_syncrun%')"
            )
            [found] = cursor.fetchone()
        return bool(found)

    holding = asyncio.ensure_future(in_thread(hold_row)())
    await asyncio.to_thread(is_locked.wait, 20)
    syncing = asyncio.create_task(sync_connection(run.pk, amazon))
    await poll_until(is_claiming)
    syncing.cancel()
    await asyncio.sleep(0)
    may_end.set()
    await holding
    with pytest.raises(asyncio.CancelledError):
        await syncing
    assert (await reload(run)).state == "waiting"


async def test_the_waiting_run_is_queued_when_the_active_run_ends(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection, run = await request(connect)
    waiting: list[SyncRun] = []

    async def request_another(_call: object) -> None:
        waiting.append(await in_thread(open_run)(connection, trigger=MANUAL))

    sandbox.faults.add("run", path="/adsAccounts/list", function=request_another)
    assert (await sync_connection(run.pk, amazon)).state == "succeeded"
    assert str(waiting[0].pk) in await in_thread(list_queued_runs)()


async def test_a_postponed_run_returns_to_the_queue(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("throttle", path="/v2/profiles", region="EU", seconds=200, retry_after="200")
    run = await sync(connection, max_wait=1)
    assert (run.state, run.postponed) == ("waiting", 1)
    assert "EU" in run.error
    until = (await in_thread(list_scheduled_times)())[-1]
    assert until - timezone.now() > timedelta(seconds=100)
    # The lists that could be read are stored already.
    assert await in_thread(AccountAccess.objects.count)() > 0
    await in_thread(connection.refresh_from_db)()
    assert connection.sync_failures == 0


async def test_a_run_is_not_postponed_if_another_run_is_waiting(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection, run = await request(connect)
    waiting: list[SyncRun] = []

    async def request_another(_call: object) -> None:
        waiting.append(await in_thread(open_run)(connection, trigger=MANUAL))

    sandbox.faults.add("run", path="/adsAccounts/list", function=request_another)
    sandbox.faults.add("throttle", path="/v2/profiles", region="EU", seconds=200, retry_after="200")
    ended = await sync_connection(run.pk, amazon, max_wait=1)
    assert (ended.state, ended.postponed) == ("partial", 0)
    assert str(waiting[0].pk) in await in_thread(list_queued_runs)()


async def test_a_run_whose_wait_would_be_long_ends_partial(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("throttle", path="/managerAccounts", region="FE", seconds=7200, retry_after="7200")
    run = await sync(connection, max_wait=1)
    assert (run.state, run.postponed) == ("partial", 0)
    assert "FE" in run.error
    await in_thread(connection.refresh_from_db)()
    # A postponement is no failure, so the other lists are synced as often as before.
    assert (connection.sync_failures, connection.sync_error) == (0, run.error)
    assert connection.last_synced_at is not None
    assert connection.next_sync_at is not None
    assert connection.next_sync_at - timezone.now() <= timedelta(seconds=settings.SYNC_INTERVAL_SECONDS)


async def test_a_run_is_postponed_a_limited_number_of_times(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    _, run = await request(connect)
    sandbox.faults.add("throttle", path="/v2/profiles", region="EU", seconds=200, retry_after="200")
    states = [(await sync_connection(run.pk, amazon, max_wait=0.2)).state for _ in range(MAX_POSTPONEMENTS)]
    assert states == ["waiting"] * MAX_POSTPONEMENTS
    assert (await sync_connection(run.pk, amazon, max_wait=0.2)).state == "partial"


async def test_the_first_error_of_several_tasks_is_raised_alone_and_stops_the_others() -> None:
    ended: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("first")

    async def hang() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("stopped")

    with pytest.raises(ValueError, match="first"):
        await run_all([hang(), run_all([fail(), hang()])])
    assert ended == ["stopped", "stopped"]
