"""How well the shared pace works: `make bench`, or `python -m tests.bench.pacing`.

A sandbox Amazon that limits to 20 requests a second with a burst of 20, once per region, once per endpoint, and once
with a limit that halves in the middle. 1,000 calls from 4 processes and 10 logins, all seeds fixed:

    (a) plain    httpx, 20 calls at once in each process, tenacity's exponential backoff, 5 attempts
    (b) cold     the product's client, which knows nothing yet
    (c) learned  the same with the pace that (b) learned

Then what a reservation costs. Exits with 1 if a bound is not kept.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

PROCESSES = 4
LOGINS = 10
RATE = 20.0
BURST = 20
LATENCY_SECONDS = 0.05
SEED = 20


@dataclass(frozen=True)
class Scenario:
    name: str
    per: tuple[str, ...]
    routes: tuple[str, ...]
    halves: bool = False


PER_REGION = Scenario("per region", ("region",), ("profiles", "managers", "accounts"))
PER_ENDPOINT = Scenario("per endpoint", ("region", "endpoint"), ("profiles",))
HALVED = Scenario("halved in the middle", ("region",), ("profiles", "managers", "accounts"), halves=True)


@dataclass
class Outcome:
    scenario: Scenario
    kind: str
    calls: int
    requests: int
    throttled: int
    lost: int
    seconds: float
    pace: float | None = None
    busiest: int = 0
    postponed: int = 0

    @property
    def floor(self) -> float:
        half = self.calls / 2
        if self.scenario.halves:
            return (half - BURST) / RATE + half / (RATE / 2)
        return (self.calls - BURST) / RATE

    @property
    def share_throttled(self) -> float:
        return self.throttled / self.requests

    @property
    def over_floor(self) -> float:
        return self.seconds / self.floor

    def line(self) -> str:
        pace = f"{self.pace:.1f}/s" if self.pace else ""
        return (
            f"| {self.scenario.name} | {self.kind} | {self.requests} | {self.throttled} "
            f"| {self.share_throttled:.1%} | {self.lost} | {self.seconds:.1f} | {self.over_floor:.2f} "
            f"| {pace} | {self.busiest} | {self.postponed} |"
        )


HEAD = (
    "| limit | client | requests | 429s | share | calls lost | seconds | over the floor | pace | most in 10 s | postponed |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


class Amazon:
    """The sandbox in a process of its own, and its control path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/_sandbox", timeout=30)

    def do(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()

    def prepare(self, scenario: Scenario) -> dict[str, str]:
        """A new world with the scenario's limit; an access token of each login."""
        self.do(
            "POST", "/reset", {"world": "generated", "seed": SEED, "logins": LOGINS, "accounts_per_login": 20}
        )
        self.do("POST", "/throttle", {"rate": RATE, "burst": BURST, "per": list(scenario.per)})
        self.do("POST", "/latency", {"seconds": LATENCY_SECONDS})
        names = [f"login-{number}" for number in range(1, LOGINS + 1)]
        return {name: self.do("POST", "/grants", {"login": name})["access_token"] for name in names}

    def halve(self) -> None:
        self.do("POST", "/throttle", {"rate": RATE / 2, "burst": BURST, "per": ["region"]})

    def served(self) -> int:
        return int(self.do("GET", "/")["calls"])

    def times_and_statuses(self) -> list[tuple[float, int]]:
        entries = self.do("GET", "/journal?area=api&limit=100000")
        entries = entries["entries"] if isinstance(entries, dict) else entries
        return [(entry["time"], entry["status"]) for entry in entries]


@contextlib.contextmanager
def running_sandbox(port: int) -> Iterator[Amazon]:
    environ = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    process = subprocess.Popen(
        [sys.executable, "-m", "amazon_accounts.sandbox", "--port", str(port)], env=environ
    )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(100):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/_sandbox/")
                break
            time.sleep(0.1)
        yield Amazon(url)
    finally:
        process.terminate()
        process.wait(10)


class Workers:
    """The processes of one run: they begin together when all are ready."""

    def __init__(self, orders: list[dict[str, Any]], environ: dict[str, str] | None = None) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.bench.pacing_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **(environ or {})},
            )
            for _ in orders
        ]
        for process, order in zip(self._processes, orders, strict=True):
            self._say(process, json.dumps(order))
        for process in self._processes:
            self._hear(process)
        self.began_at = time.time()
        for process in self._processes:
            self._say(process, "go")

    @property
    def are_busy(self) -> bool:
        return any(process.poll() is None for process in self._processes)

    def results(self) -> list[dict[str, Any]]:
        results = [dict(json.loads(self._hear(process))) for process in self._processes]
        for process in self._processes:
            process.communicate()
        return results

    @staticmethod
    def _say(process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()

    @staticmethod
    def _hear(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line: str = process.stdout.readline()
        return line


def measure(amazon: Amazon, scenario: Scenario, kind: str, calls: int, database: dict[str, str]) -> Outcome:
    tokens = amazon.prepare(scenario)
    chance = random.Random(SEED)
    todo = [
        (f"login-{index % LOGINS + 1}", scenario.routes[index % len(scenario.routes)])
        for index in range(calls)
    ]
    chance.shuffle(todo)
    orders = [
        {
            "kind": "plain" if kind == "plain" else "ours",
            "url": f"{amazon.url}/na/api",
            "tokens": tokens,
            "calls": todo[number::PROCESSES],
            "database": database,
        }
        for number in range(PROCESSES)
    ]
    environ = {
        "AMAZON_ADS_API_URL": f"{amazon.url}/{{region}}/api",
        "AMAZON_LWA_URL": f"{amazon.url}/{{region}}",
    }
    workers = Workers(orders, environ)
    if scenario.halves:
        halve_in_the_middle(amazon, calls // 2, workers)
    results = workers.results()
    times = amazon.times_and_statuses()
    for result in results:
        for error in result.get("errors", []):
            print("   lost:", error)
    return Outcome(
        scenario,
        kind,
        calls=calls,
        requests=len(times),
        throttled=sum(status == 429 for _, status in times),
        lost=sum(result["lost"] for result in results),
        seconds=max(result["ended_at"] for result in results) - workers.began_at,
        busiest=busiest_window([moment for moment, _ in times]),
        postponed=sum(result.get("postponed", 0) for result in results),
    )


def halve_in_the_middle(amazon: Amazon, middle: int, workers: Workers) -> None:
    while workers.are_busy:
        if sum(1 for _, status in amazon.times_and_statuses() if status == 200) >= middle:
            amazon.halve()
            return
        time.sleep(0.3)


def busiest_window(moments: list[float], seconds: float = 10.0) -> int:
    """The most requests in any ten seconds."""
    moments = sorted(moments)
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] > seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def measure_reservations(
    database: dict[str, str], processes: int, seconds: float = 5.0
) -> tuple[float, list[float]]:
    """Reservations a second on one row, and the milliseconds that each took."""
    orders = [
        {"kind": "reservations", "seconds": seconds, "seed": number, "database": database}
        for number in range(processes)
    ]
    taken = [each * 1000 for result in Workers(orders).results() for each in result["seconds"]]
    return len(taken) / seconds, sorted(taken)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--only", choices=["region", "endpoint", "halved", "reservations"], action="append")
    parser.add_argument("--skip-plain", action="store_true")
    options = parser.parse_args()
    only = options.only or ["region", "endpoint", "halved", "reservations"]

    import django

    django.setup()
    from django.conf import settings
    from django.db import connection

    from amazon_accounts.amazon_ads.models import RateLimit
    from amazon_accounts.starter.database import use_local_database

    use_local_database()
    settings.DATABASES["default"]["TEST"]["NAME"] = "bench_pacing"
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    database = {key: str(settings.DATABASES["default"][key]) for key in ("HOST", "PORT", "USER")} | {
        "NAME": name
    }
    kept = True
    try:
        print(HEAD, flush=True)
        with running_sandbox(settings.SANDBOX_PORT) as amazon:
            learned: list[RateLimit] = []
            for key, scenario in {"region": PER_REGION, "halved": HALVED, "endpoint": PER_ENDPOINT}.items():
                if key not in only:
                    continue
                outcomes = {}
                RateLimit.objects.all().delete()
                for kind in ("plain", "cold", "learned"):
                    if kind == "plain" and options.skip_plain:
                        continue
                    if kind == "learned" and scenario.halves:
                        # With the pace of the limit before it halves, as a long day's work would have it.
                        RateLimit.objects.all().delete()
                        RateLimit.objects.bulk_create(learned)
                    outcome = measure(amazon, scenario, kind, options.calls, database)
                    if kind != "plain":
                        outcome.pace = RateLimit.objects.get(region="NA").pace
                    outcomes[kind] = outcome
                    print(outcome.line(), flush=True)
                    time.sleep(2)
                if key == "region":
                    learned = list(RateLimit.objects.all())
                kept &= keeps_bounds(scenario, outcomes)
        if "reservations" in only:
            for processes in (1, PROCESSES):
                per_second, taken = measure_reservations(database, processes)
                median, slow = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
                print(
                    f"Reservations on one row, {processes} process(es): {per_second:,.0f} a second, "
                    f"median {median:.2f} ms, p99 {slow:.2f} ms",
                    flush=True,
                )
                if processes == 1:
                    kept &= bound("milliseconds of one reservation", median, at_most=1.0)
                else:
                    kept &= bound("reservations a second", per_second, at_least=2000)
    finally:
        connection.close()
        connection.creation.destroy_test_db(name, verbosity=0)
    return 0 if kept else 1


def keeps_bounds(scenario: Scenario, outcomes: dict[str, Outcome]) -> bool:
    from django.conf import settings

    kept = True
    ceiling = settings.AMAZON_MAX_REQUESTS_PER_SECOND * 10 + settings.AMAZON_BURST
    for kind, outcome in outcomes.items():
        if kind == "plain":
            continue
        about = f"{scenario.name}, {kind}"
        kept &= bound(f"{about}: calls lost", outcome.lost, at_most=0)
        kept &= bound(f"{about}: requests in ten seconds", outcome.busiest, at_most=ceiling)
        if scenario.halves:
            kept &= bound(f"{about}: share of 429s", outcome.share_throttled, at_most=0.05)
        else:
            share, over = (0.03, 1.5) if kind == "cold" else (0.01, 1.15)
            kept &= bound(f"{about}: share of 429s", outcome.share_throttled, at_most=share)
            kept &= bound(f"{about}: over the floor", outcome.over_floor, at_most=over)
        if "plain" in outcomes:
            fewer = 1 - outcome.throttled / max(1, outcomes["plain"].throttled)
            kept &= bound(f"{about}: fewer 429s than plain", fewer, at_least=0.95)
    return kept


def bound(what: str, value: float, *, at_least: float = float("-inf"), at_most: float = float("inf")) -> bool:
    if at_least <= value <= at_most:
        return True
    limit = f"at least {at_least:g}" if value < at_least else f"at most {at_most:g}"
    print(f"NOT KEPT: {what}: {value:.3g}, should be {limit}", flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
