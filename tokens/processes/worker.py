"""A worker process: the lanes of the task queue, each with slots of its own, and the client that all use."""

import asyncio
import contextlib
import copy
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
from procrastinate import App
from procrastinate.connector import Notify
from procrastinate.contrib.django import procrastinate_app
from procrastinate.contrib.django.utils import connector_params
from procrastinate.exceptions import ConnectorException
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.worker import Worker

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.postgresql.deadlines import AsyncConnection
from amazon_accounts.postgresql.measures import MeasureWriter
from amazon_accounts.postgresql.outages import OUTAGES
from amazon_accounts.postgresql.threads import in_thread, reserved_threads, tune_interpreter
from tokens.models import Heartbeat
from tokens.processes.ending import stop_on_signals
from tokens.processes.heartbeats import Pulse
from tokens.processes.repeating import OutageRetry, ReturningJobManager, wait_for_the_database
from tokens.processes.tracing import trace_job
from tokens.processes.watch.watcher import Watcher
from tokens.queues import PEOPLE, PEOPLE_SYNC, TOKENS, WEBHOOKS

logger = logging.getLogger(__name__)

TOKEN_SLOTS = 10
PEOPLE_SLOTS = 4
WEBHOOK_SLOTS = 10
DEFAULT_CONCURRENCY = 10
OWN_LANES = {TOKENS, PEOPLE, PEOPLE_SYNC, WEBHOOKS}
# The supervisor of `make run` kills a process after five seconds.
GRACEFUL_SECONDS = 3.5
POLLING_SECONDS = 2.0
# Synchronous tasks and look-ups of host names run in threads. Python's default is six on a small machine.
THREADS = 32


class ResilientConnector(PsycopgConnector):
    """Listens again after every restart of the database. Procrastinate's own connector gives up at the second failure."""

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        while True:
            try:
                await super().listen_notify(on_notification, channels)
            except ConnectorException:
                await asyncio.sleep(1)


class _Lane:
    """A Procrastinate worker for some queues. It is started again when an outage of the database has ended it."""

    def __init__(self, name: str, queues: list[str], concurrency: int, amazon: AmazonClient) -> None:
        self._name = name
        self._queues = queues
        self._concurrency = concurrency
        self._amazon = amazon
        self._worker: Worker | None = None
        self._stopping = False

    def stop(self) -> None:
        self._stopping = True
        if self._worker is not None:
            self._worker.stop()

    async def run(self) -> None:
        while not self._stopping:
            # During an outage a pool would wait longer after each failed try, and at last give up.
            if not OUTAGES.is_on:
                await self._run_until_an_outage()
            if not self._stopping:
                await asyncio.sleep(1)

    async def _run_until_an_outage(self) -> None:
        try:
            await self._run_once()
        except (ConnectorException, psycopg.OperationalError) as error:
            OUTAGES.note(error)
            logger.warning("The lane %s lost the database: %s", self._name, error.__cause__ or error)

    async def _run_once(self) -> None:
        connector = ResilientConnector(
            kwargs=connector_params("default"),
            connection_class=AsyncConnection,
            timeout=3,
            min_size=1,
            max_size=3,
        )
        app = _with_connector(connector)
        async with app.open_async():
            self._worker = Worker(
                app=app,
                name=self._name,
                queues=self._queues,
                concurrency=self._concurrency,
                fetch_job_polling_interval=POLLING_SECONDS,
                shutdown_graceful_timeout=GRACEFUL_SECONDS,
                delete_jobs="successful",
                additional_context={"amazon": self._amazon},
                install_signal_handlers=False,
                worker_middleware=[trace_job, wait_for_the_database],
                **_task_middleware(app),
            )
            if self._stopping:
                return
            await self._worker.run()


def _with_connector(connector: PsycopgConnector) -> App:
    # The worker's bookkeeping has a connector of its own. The tasks keep the app that they belong to, so that
    # what they defer is part of Django's transactions.
    app = copy.copy(procrastinate_app.current_app)
    app.connector = connector
    app.job_manager = ReturningJobManager(connector, app.tasks)
    return app


def _task_middleware(app: App) -> dict[str, Any]:
    return {"task_middleware": app.worker_defaults.get("task_middleware")}


def run_worker(concurrency: int = DEFAULT_CONCURRENCY) -> None:
    """Work until SIGTERM or SIGINT. No outage of the database ends the worker."""
    pulse = Pulse(Heartbeat.Kind.WORKER)
    pulse.name_sessions()
    asyncio.run(_run(concurrency, pulse))


async def _run(concurrency: int, pulse: Pulse) -> None:
    tune_interpreter()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="worker"))
    app = procrastinate_app.current_app
    app.perform_import_paths()
    for task in app.tasks.values():
        task.retry_strategy = OutageRetry(task.retry_strategy)
    others = sorted({task.queue for task in app.tasks.values()} - OWN_LANES)
    stopping = asyncio.Event()

    stop_on_signals(partial(loop.call_soon_threadsafe, stopping.set))
    async with AmazonClient() as amazon:
        lanes = [
            _Lane("tokens", [TOKENS], TOKEN_SLOTS, amazon),
            _Lane("people", [PEOPLE], PEOPLE_SLOTS, amazon),
            _Lane("syncs of people", [PEOPLE_SYNC], concurrency, amazon),
            _Lane("webhooks", [WEBHOOKS], WEBHOOK_SLOTS, amazon),
            _Lane("others", others, concurrency, amazon),
        ]
        with reserved_threads():
            beating = asyncio.create_task(_beat(pulse, stopping), name="heartbeat")
        running = [
            asyncio.create_task(lane.run(), name=f"lane {number}") for number, lane in enumerate(lanes)
        ]
        told_to_stop = asyncio.create_task(stopping.wait(), name="stop")
        queues = [TOKENS, PEOPLE, PEOPLE_SYNC, WEBHOOKS, *others]
        watcher = Watcher()
        watcher.start()
        measures = MeasureWriter()
        measures.start()
        logger.info("The worker is ready.", extra={"action": "worker_ready", "queues": queues})
        await asyncio.wait([told_to_stop, *running], return_when=asyncio.FIRST_COMPLETED)
        stopping.set()
        watcher.stop()
        for lane in lanes:
            lane.stop()
        await asyncio.gather(*running, beating)
        await in_thread(measures.stop)()


async def _beat(pulse: Pulse, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        seconds = await in_thread(pulse.beat)()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stopping.wait()
    await in_thread(pulse.end)()
