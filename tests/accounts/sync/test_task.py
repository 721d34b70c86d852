"""The task that runs a sync in a worker, and what an outage of the database does to it."""

import asyncio
import logging
import time
from uuid import uuid4

import psycopg
import pytest
from django.db import DatabaseError, OperationalError
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.jobs import Job

from accounts.models import Account, SyncRun
from accounts.sync.claims import beat, claim_run
from accounts.sync.listing import Outcome
from accounts.sync.reading import run_all
from accounts.sync.requests import open_run, queue_sync
from accounts.sync.rescue import _rescue_run
from accounts.sync.run import SyncRunner, run_sync, sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import PaceUnavailableError
from amazon_accounts.postgresql.outages import is_outage
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import MANUAL, let_die, list_queued_runs
from tests.database_outage import DatabaseOutage
from tests.polling import poll_until

pytestmark = pytest.mark.django_db(transaction=True)


def make_context(amazon: AmazonClient, run_id: str) -> JobContext:
    job = Job(
        queue="sync", lock=None, queueing_lock=None, task_name=run_sync.name, task_kwargs={"run_id": run_id}
    )
    return JobContext(
        app=app,
        job=job,
        start_timestamp=time.time(),
        additional_context={"amazon": amazon},
        abort_reason=lambda: None,
    )


@in_thread
def read_state(run: SyncRun) -> str:
    return str(SyncRun.objects.get(pk=run.pk).state)


async def test_the_task_syncs_its_run(connect: ConnectionFactory, amazon: AmazonClient) -> None:
    connection = await in_thread(connect)()
    run = await in_thread(queue_sync)(connection, trigger=MANUAL)
    await run_sync(make_context(amazon, str(run.pk)), run_id=str(run.pk))
    assert await read_state(run) == "succeeded"


async def test_the_task_of_a_run_that_was_taken_ends_quietly(
    connect: ConnectionFactory, amazon: AmazonClient, caplog: pytest.LogCaptureFixture
) -> None:
    run = await in_thread(open_run)(await in_thread(connect)(), trigger=MANUAL)
    await in_thread(claim_run)(run.pk)
    with caplog.at_level(logging.INFO, "accounts.sync.run"):
        await run_sync(make_context(amazon, str(run.pk)), run_id=str(run.pk))
    assert await read_state(run) == "running"
    assert "is not started: The run is not waiting any more" in caplog.text


async def test_the_task_leaves_a_run_waiting_while_another_run_is_active(
    connect: ConnectionFactory, amazon: AmazonClient, caplog: pytest.LogCaptureFixture
) -> None:
    connection = await in_thread(connect)()
    await in_thread(claim_run)((await in_thread(open_run)(connection, trigger=MANUAL)).pk)
    waiting = await in_thread(open_run)(connection, trigger=MANUAL)
    with caplog.at_level(logging.INFO, "accounts.sync.run"):
        await run_sync(make_context(amazon, str(waiting.pk)), run_id=str(waiting.pk))
    assert await read_state(waiting) == "waiting"
    assert "Another run of the same connection is running." in caplog.text


async def test_the_task_of_a_deleted_run_ends_quietly(db: None, amazon: AmazonClient) -> None:
    unknown = str(uuid4())
    await run_sync(make_context(amazon, unknown), run_id=unknown)
    assert not await in_thread(SyncRun.objects.exists)()


async def test_a_run_goes_on_after_heartbeats_that_the_database_did_not_take(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, database_outage: DatabaseOutage
) -> None:
    run = await in_thread(open_run)(await in_thread(connect)(regions=["NA"]), trigger=MANUAL)
    was_away: list[bool] = []

    def others_are_read() -> bool:
        sources = SyncRun.objects.get(pk=run.pk).sources
        ended = {each["source"] for each in sources if each["outcome"] == Outcome.COMPLETE}
        return {"profiles", "profiles_edit", "manager_accounts"} <= ended

    async def cut_database(_call: object) -> None:
        # The list of ads accounts is the last one, so nothing but the heartbeat needs the database.
        await poll_until(in_thread(others_are_read))
        # A list counts as complete before its rows are stored.
        await asyncio.sleep(1)
        await in_thread(database_outage.begin)()
        await asyncio.sleep(0.5)
        was_away.append(database_outage.is_on)
        await in_thread(database_outage.end)()

    sandbox.faults.add("run", path="/adsAccounts/list", function=cut_database)
    ended = await sync_connection(run.pk, amazon, heartbeat_seconds=0.05)
    assert (ended.state, was_away) == ("succeeded", [True])
    assert await in_thread(Account.objects.filter(source="ads_accounts").count)() == 5


async def test_an_outage_that_hits_the_work_is_raised_and_the_run_waits_again(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, database_outage: DatabaseOutage
) -> None:
    run = await in_thread(open_run)(await in_thread(connect)(), trigger=MANUAL)

    async def cut_database(_call: object) -> None:
        if not database_outage.is_on:
            await in_thread(database_outage.begin)()

    sandbox.faults.add("run", path="/adsAccounts/list", function=cut_database)
    syncing = asyncio.create_task(sync_connection(run.pk, amazon))
    await poll_until(lambda: database_outage.is_on)
    await asyncio.sleep(1)
    await in_thread(database_outage.end)()
    with pytest.raises(DatabaseError) as caught:
        await syncing
    assert is_outage(caught.value)
    sandbox.faults.clear()
    assert await read_state(run) == "waiting"
    assert await in_thread(list_queued_runs)() == [str(run.pk)]
    assert (await sync_connection(run.pk, amazon)).state == "succeeded"


async def test_a_run_whose_calls_the_outage_stops_waits_again(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox, database_outage: DatabaseOutage
) -> None:
    # Nothing but the pace of the calls meets the outage.
    run = await in_thread(open_run)(await in_thread(connect)(), trigger=MANUAL)
    claim = await in_thread(claim_run)(run.pk)
    runner = SyncRunner(claim, amazon, max_wait=1, heartbeat_seconds=60, on_progress=None)
    await in_thread(database_outage.begin)()
    with pytest.raises((DatabaseError, PaceUnavailableError)) as caught:
        await runner._reader.read_all()
    assert is_outage(caught.value)
    await in_thread(database_outage.end)()


async def test_the_first_error_of_several_lists_keeps_its_cause() -> None:
    async def fail() -> None:
        raise OperationalError("away") from psycopg.errors.AdminShutdown("away")

    with pytest.raises(OperationalError) as caught:
        await run_all([fail(), fail()])
    assert isinstance(caught.value.__cause__, psycopg.errors.AdminShutdown)


def test_a_run_that_beats_again_is_not_closed_by_a_late_rescue(connect: ConnectionFactory) -> None:
    run = open_run(connect(), trigger=MANUAL)
    claim = claim_run(run.pk)
    let_die(run)
    dead = SyncRun.objects.select_related("connection").get(pk=run.pk)
    assert beat(claim, [])
    assert not _rescue_run(dead)
    assert SyncRun.objects.get(pk=run.pk).state == SyncRun.State.RUNNING
