"""Whether webhooks lose, double or reorder events while workers are killed: `make bench`, or
`python -m tests.bench.webhooks`.

10,000 events about 200 connections are written within four minutes. One of the two workers is killed each minute, in the
middle of its work, and started again. The receiver answers each fifth request with 500 and keeps each id once.

Exits with 1 if an event is lost, a signature is wrong, the events of a connection change their order, or the last event
needs more than 60 seconds after the last kill and the last event.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.bench.api import connect, write

DATABASE = "bench_webhooks"
KILL_EVERY_SECONDS = 60.0
ALL_WITHIN_SECONDS = 60.0
WORKERS = 2
WORKER_SETTINGS = {"WEBHOOK_ALLOWED_HOSTS": "127.0.0.1", "WEBHOOK_RETRY_SECONDS": "1,1,2,2,3,3,5,5"}


def make_database() -> None:
    from django.core.management import call_command
    from django.db import connection

    connect("postgres")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    connect(DATABASE)
    call_command("migrate", verbosity=0)


def run(events: int, objects: int, seconds: float, folder: Path) -> list[str]:
    """Return the promises that were broken."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from standardwebhooks import WebhookVerificationError

    from amazon_accounts.configuration.outgoing import DirectHost
    from tests.processes import Process, running
    from tests.teams import team_of
    from tests.tokens.webhooks.receiver import Got, reply, run_receiver
    from tokens.models import Connection, Event, WebhookDelivery
    from tokens.permissions import SYSTEM
    from tokens.webhooks.events import record_connection_event
    from tokens.webhooks.manage import make_webhook

    settings.WEBHOOK_ALLOWED_HOSTS = (DirectHost.parse("127.0.0.1"),)
    boss = User.objects.create_superuser("boss")
    team = team_of(boss)
    connections = Connection.objects.bulk_create(
        Connection(
            team=team, owner=boss, label=f"Login {number}", client_id="bench", refresh_token="Atzr|bench"
        )
        for number in range(objects)
    )
    lock = threading.Lock()
    kept: dict[str, None] = {}
    by_object: defaultdict[str, list[str]] = defaultdict(list)
    forged: list[str] = []
    secret = ""

    def answer(handler: BaseHTTPRequestHandler, got: Got) -> None:
        with lock:
            if len(receiver.got) % 5 == 0:
                reply(handler, 500)
                return
            if got.id not in kept:
                try:
                    body = got.verify(secret)
                except WebhookVerificationError:
                    forged.append(got.id)
                    body = json.loads(got.body)
                kept[got.id] = None
                by_object[body["data"]["connection"]["id"]].append(got.id)
        reply(handler, 204)

    def is_open() -> bool:
        return WebhookDelivery.objects.waiting().exists() or Event.objects.filter(number=None).exists()

    def start_worker(number: int) -> Process:
        log = folder / f"worker-{number}.log"
        return stack.enter_context(running("runworker", log=log, **WORKER_SETTINGS))

    with ExitStack() as stack:
        receiver = stack.enter_context(run_receiver())
        receiver.answer = answer
        _, secret = make_webhook(SYSTEM, team, url=receiver.url, events=["*"])
        stack.enter_context(running("runscheduler", log=folder / "scheduler.log", **WORKER_SETTINGS))
        workers = [start_worker(number) for number in range(WORKERS)]
        began = last_kill = time.monotonic()
        kills = written = 0
        while written < events:
            due = min(events, int(events * (time.monotonic() - began) / seconds))
            for number in range(written, due):
                record_connection_event(Event.Type.CONNECTION_BROKEN, connections[number % objects])
            written = due
            if time.monotonic() - last_kill >= KILL_EVERY_SECONDS or (written == events and kills == 0):
                workers.pop(0).kill()
                kills += 1
                last_kill = time.monotonic()
                workers.append(start_worker(WORKERS + kills))
            time.sleep(0.1)
        ended = time.monotonic()
        write(
            f"{written:,} events in {ended - began:.0f} s, {kills} workers killed; {len(kept):,} delivered so far"
        )
        while is_open() and time.monotonic() - ended < ALL_WITHIN_SECONDS * 3:
            time.sleep(0.2)
        after = time.monotonic() - max(ended, last_kill)
    numbers = {str(pk): number or 0 for pk, number in Event.objects.values_list("pk", "number")}
    reordered = [
        name for name, ids in by_object.items() if ids != sorted(ids, key=lambda id_: numbers.get(id_, 0))
    ]
    write(
        f"{len(receiver.got):,} requests, {len(kept):,} events kept, all {after:.1f} s after the last event and the last kill"
    )
    broken = {
        f"{len(numbers) - len(kept)} events are lost": set(numbers) != set(kept) or len(numbers) != events,
        f"{len(reordered)} connections got their events in another order": bool(reordered),
        f"{len(forged)} signatures are wrong": bool(forged),
        f"the last event needed {after:.0f} s": after > ALL_WITHIN_SECONDS,
    }
    return [text for text, is_broken in broken.items() if is_broken]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.webhooks")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--objects", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=245.0)
    options = parser.parse_args()
    from amazon_accounts.starter.database import require_database

    require_database()
    import django

    django.setup()
    make_database()
    with tempfile.TemporaryDirectory(prefix="bench-webhooks-") as folder:
        broken = run(options.events, options.objects, options.seconds, Path(folder))
    for text in broken:
        write(f"MISSED: {text}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
