"""Requests of people over the API: one after another, each repeated until it is answered, so that their order is known.

Each request that changes accounts writes its own number, so that the tables show which requests came last.
"""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

LABELS = ("first", "second")
# Of a request that is answered; during an outage it is repeated.
TIMEOUT_SECONDS = 15.0
REPEAT_SECONDS = 0.5
# Longer than any fault.
MAX_SECONDS = 120.0


@dataclass
class Request:
    number: int
    # "labels.first", "labels.second" or "connected".
    field: str
    value: str
    # For a PATCH: its account. For a batch: its id.
    account_id: str = ""
    batch_id: str = ""
    is_cancelled: bool = False


@dataclass
class People:
    url: str
    key: str
    chance: random.Random
    pause: float
    requests: list[Request] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="people", daemon=True)
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v1/",
            headers={"Authorization": f"Token {self.key}"},
            timeout=TIMEOUT_SECONDS,
        )
        self._number = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(60)

    def _live(self) -> None:
        acts = [
            self._update_all,
            self._update_some,
            self._patch,
            self._patch,
            self._switch,
            self._sync,
            self._read,
        ]
        while not self._stopping.wait(self.pause * self.chance.uniform(0.2, 1.8)):
            try:
                self.chance.choice(acts)()
            except Exception as error:  # noqa: BLE001 - a thread that ends silently would test nothing
                self.problems.append(f"a request failed: {type(error).__name__}: {error}")

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        """Send a request until it is answered with less than 500; return the answer's JSON."""
        headers = {"Idempotency-Key": key} if key else {}
        give_up_at = time.monotonic() + MAX_SECONDS
        while True:
            began = time.monotonic()
            try:
                answer = self._client.request(method, path, json=body, headers=headers)
            except httpx.TransportError as error:
                self.answers[type(error).__name__] += 1
            else:
                self.answers[str(answer.status_code)] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
                if answer.status_code < 500 and answer.status_code != 429:
                    return self._read_answer(method, path, answer)
                if answer.status_code == 500:
                    self.problems.append(f"{method} {path}: 500")
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"no answer within {MAX_SECONDS:g} s")
            time.sleep(REPEAT_SECONDS)

    def _read_answer(self, method: str, path: str, answer: httpx.Response) -> Any:
        # 404: the account was merged away. 409: the operation has ended.
        if answer.status_code >= 400 and answer.status_code not in {404, 409}:
            self.problems.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json() if answer.status_code < 400 else None

    def _new(self, field_name: str, value: str = "") -> Request:
        self._number += 1
        return Request(self._number, field_name, value or str(self._number))

    def _update_all(self) -> None:
        label = self.chance.choice(LABELS)
        self._batch(self._new(f"labels.{label}"), "update", {"filter": {}}, label)

    def _update_some(self) -> None:
        if ids := self._choose_accounts():
            label = self.chance.choice(LABELS)
            self._batch(self._new(f"labels.{label}"), "update", {"account_ids": ids}, label)

    def _switch(self) -> None:
        if ids := self._choose_accounts():
            operation = self.chance.choice(["disconnect", "reconnect"])
            self._batch(self._new("connected", operation), operation, {"account_ids": ids}, "")
            # The opposite at once, so that both wait together.
            other = "reconnect" if operation == "disconnect" else "disconnect"
            self._batch(self._new("connected", other), other, {"account_ids": ids}, "")

    def _batch(self, request: Request, operation: str, chosen: dict[str, Any], label: str) -> None:
        options = {"options": {"labels": {label: request.value}}} if label else {}
        body = {"operation": operation, **chosen, **options}
        # The request counts as asked even if the storm ends before its answer, so it is stored first.
        self.requests.append(request)
        answer = self.ask("POST", "accounts/batch/", body, key=f"request {request.number}")
        if answer is None:
            self.requests.remove(request)
            return
        request.batch_id = answer["id"]
        if self.chance.random() < 0.15:
            request.is_cancelled = True
            self.ask("POST", f"accounts/batch/{request.batch_id}/cancel/")

    def _patch(self) -> None:
        for account_id in self._choose_accounts()[:1]:
            label = self.chance.choice(LABELS)
            request = self._new(f"labels.{label}")
            request.account_id = account_id
            if self.ask("PATCH", f"accounts/{account_id}/", {"labels": {label: request.value}}) is not None:
                self.requests.append(request)

    def _sync(self) -> None:
        if ids := self._choose_accounts():
            self.ask(
                "POST",
                "accounts/batch/",
                {"operation": "sync", "account_ids": ids},
                key=f"sync {self._number} {self.chance.random()}",
            )

    def _read(self) -> None:
        connections = self.ask("GET", "connections/?page_size=50")["results"]
        if connections:
            chosen = self.chance.choice(connections)["id"]
            self.ask("POST", f"connections/{chosen}/{self.chance.choice(['refresh', 'sync'])}/")
        self.ask("GET", "accounts/health/")

    def _choose_accounts(self) -> list[str]:
        ordering = self.chance.choice(["name", "-name", "status"])
        found = self.ask("GET", f"accounts/?page_size=30&ordering={ordering}")
        ids = [account["id"] for account in (found or {"results": []})["results"]]
        return self.chance.sample(ids, min(len(ids), self.chance.randint(1, 5)))
