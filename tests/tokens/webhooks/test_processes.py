"""Real workers send to a real receiver: the one of the documents, and one that fails while workers are killed."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User

from amazon_accounts.configuration.outgoing import DirectHost
from tests.ports import free_port
from tests.processes import eventually, running
from tests.teams import team_of
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.webhooks.receiver import Got, Receiver, reply
from tokens.models import Event, Webhook, WebhookDelivery
from tokens.permissions import SYSTEM
from tokens.webhooks.events import record_connection_event
from tokens.webhooks.manage import make_webhook, rotate_secret

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "receiver.py"
SETTINGS = {"WEBHOOK_ALLOWED_HOSTS": "127.0.0.1", "WEBHOOK_RETRY_SECONDS": "1,1,2,2,3,3,5,5"}
# `python -m tests.bench.webhooks` sends 10,000 events, with a kill each minute.
OBJECTS, EVENTS_OF_EACH, KILLS = 8, 12, 2


@contextlib.contextmanager
def run_example(secret: str, port: int, database: Path) -> Iterator[None]:
    environment = os.environ | {"WEBHOOK_SECRET": secret, "PORT": str(port), "EVENTS": str(database)}
    process = subprocess.Popen([sys.executable, EXAMPLE], env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def read_stored(database: Path) -> list[str]:
    if not database.exists():
        return []
    with (
        contextlib.closing(sqlite3.connect(database)) as stored,
        contextlib.suppress(sqlite3.OperationalError),
    ):
        return [body for (body,) in stored.execute("SELECT body FROM event")]
    return []


def test_the_receiver_in_the_documents_keeps_what_a_worker_sends(
    alice: User, connect: ConnectionFactory, settings: LazySettings, tmp_path: Path
) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = (DirectHost.parse("127.0.0.1"),)
    port, database = free_port(), tmp_path / "events.sqlite"
    webhook, secret = make_webhook(
        SYSTEM, team_of(alice), url=f"http://127.0.0.1:{port}/", events=["connection.broken"]
    )
    # The receiver has the old secret still.
    rotate_secret(SYSTEM, webhook)
    record_connection_event(Event.Type.CONNECTION_BROKEN, connect())
    with (
        run_example(secret, port, database),
        running("runworker", log=tmp_path / "worker.log", **SETTINGS),
        running("runscheduler", log=tmp_path / "scheduler.log", **SETTINGS),
    ):
        eventually(lambda: read_stored(database), seconds=60)
        eventually(lambda: WebhookDelivery.objects.filter(state="delivered").exists(), seconds=10)
    (body,) = read_stored(database)
    assert json.loads(body)["type"] == "connection.broken"


def test_a_failing_receiver_and_killed_workers_lose_no_event_and_no_order(
    webhook: Webhook, receiver: Receiver, connect: ConnectionFactory, tmp_path: Path
) -> None:
    accepted: dict[str, list[str]] = defaultdict(list)

    def answer(handler: BaseHTTPRequestHandler, got: Got) -> None:
        # Each fifth request fails.
        if len(receiver.got) % 5 == 0:
            reply(handler, 500)
            return
        of_object = accepted[json.loads(got.body)["data"]["connection"]["id"]]
        if got.id not in of_object:
            of_object.append(got.id)
        reply(handler, 204)

    receiver.answer = answer
    connections = [connect(label=f"Login {number}") for number in range(OBJECTS)]
    for _ in range(EVENTS_OF_EACH):
        for connection in connections:
            record_connection_event(Event.Type.CONNECTION_BROKEN, connection)
    with running("runscheduler", log=tmp_path / "scheduler.log", **SETTINGS):
        for number in range(KILLS):
            before = len(receiver.got)
            with running("runworker", log=tmp_path / f"worker-{number}.log", **SETTINGS) as worker:
                eventually(lambda: len(receiver.got) > before + 10, seconds=60)  # noqa: B023 - called at once
                worker.kill()
        killed_at = time.monotonic()
        with running("runworker", log=tmp_path / "worker.log", **SETTINGS):
            eventually(
                lambda: (
                    not WebhookDelivery.objects.waiting().exists() and not Event.objects.filter(number=None)
                ),
                seconds=120,
            )
    assert time.monotonic() - killed_at < 60
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
    sent = [str(pk) for pk in WebhookDelivery.objects.values_list("event", flat=True)]
    assert len(sent) >= OBJECTS * EVENTS_OF_EACH
    assert sorted(id_ for ids in accepted.values() for id_ in ids) == sorted(sent)
    numbers = {str(pk): number for pk, number in Event.objects.values_list("pk", "number") if number}
    for ids in accepted.values():
        order = [numbers[id_] for id_ in ids]
        assert order == sorted(order)
