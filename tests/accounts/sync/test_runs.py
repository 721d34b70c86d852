"""The life of a run: asked for once, run once, never stuck."""

import asyncio
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings, settings
from django.db import IntegrityError
from django.db import connection as database
from django.db.models import F
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts import pruning
from accounts.models import AccountAccess, AccountChange, SyncRun
from accounts.sync import claims, requests, rescue
from accounts.sync import run as sync_run
from accounts.sync.foreground import sync_now
from accounts.sync.requests import queue_sync, request_sync
from accounts.sync.run import sync_connection
from accounts.sync.schedule import next_sync_at
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.models import RateLimit
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tokens.connect import disconnect as connections
from tokens.models import Alert, Connection
from tokens.signals import connection_changed

pytestmark = pytest.mark.django_db(transaction=True)

MANUAL = SyncRun.Trigger.MANUAL


def jobs() -> list[dict[str, Any]]:
    return [job.args for job in ProcrastinateJob.objects.filter(task_name="accounts.run_sync", status="todo")]


def die(run: SyncRun) -> None:
    """The worker was killed a while ago."""
    SyncRun.objects.filter(pk=run.pk).update(heartbeat_at=F("heartbeat_at") - timedelta(seconds=31))


async def begun(run: SyncRun) -> None:
    while (await in_thread(SyncRun.objects.get)(pk=run.pk)).state == "waiting":  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)


# --- Asked for --------------------------------------------------------------------------------------------------


def test_it_returns_the_waiting_run_instead_of_queueing_another(connect: ConnectionFactory) -> None:
    connection = connect()
    first = request_sync(None, connection, trigger=MANUAL)
    second = request_sync(None, connection, trigger=SyncRun.Trigger.API)
    assert second == first
    assert jobs() == [{"run_id": str(first.pk)}]


def test_it_never_joins_a_run_that_has_begun(connect: ConnectionFactory) -> None:
    connection = connect()
    first = request_sync(None, connection, trigger=MANUAL)
    claims.claim_run(first.pk)
    second = request_sync(None, connection, trigger=MANUAL)
    assert second != first
    with pytest.raises(claims.AnotherRunActiveError):
        claims.claim_run(second.pk)


def test_a_constraint_allows_one_running_run_of_a_connection(connect: ConnectionFactory) -> None:
    connection = connect()
    fields = {"connection": connection, "trigger": MANUAL, "started_at": timezone.now()}
    SyncRun.objects.create(state=SyncRun.State.RUNNING, **fields)
    with pytest.raises(IntegrityError, match="one_running_sync_per_connection"):
        SyncRun.objects.create(state=SyncRun.State.RUNNING, **fields)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (Connection.State.REAUTHORIZATION_REQUIRED, "must be reconnected"),
        (Connection.State.DISCONNECTED, "is disconnected"),
    ],
)
def test_a_connection_that_cannot_be_synced_gets_the_reason(
    connect: ConnectionFactory, state: str, reason: str
) -> None:
    gone: dict[str, Any] = {}
    if state == Connection.State.DISCONNECTED:
        gone = {"refresh_token": None, "disconnected_at": timezone.now() + timedelta(seconds=1)}
    run = queue_sync(connect(state=state, **gone), trigger=MANUAL)
    assert run.state == SyncRun.State.FAILED
    assert reason in run.error
    assert jobs() == []


@pytest.mark.parametrize("change", ["connected", "healed"])
def test_a_new_consent_is_synced_at_once(connect: ConnectionFactory, change: str) -> None:
    connection = connect()
    connection_changed.send(sender=Connection, connection=connection, change=change)
    run = SyncRun.objects.get()
    assert (run.trigger, run.state) == ("connect", "waiting")
    assert jobs() == [{"run_id": str(run.pk)}]


def test_what_is_due_is_asked_for_once(connect: ConnectionFactory) -> None:
    now = timezone.now()
    due = [connect("alice", next_sync_at=None), connect("bob", next_sync_at=now - timedelta(seconds=1))]
    connect("charlie", next_sync_at=now + timedelta(minutes=1))
    connect("alice", state=Connection.State.REAUTHORIZATION_REQUIRED, amazon_user_id="x")
    connect("alice", client_id="another application")
    assert requests.request_due() == 2
    assert requests.request_due() == 0
    assert set(SyncRun.objects.values_list("connection", "trigger")) == {
        (connection.pk, "scheduled") for connection in due
    }
    assert len(jobs()) == 2


# --- When -------------------------------------------------------------------------------------------------------


def test_connections_are_spread_over_the_interval(connect: ConnectionFactory, settings: LazySettings) -> None:
    settings.SYNC_INTERVAL_SECONDS = 3600
    now = timezone.now()
    moments = [(next_sync_at(connect().pk, failures=0) - now).total_seconds() for _ in range(40)]
    assert all(0 < moment <= 3601 for moment in moments)
    quarters = [sum(first <= moment < first + 900 for moment in moments) for first in range(0, 3600, 900)]
    assert min(quarters) >= 2, moments


def test_one_connection_keeps_its_place(connect: ConnectionFactory, settings: LazySettings) -> None:
    settings.SYNC_INTERVAL_SECONDS = 3600
    connection = connect()
    first, second = next_sync_at(connection.pk, failures=0), next_sync_at(connection.pk, failures=0)
    assert abs(second - first) < timedelta(seconds=1)


def test_one_with_problems_backs_off(connect: ConnectionFactory) -> None:
    connection = connect()
    waits = [next_sync_at(connection.pk, failures=count) - timezone.now() for count in (1, 2, 3, 8, 50)]
    assert waits == sorted(waits)
    assert waits[0] < timedelta(minutes=6)
    assert timedelta(hours=8) < waits[3] < waits[4] <= timedelta(days=1)


async def test_failures_are_counted_until_one_succeeds(
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


# --- While it runs ----------------------------------------------------------------------------------------------


async def test_a_refused_application_is_held_against_no_connection(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("lwa_error", path="/auth/o2/token", status=401, error="invalid_client")
    run = await sync(connection)
    assert run.state == SyncRun.State.FAILED
    assert "invalid_client" in run.error
    await in_thread(connection.refresh_from_db)()
    assert (connection.sync_failures, connection.sync_error) == (0, "")
    assert connection.next_sync_at is not None
    assert connection.next_sync_at < timezone.now() + timedelta(minutes=6)


@pytest.mark.parametrize("is_alone", [True, False])
async def test_a_login_that_amazon_refuses_while_it_accepts_another_must_be_reconnected(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox, *, is_alone: bool
) -> None:
    refused, other = await in_thread(connect)("alice"), await in_thread(connect)("bob")
    for number in range(1, claims.UNAUTHORIZED_RUNS + 1):
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


async def test_progress_can_be_read_while_it_runs(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await in_thread(connect)()
    requested = await in_thread(request_sync)(None, connection, trigger=MANUAL)
    seen: list[SyncRun] = []

    async def look(_call: object) -> None:
        await asyncio.sleep(0.3)
        seen.append(await in_thread(SyncRun.objects.get)(pk=requested.pk))

    sandbox.faults.add("run", path="/dsp/advertisers", function=look)
    run = await sync_connection(requested.pk, amazon, heartbeat_seconds=0.05)
    assert run.state == "succeeded"
    [during] = seen
    assert (during.state, during.sources[0]["outcome"]) == ("running", "complete")
    assert during.seen > 0
    assert during.heartbeat_at > during.started_at  # type: ignore[operator]


async def test_a_run_tells_all_about_each_source(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    sandbox.faults.add("throttle", path="/managerAccounts", region="FE", nth=1, seconds=0.01)
    run = await sync(await in_thread(connect)())
    sources = {(each["source"], each["region"]): each for each in run.sources}
    assert len(sources) == 1 + 3 * 3 + 1
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


# --- Fences -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["reconnected", "disconnected", "taken for dead"])
async def test_a_run_that_is_not_ours_any_more_writes_nothing(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, what: str
) -> None:
    connection = await in_thread(connect)()
    requested = await in_thread(request_sync)(None, connection, trigger=MANUAL)

    def happen() -> None:
        if what == "reconnected":
            Connection.objects.filter(pk=connection.pk).update(grant_version=F("grant_version") + 1)
        elif what == "disconnected":
            connections.disconnect_connection(None, connection)
        else:
            die(requested)
            rescue.rescue()

    async def intervene(_call: object) -> None:
        await in_thread(happen)()

    sandbox.faults.add("run", path="/adsAccounts/list", function=intervene)
    run = await sync_connection(requested.pk, amazon)
    assert run.state != SyncRun.State.SUCCEEDED
    assert await in_thread(AccountAccess.objects.count)() == 0
    assert not await in_thread(SyncRun.objects.filter(state="running").exists)()


# --- Deaths -----------------------------------------------------------------------------------------------------


def test_a_run_whose_worker_died_is_closed_and_asked_for_again(connect: ConnectionFactory) -> None:
    connection = connect()
    dead = request_sync(None, connection, trigger=SyncRun.Trigger.BATCH)
    claims.claim_run(dead.pk)
    assert rescue.rescue() == 0
    die(dead)
    assert rescue.rescue() == 1
    dead.refresh_from_db()
    assert (dead.state, dead.error) == ("failed", "The process that ran it died.")
    again = SyncRun.objects.get(state=SyncRun.State.WAITING)
    assert again.trigger == SyncRun.Trigger.BATCH
    assert {"run_id": str(again.pk)} in jobs()


def test_a_run_that_kills_every_worker_is_not_tried_for_ever(connect: ConnectionFactory) -> None:
    connection = connect()
    for _ in range(rescue.MAX_RESTARTS + 1):
        run = request_sync(None, connection, trigger=MANUAL)
        claims.claim_run(run.pk)
        die(run)
        assert rescue.rescue() == 1
    assert not SyncRun.objects.filter(state=SyncRun.State.WAITING).exists()
    connection.refresh_from_db()
    assert connection.next_sync_at is not None


def test_a_run_that_died_is_tried_again_however_many_fell_short_before(connect: ConnectionFactory) -> None:
    connection = connect()
    Connection.objects.filter(pk=connection.pk).update(sync_failures=10)
    dead = request_sync(None, connection, trigger=MANUAL)
    claims.claim_run(dead.pk)
    die(dead)
    assert rescue.rescue() == 1
    assert SyncRun.objects.filter(state=SyncRun.State.WAITING).exists()


@pytest.mark.parametrize("has_job", [True, False])
def test_a_run_that_lost_its_job_is_queued_again(connect: ConnectionFactory, *, has_job: bool) -> None:
    run = request_sync(None, connect(), trigger=MANUAL)
    SyncRun.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    if not has_job:
        with database.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_events; DELETE FROM procrastinate_jobs")
    rescue.rescue()
    assert jobs() == [{"run_id": str(run.pk)}]


async def test_a_run_that_is_stopped_goes_back_to_the_queue(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add("slow", path="/adsAccounts/list", seconds=5)
    requested = await in_thread(request_sync)(None, await in_thread(connect)(), trigger=MANUAL)
    syncing = asyncio.create_task(sync_connection(requested.pk, amazon))
    await begun(requested)
    syncing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await syncing
    run = await in_thread(SyncRun.objects.get)(pk=requested.pk)
    assert (run.state, run.started_at) == ("waiting", None)


async def test_a_run_that_is_stopped_while_it_is_claimed_goes_back_to_the_queue(
    connect: ConnectionFactory, amazon: AmazonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claims.claim_run

    def claim_slowly(run_id: UUID) -> claims.RunClaim:
        claimed = claim(run_id)
        time.sleep(0.3)
        return claimed

    monkeypatch.setattr(claims, "claim_run", claim_slowly)
    requested = await in_thread(request_sync)(None, await in_thread(connect)(), trigger=MANUAL)
    syncing = asyncio.create_task(sync_connection(requested.pk, amazon))
    await begun(requested)
    syncing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await syncing
    assert (await in_thread(SyncRun.objects.get)(pk=requested.pk)).state == "waiting"


async def test_the_run_that_waits_is_queued_when_the_one_before_it_ends(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    connection = await in_thread(connect)()
    first = await in_thread(request_sync)(None, connection, trigger=MANUAL)
    claim = await in_thread(claims.claim_run)(first.pk)
    second = await in_thread(requests.open_run)(connection, trigger=MANUAL)
    await in_thread(sync_run._close)(claim, SyncRun.State.SUCCEEDED, [], "")
    assert {"run_id": str(second.pk)} in await in_thread(jobs)()


async def test_a_command_waits_for_the_run_of_a_worker_and_then_runs(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    first = await in_thread(request_sync)(None, connection, trigger=SyncRun.Trigger.SCHEDULED)
    sandbox.faults.add("slow", path="/adsAccounts/list", seconds=1, nth=1)
    worker = asyncio.create_task(sync_connection(first.pk, amazon))
    await begun(first)
    waited: list[bool] = []
    run = await sync_now(connection, amazon, on_waiting=lambda: waited.append(True))
    assert (await worker).state == "succeeded"
    assert run.pk != first.pk
    assert (run.state, run.created, run.unchanged) == ("succeeded", 0, 11)
    assert waited


# --- Postponed --------------------------------------------------------------------------------------------------


async def test_a_run_that_must_wait_goes_back_to_the_queue(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("throttle", path="/v2/profiles", region="EU", seconds=200, retry_after="200")
    run = await sync(connection, max_wait=1)
    assert (run.state, run.postponed) == ("waiting", 1)
    assert "EU" in run.error
    job = await in_thread(ProcrastinateJob.objects.filter(task_name="accounts.run_sync").latest)("id")
    assert job.scheduled_at - timezone.now() > timedelta(seconds=100)
    # What could be read is stored meanwhile.
    assert await in_thread(AccountAccess.objects.count)() > 0
    await in_thread(connection.refresh_from_db)()
    assert connection.sync_failures == 0


async def test_a_run_that_would_have_to_wait_long_ends_with_what_there_is(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("throttle", path="/managerAccounts", region="FE", seconds=7200, retry_after="7200")
    run = await sync(connection, max_wait=1)
    assert (run.state, run.postponed) == ("partial", 0)
    assert "FE" in run.error
    await in_thread(connection.refresh_from_db)()
    # Amazon asked us to wait: that is held against nobody, and all else is synced as ever.
    assert (connection.sync_failures, connection.sync_error) == (0, run.error)
    assert connection.last_synced_at is not None
    assert connection.next_sync_at is not None
    assert connection.next_sync_at - timezone.now() <= timedelta(seconds=settings.SYNC_INTERVAL_SECONDS)


async def test_who_asks_for_a_run_that_waits_for_amazon_need_not_wait(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("throttle", path="/v2/profiles", region="EU", seconds=200, retry_after="200")
    run = await sync(connection, max_wait=1)
    assert await in_thread(request_sync)(None, connection, trigger=MANUAL) == run
    job = await in_thread(
        ProcrastinateJob.objects.filter(task_name="accounts.run_sync", status="todo").latest
    )("id")
    assert job.scheduled_at <= timezone.now()


async def test_a_run_is_not_put_back_for_ever(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    sandbox.faults.add("throttle", path="/v2/profiles", region="EU", seconds=200, retry_after="200")
    requested = await in_thread(request_sync)(None, connection, trigger=MANUAL)
    states = [
        (await sync_connection(requested.pk, amazon, max_wait=0.2)).state
        for _ in range(claims.MAX_POSTPONEMENTS)
    ]
    assert states == ["waiting"] * claims.MAX_POSTPONEMENTS
    assert (await sync_connection(requested.pk, amazon, max_wait=0.2)).state == "partial"


# --- Pruning ----------------------------------------------------------------------------------------------------


async def test_old_runs_and_changes_are_pruned(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    await sync(connection)
    next(iter(sandbox.world.ads_accounts.values())).account_name = "Renamed"
    await sync(connection)
    assert await in_thread(AccountChange.objects.count)() == 1
    await in_thread(SyncRun.objects.update)(created_at=timezone.now() - timedelta(days=91))
    assert await in_thread(pruning.prune_sync_history)() == 2
    change = await in_thread(AccountChange.objects.get)()
    assert change.run_id is None
    await in_thread(AccountChange.objects.update)(changed_at=timezone.now() - timedelta(days=401))
    assert await in_thread(pruning.prune_sync_history)() == 1
