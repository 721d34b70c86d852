"""People who look at pages, and a client of the API."""

import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

import httpx

PAGES = {
    "overview": "/",
    "accounts": "/accounts/",
    "accounts, searched": "/accounts/?search=account",
    "accounts, filtered": "/accounts/?status=active&ordering=-name",
    "connections": "/connections/",
    "activity": "/activity/",
    "operations": "/operations/",
}
CALLS = {
    "API: accounts": "/api/v1/accounts/?page_size=100",
    "API: account changes": "/api/v1/accounts/changes/",
    "API: connections": "/api/v1/connections/?page_size=100",
    "API: health": "/api/v1/accounts/health/",
}
# Between two pages of a person, and between two calls of the client.
PERSON_SECONDS, CLIENT_SECONDS = 4.0, 0.5


@dataclass
class Visitors:
    url: str
    cookies: list[str]
    key: str
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=({"Cookie": cookie}, PAGES, PERSON_SECONDS, number))
            for number, cookie in enumerate(self.cookies)
        ]
        token = {"Authorization": f"Token {self.key}"}
        self._threads.append(threading.Thread(target=self._visit, args=(token, CALLS, CLIENT_SECONDS, -1)))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def forget(self) -> None:
        """Forget what was measured so far."""
        self.times.clear()
        self.refused.clear()

    def _visit(self, headers: dict[str, str], places: dict[str, str], pause: float, seed: int) -> None:
        chance = random.Random(seed)
        with httpx.Client(base_url=self.url, headers=headers, timeout=60) as client:
            while not self._stopping.wait(pause * chance.uniform(0.5, 1.5)):
                name = chance.choice(list(places))
                began = time.monotonic()
                try:
                    status = client.get(places[name]).status_code
                except httpx.TransportError as error:
                    self.refused[f"{name}: {type(error).__name__}"] += 1
                    continue
                self.times[name].append(time.monotonic() - began)
                if status != 200:
                    self.refused[f"{name}: {status}"] += 1
