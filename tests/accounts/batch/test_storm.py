"""Requests of many people at once, workers that are killed, and the value of each label afterwards."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Lock
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError
from django.db import connection as database

from accounts.batch import cancel_batch, retry_batch, start_batch
from accounts.batch.ending import BatchStateError
from accounts.batch.work import run_chunk
from accounts.models import Account, BatchItem, BatchOperation
from accounts.update import update_account
from amazon_accounts.labels import MAX_LABELS
from tests.accounts.conftest import AccountFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ACCOUNTS = 60
# Accounts that have as many labels as they may have: a batch fails for them until a label is removed.
FULL = 5
LABELS = ("team", "brand")
REQUESTS_PER_PERSON = 45
PEOPLE = 3
MAX_ACCOUNTS = 9
# Killed sessions of workers, and the seconds between two.
KILLS = 8
PAUSE = 0.15


@dataclass
class Request:
    """A value that somebody asked for, and when: between the begin of the call and its answer."""

    value: str
    labels: tuple[str, ...]
    began: float
    ended: float = 0.0
    batch: UUID | None = None
    retries: list["Request"] = field(default_factory=list)

    def is_newer_than(self, other: "Request") -> bool:
        return self.began > other.ended


def read_batch(request: Request) -> BatchOperation:
    return BatchOperation.objects.get(pk=str(request.batch))


class Storm:
    def __init__(self, user: User, accounts: list[UUID], seed: int) -> None:
        self.user, self.accounts, self.seed = user, accounts, seed
        self.values = count(1)
        self.batches: list[Request] = []
        self.patches: list[tuple[UUID, Request]] = []
        self.lock = Lock()
        self.over = Event()
        self.sessions: set[int] = set()

    @contextmanager
    def asking(self, randomly: random.Random) -> Iterator[Request]:
        labels = tuple(randomly.sample(LABELS, randomly.choice([1, 1, 2])))
        request = Request(f"value {next(self.values)}", labels, time.monotonic())
        yield request
        request.ended = time.monotonic()

    def ask(self, person: int) -> None:
        randomly = random.Random(self.seed + person)
        steps: list[Callable[[random.Random], None]] = [self.start, self.patch, self.cancel, self.retry]
        with closing(database):
            for _ in range(REQUESTS_PER_PERSON):
                randomly.choices(steps, [5, 8, 1, 2])[0](randomly)

    def start(self, randomly: random.Random) -> None:
        size = randomly.choice([1, 1, 5, len(self.accounts)])
        chosen = randomly.sample(self.accounts, size)
        with self.asking(randomly) as request:
            options = {"labels": dict.fromkeys(request.labels, request.value)}
            request.batch = start_batch(self.user, "update", account_ids=chosen, options=options).pk
        with self.lock:
            self.batches.append(request)

    def patch(self, randomly: random.Random) -> None:
        chosen = randomly.choice(self.accounts[FULL:])
        with self.asking(randomly) as request:
            labels = dict.fromkeys(request.labels, request.value)
            update_account(self.user, chosen, {"labels": labels})
        with self.lock:
            self.patches.append((chosen, request))

    def choose_batch(self, randomly: random.Random) -> Request | None:
        with self.lock:
            return randomly.choice(self.batches[-8:]) if self.batches else None

    def cancel(self, randomly: random.Random) -> None:
        if (request := self.choose_batch(randomly)) is not None:
            with suppress(BatchStateError):
                cancel_batch(self.user, read_batch(request))

    def retry(self, randomly: random.Random) -> None:
        if (request := self.choose_batch(randomly)) is None:
            return
        again = Request(request.value, request.labels, time.monotonic())
        with suppress(BatchStateError):
            retry_batch(self.user, read_batch(request))
            again.ended = time.monotonic()
            with self.lock:
                request.retries.append(again)

    def work(self) -> None:
        while not (self.over.is_set() and not BatchOperation.objects.unfinished().exists()):
            try:
                with database.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    self.sessions.add(cursor.fetchone()[0])
                for batch in BatchOperation.objects.unfinished().order_by("?")[:3]:
                    run_chunk(batch.pk, max_accounts=MAX_ACCOUNTS)
            except (OperationalError, InterfaceError):
                # The session was killed: the chunk is rolled back, as if its worker had died.
                database.close()
        database.close()

    def kill(self) -> None:
        with closing(database), database.cursor() as cursor:
            for _ in range(KILLS):
                time.sleep(PAUSE)
                for session in list(self.sessions)[:1]:
                    cursor.execute("SELECT pg_terminate_backend(%s)", [session])
                    self.sessions.discard(session)

    def free(self) -> None:
        # In the middle of the storm the full accounts lose a label, so that batches and retries succeed.
        time.sleep(KILLS * PAUSE / 2)
        with closing(database):
            for account in self.accounts[:FULL]:
                update_account(self.user, account, {"labels": {"0": None, "1": None}})

    def run(self) -> None:
        with ThreadPoolExecutor(PEOPLE + 4) as threads:
            asking = [threads.submit(self.ask, person) for person in range(PEOPLE)]
            others = [threads.submit(task) for task in (self.work, self.work, self.kill, self.free)]
            for done in asking:
                done.result()
            others[-1].result()
            self.over.set()
            for done in others:
                done.result()


def find_carried_out(storm: Storm) -> dict[tuple[UUID, str], list[Request]]:
    """Return the requests that were carried out, by account and label."""
    found: dict[tuple[UUID, str], list[Request]] = {}
    for account, request in storm.patches:
        for label in request.labels:
            found.setdefault((account, label), []).append(request)
    for request in storm.batches:
        for item in BatchItem.objects.filter(batch=request.batch, state="succeeded"):
            # Which retry did the item is not known, so it counts as asked at any time of the retries.
            asked = request
            if item.request_number is not None:
                last = request.retries[-1]
                asked = Request(request.value, request.labels, request.retries[0].began, last.ended)
            for label in request.labels:
                if f"labels.{label}" not in item.message:
                    found.setdefault((item.account_id, label), []).append(asked)
    return found


def find_wrong(storm: Storm) -> list[Any]:
    """Return the labels whose value is older than a request that was carried out."""
    carried_out = find_carried_out(storm)
    wrong: list[Any] = []
    for account in Account.objects.filter(pk__in=storm.accounts):
        for label in LABELS:
            requests = carried_out.get((account.pk, label), [])
            shown = [each for each in requests if each.value == account.labels.get(label)]
            if requests and (not shown or any(each.is_newer_than(shown[0]) for each in requests)):
                wrong.append((account.pk, label, account.labels.get(label)))
    return wrong


def find_wrongly_skipped(storm: Storm) -> list[Any]:
    """Return the skipped items of which no other request, asked later or at the same time, changed a label."""
    carried_out = find_carried_out(storm)
    wrong: list[Any] = []
    for request in storm.batches:
        for item in BatchItem.objects.filter(batch=request.batch, message="A newer request changed it."):
            asked = request if item.request_number is None else request.retries[0]
            for label in request.labels:
                others = carried_out.get((item.account_id, label), [])
                if not any(other is not request and not asked.is_newer_than(other) for other in others):
                    wrong.append((item.account_id, label, request))
    return wrong


def test_no_older_request_wins_in_a_storm_of_requests_and_kills(
    alice: User, new_account: AccountFactory
) -> None:
    many = {str(number): "" for number in range(MAX_LABELS)}
    accounts = [new_account(alice, labels=many if number < FULL else {}).pk for number in range(ACCOUNTS)]
    storm = Storm(alice, accounts, seed=13)
    storm.run()
    assert not BatchItem.objects.filter(state__in=["waiting", "running"]).exists()
    assert BatchItem.objects.filter(message="A newer request changed it.").exists()
    assert find_wrong(storm) == []
    assert find_wrongly_skipped(storm) == []
