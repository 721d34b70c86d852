"""Syncing a connection in this process instead of a worker."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from django.db import connection as database

from accounts.models import SyncRun
from accounts.sync.claims import close_unfinished_runs
from accounts.sync.foreground import sync_now
from accounts.sync.requests import queue_sync
from accounts.sync.run import sync_connection
from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import list_queued_runs, wait_until_started
from tokens.models import Connection

pytestmark = pytest.mark.django_db(transaction=True)

# A worker that claims each run in the moment in which its request is committed.
CLAIM_AT_COMMIT = """
CREATE FUNCTION claim_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts_syncrun SET state = 'running', started_at = now(), heartbeat_at = now() WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER claim_at_commit AFTER INSERT ON accounts_syncrun
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION claim_at_commit();
"""


@pytest.fixture
def quick_worker(transactional_db: None) -> Iterator[None]:
    with database.cursor() as cursor:
        cursor.execute(CLAIM_AT_COMMIT)
    yield
    with database.cursor() as cursor:
        cursor.execute("DROP FUNCTION claim_at_commit CASCADE")


async def test_it_syncs_without_a_worker_and_leaves_no_job(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    run = await sync_now(await in_thread(connect)(), amazon)
    assert (run.state, run.trigger, run.created) == ("succeeded", "manual", 11)
    assert await in_thread(list_queued_runs)() == []


async def test_it_uses_the_waiting_run(connect: ConnectionFactory, amazon: AmazonClient) -> None:
    connection = await in_thread(connect)()
    waiting = await in_thread(queue_sync)(connection, trigger=SyncRun.Trigger.SCHEDULED)
    assert (await sync_now(connection, amazon)).pk == waiting.pk


async def test_it_returns_a_failed_run_for_an_unusable_connection(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    connection = await in_thread(connect)(state=Connection.State.REAUTHORIZATION_REQUIRED)
    run = await sync_now(connection, amazon)
    assert (run.state, run.error) == ("failed", connection.reason_unusable)


async def test_it_waits_until_the_run_of_a_worker_has_ended_and_then_syncs(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    first = await in_thread(queue_sync)(connection, trigger=SyncRun.Trigger.SCHEDULED)
    sandbox.faults.add("slow", path="/adsAccounts/list", seconds=1, nth=1)
    worker = asyncio.create_task(sync_connection(first.pk, amazon))
    await wait_until_started(first)
    waited: list[bool] = []
    run = await sync_now(connection, amazon, on_waiting=lambda: waited.append(True))
    assert (await worker).state == "succeeded"
    assert run.pk != first.pk
    assert (run.state, run.created, run.unchanged) == ("succeeded", 0, 11)
    assert waited


async def test_it_starts_again_when_the_run_that_it_waits_for_is_closed(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    first = await in_thread(queue_sync)(connection, trigger=SyncRun.Trigger.SCHEDULED)
    sandbox.faults.add("slow", path="/adsAccounts/list", seconds=1, nth=1)
    worker = asyncio.create_task(sync_connection(first.pk, amazon, heartbeat_seconds=0.05))
    await wait_until_started(first)

    closed = False

    async def close() -> None:
        await in_thread(close_unfinished_runs)(connection, "Closed.")

    closing: list[asyncio.Task[None]] = []

    def on_waiting() -> None:
        nonlocal closed
        if not closed:
            closed = True
            closing.append(asyncio.create_task(close()))

    run = await sync_now(connection, amazon, on_waiting=on_waiting)
    await asyncio.gather(*closing)
    assert (await worker).error == "Closed."
    assert run.state == "succeeded"


class Once:
    """Runs a function of the database in the background, the first time that it is called."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self.calls = 0
        self._running: asyncio.Future[object] | None = None

    def __call__(self) -> None:
        self.calls += 1
        if self._running is None:
            self._running = asyncio.ensure_future(in_thread(self._function)())


@pytest.mark.usefixtures("quick_worker")
async def test_it_returns_the_run_that_a_worker_claimed_first(
    connect: ConnectionFactory, amazon: AmazonClient, sandbox: Sandbox
) -> None:
    connection = await in_thread(connect)()
    end = Once(lambda: close_unfinished_runs(connection, "Closed."))
    run = await sync_now(connection, amazon, on_waiting=end)
    assert (run.state, run.error) == ("failed", "Closed.")
    assert await in_thread(SyncRun.objects.count)() == 1
    assert end.calls > 0
    assert sandbox.journal.entries() == []


@pytest.mark.usefixtures("quick_worker")
async def test_it_syncs_itself_when_the_worker_returns_the_run(
    connect: ConnectionFactory, amazon: AmazonClient
) -> None:
    connection = await in_thread(connect)()
    put_back = Once(
        lambda: SyncRun.objects.update(state=SyncRun.State.WAITING, started_at=None, heartbeat_at=None)
    )
    run = await sync_now(connection, amazon, on_waiting=put_back)
    assert (run.state, run.created) == ("succeeded", 11)
    assert await in_thread(SyncRun.objects.count)() == 1
