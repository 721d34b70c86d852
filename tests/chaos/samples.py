"""What is looked at all the time: tokens, accounts that are shown as gone, and what `/readyz` says."""

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import psycopg
from django.db import Error, connections

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

# `/readyz` is right this long after a change, and answers in this time.
NOTICE_DOWN_SECONDS = 3.0
NOTICE_UP_SECONDS = 20.0
ANSWER_SECONDS = 3.0
PROBE_TIMEOUT_SECONDS = 12.0

LIVES = """
SELECT count(*) FILTER (WHERE expires_at <= clock_timestamp()) AS expired,
       min(extract(epoch FROM expires_at - clock_timestamp()))::float AS least,
       string_agg(label, ', ') FILTER (WHERE expires_at <= clock_timestamp()) AS labels,
       greatest(max(extract(epoch FROM clock_timestamp() - next_refresh_at)), 0)::float AS longest_due
  FROM tokens_connection WHERE state = 'active'
"""
# Accounts that are shown as gone, and the last good sync of each login.
GONE = "SELECT amazon_account_id FROM user_accounts WHERE inactive_reason = 'not_visible'"
LAST_SYNCS = """
SELECT connection.label, max(extract(epoch FROM run.started_at))::float AS started_at
  FROM accounts_syncrun run JOIN tokens_connection connection ON connection.id = run.connection_id
 WHERE run.state = 'succeeded' AND connection.state = 'active' GROUP BY 1
"""


@dataclass
class Truth:
    """What the storm knows about the database and web, with the time of the last change."""

    database: str = "up"
    database_since: float = 0.0
    web_since: float = 0.0
    # A word that `/readyz` says while the database is down.
    word: str = ""

    def database_up(self) -> None:
        self._set("up")

    def database_unknown(self) -> None:
        self._set("unknown")

    def database_down(self, word: str = "") -> None:
        self._set("down")
        self.word = word

    def web_begins(self) -> None:
        self.web_since = time.monotonic()

    def _set(self, state: str) -> None:
        self.database, self.database_since, self.word = state, time.monotonic(), ""


@dataclass
class Samples:
    tokens: int = 0
    missed: int = 0
    least_life: float = float("inf")
    # When, and for how many seconds a login had been due whose refresh had not begun.
    waits: list[tuple[float, float]] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    asked_amazon: int = 0
    refused_by_amazon: list[str] = field(default_factory=list)
    looked_for_gone: int = 0
    wrongly_gone: dict[str, str] = field(default_factory=dict)
    probes: int = 0
    probes_down: int = 0
    wrong_probes: list[str] = field(default_factory=list)
    slowest_probe: float = 0.0
    longest_gap: float = 0.0


class Sampler:
    def __init__(self, storm: "Storm") -> None:
        self._storm = storm
        self.samples = Samples()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._sample, name="samples", daemon=True),
            threading.Thread(target=self._probe, name="probes", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(PROBE_TIMEOUT_SECONDS + 5)

    def _sample(self) -> None:
        number, last = 0, time.monotonic()
        while not self._stopping.wait(1.0):
            number += 1
            now = time.monotonic()
            self.samples.longest_gap = max(self.samples.longest_gap, now - last)
            last = now
            try:
                self._look_at_lives()
                if number % 2 == 0:
                    self._look_for_gone()
                if number % 5 == 0:
                    self._ask_amazon()
            except (psycopg.OperationalError, Error):
                # The database is away for the storm itself too.
                self.samples.missed += 1
                connections.close_all()

    def _look_at_lives(self) -> None:
        (row,) = self._storm.database.fetch(LIVES)
        self.samples.tokens += 1
        if row.least is not None:
            self.samples.least_life = min(self.samples.least_life, row.least)
        self.samples.waits.append((time.monotonic(), row.longest_due or 0.0))
        if row.expired:
            self.samples.expired.append(f"{self._storm.now()}: {row.labels}")

    def _look_for_gone(self) -> None:
        seen_since = dict(self._storm.amazon.seen_since)
        gone = {row.amazon_account_id for row in self._storm.database.fetch(GONE)}
        last_syncs = {row.label: row.started_at for row in self._storm.database.fetch(LAST_SYNCS)}
        self.samples.looked_for_gone += 1
        for (login, account_id), since in seen_since.items():
            # This login saw it all the time, and a sync of this login began after that and went well.
            if account_id in gone and last_syncs.get(login, 0.0) > since + 1:
                self.samples.wrongly_gone.setdefault(
                    account_id, f"{account_id} of {login} at {self._storm.now()}"
                )

    def _ask_amazon(self) -> None:
        from tokens.models import Connection

        tokens = Connection.objects.active().only("label", "access_token")
        stored = [(connection.label, connection.access_token) for connection in tokens]
        connections.close_all()
        for label, token in stored:
            self.samples.asked_amazon += 1
            if token is None or not self._storm.amazon.is_valid(token.reveal()):
                self.samples.refused_by_amazon.append(f"{self._storm.now()}: {label}")

    def _probe(self) -> None:
        address = f"http://127.0.0.1:{self._storm.fleet.port}/readyz"
        while not self._stopping.wait(1.0):
            began = time.monotonic()
            try:
                answer = httpx.get(address, timeout=PROBE_TIMEOUT_SECONDS)
                status, text = answer.status_code, answer.text
            except httpx.TransportError as error:
                status, text = 0, type(error).__name__
            self._judge(began, time.monotonic(), status, text)

    def _judge(self, began: float, ended: float, status: int, text: str) -> None:
        truth = self._storm.truth
        self.samples.probes += 1
        if began < truth.web_since + NOTICE_UP_SECONDS * self._storm.patience:
            return
        what = f"{self._storm.now()}: {status} {text.strip()[:80]} after {ended - began:.1f} s"
        since = truth.database_since
        if truth.database == "up" and began > since + NOTICE_UP_SECONDS * self._storm.patience:
            self.samples.slowest_probe = max(self.samples.slowest_probe, ended - began)
            if status != 200:
                self.samples.wrong_probes.append(f"{what}, though all is well")
        elif truth.database == "down" and began > since + NOTICE_DOWN_SECONDS:
            self.samples.probes_down += 1
            self.samples.slowest_probe = max(self.samples.slowest_probe, ended - began)
            if (
                status != 503
                or ended - began > ANSWER_SECONDS * self._storm.patience
                or truth.word not in text
            ):
                self.samples.wrong_probes.append(f"{what}, while the database is {truth.word or 'away'}")
