"""How fast lists and pages are, however many accounts: `make bench`, or `python -m tests.bench.api`.

For 1,000, 100,000 and 1,000,000 accounts: pages of the API, of the dashboard and of the admin, each asked by one
client and by eight, with granian as in production; beside them what Django makes of the same table if nobody thinks
about it. Then batches, and the export. Exits with 1 if a bound is not kept.

    --sizes 1000,100000    other numbers of accounts        --keep    leave the databases, and take those that are there
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.lists_settings"
os.environ.setdefault("BENCH_DATABASE", "postgres")

SIZES = (1_000, 100_000, 1_000_000)
ORDERINGS = ("name", "-name", "status", "-status", "last_synced_at", "-last_synced_at")
PAGE = 100
DEEP = 500  # pages
CLIENTS = 8
# Bounds: growth of p95 from the smallest to the largest, seconds otherwise.
GROWTH = 1.5
FILTERED, SEARCHED = 0.150, 0.250
TIMES_FASTER = 5


@dataclass
class Case:
    """One address, and what came of asking it."""

    name: str
    address: str
    kind: str  # plain, filtered, searched, page, baseline
    times: int = 60
    queries: int = 0
    alone: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)

    def line(self) -> str:
        return (
            f"{self.name:34} {self.queries or '':>3}  {milliseconds(self.alone, 50)} {milliseconds(self.alone, 95)}"
            f"   {milliseconds(self.together, 50)} {milliseconds(self.together, 95)}"
        )


def percentile(values: list[float], percent: int) -> float:
    return (
        statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]
    )


def milliseconds(values: list[float], percent: int) -> str:
    return f"{percentile(values, percent) * 1000:8.1f}" if values else " " * 8


def address(**parameters: str) -> str:
    return f"/api/v1/accounts/?{urlencode({'page_size': str(PAGE), **parameters})}"


def cases(deep: dict[str, str]) -> list[Case]:
    spring, tier = json.dumps({"campaign": "spring"}), json.dumps({"tier": 7})
    return [
        *(Case(f"first page, {each}", address(ordering=each), "plain") for each in ORDERINGS),
        *(Case(f"page {DEEP}, {each}", address(ordering=each, cursor=at), "plain") for each, at in deep.items()),
        # As many rows of a thousand accounts as of a million.
        Case("one status (2%), 20 rows", address(status="pending", page_size="20"), "plain"),
        Case("three filters (0.1%)", address(status="suspended", account_type="vendor", country="DE"), "filtered"),
        Case("the same by -last_synced_at", address(
            status="suspended", account_type="vendor", country="DE", ordering="-last_synced_at"), "filtered"),
        Case("marketplace (17%)", address(marketplace="A1PA6795UKMFR9"), "filtered"),
        Case("health problem (4%)", address(health="problem"), "filtered"),
        Case("health reason at_risk (2%)", address(health_reason="at_risk"), "filtered"),
        Case("health reason unknown (0.1%)", address(health_reason="unknown"), "filtered"),
        Case("metadata (0.1%)", address(metadata=tier), "filtered"),
        Case("labels (0.1%)", address(labels=spring), "filtered"),
        Case("labels (50%)", address(labels=json.dumps({"team": "north"})), "filtered"),
        Case("search, rare", address(search="zephyr"), "searched"),
        Case("search, common (50%)", address(search="garden"), "searched"),
        Case("search, nowhere", address(search="qqqqqq"), "searched"),
        Case("search, part of an id", address(search="7f3a1"), "searched"),
        Case("health", "/api/v1/accounts/health/", "page"),
        Case("dashboard, accounts", "/accounts/", "page"),
        Case("dashboard, one status", "/accounts/?status=pending", "page"),
        Case("admin changelist", "/admin/accounts/account/", "page"),
    ]  # fmt: skip


def baselines(size: int) -> list[Case]:
    middle = max(1, size // PAGE // 2)
    return [
        Case("plain: PageNumberPagination, 1", "/plain/accounts/", "baseline", times=10),
        Case("plain: PageNumberPagination, middle", f"/plain/accounts/?page={middle}", "baseline", times=10),
        Case("plain: admin changelist", "/admin/accounts/account/", "baseline", times=10),
    ]


@contextlib.contextmanager
def server(database: str, port: int, urlconf: str = "") -> Iterator[str]:
    """Serve the product on this database, as `make run` does; or other addresses."""
    environment = os.environ | {
        "BENCH_DATABASE": database,
        **({"BENCH_URLCONF": urlconf} if urlconf else {}),
    }
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "amazon_accounts.server", "--port", str(port)),
        ],
        env=environment,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(url, timeout=5)
                break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def ask(url: str, case: Case, headers: dict[str, str]) -> None:
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        for _ in range(3):
            client.get(case.address).raise_for_status()
        case.alone = [seconds(client, case.address) for _ in range(case.times)]
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        clients = [
            stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=60))
            for _ in range(CLIENTS)
        ]
        each = max(2, case.times // 4)
        asked = pool.map(lambda client: [seconds(client, case.address) for _ in range(each)], clients)
        case.together = [one for several in asked for one in several]


def seconds(client: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    client.get(path).raise_for_status()
    return time.perf_counter() - began


@dataclass
class Measured:
    size: int
    cases: list[Case]
    extra: dict[str, float]

    def p95(self, name: str) -> float:
        return percentile(next(case for case in self.cases if case.name == name).alone, 95)


def measure(size: int, port: int, *, keep: bool) -> Measured:
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    from tests.api_keys import new_key
    from tests.bench.many_accounts import BOSS, OWNER, fill

    database = prepare(size, keep=keep, fill=fill)
    owner, boss = User.objects.get(username=OWNER), User.objects.get(username=BOSS)
    token = {"Authorization": f"Token {new_key(owner)}"}
    browser = Client()
    browser.force_login(boss)
    cookie = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}
    found = [*cases(deep_cursors(owner)), *baselines(size)]
    for case in found:
        if case.kind != "baseline":
            case.queries = queries(case, owner, boss)
    connection.close()
    for urlconf, chosen in (("", [c for c in found if c.kind != "baseline"]),
                            ("tests.bench.plain", [c for c in found if c.kind == "baseline"])):  # fmt: skip
        with server(database, port, urlconf) as url:
            for case in chosen:
                ask(url, case, token if case.address.startswith(("/api/", "/plain/accounts")) else cookie)
                write(case.line())
            if not urlconf:
                extra = batches_and_export(url, token, size, database)
    for name, value in extra.items():
        write(f"{name:60} {value:10,.3f}")
    return Measured(size, found, extra)


def prepare(size: int, *, keep: bool, fill: Callable[[int], object], name: str = "bench") -> str:
    """Make the database with `size` rows, and connect to it. `fill` puts them into it."""
    from django.core.management import call_command
    from django.db import connection

    database = f"{name}_{size}"
    connect("postgres")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [database])
        exists = bool(cursor.fetchone()[0])
        if not (exists and keep):
            cursor.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {database}")
    connect(database)
    if not (exists and keep):
        began = time.perf_counter()
        call_command("migrate", verbosity=0)
        fill(size)
        write(f"Filled with {size:,} rows in {time.perf_counter() - began:.0f} s.")
    return database


def connect(database: str) -> None:
    from django.db import connection

    connection.close()
    connection.close_pool()  # type: ignore[attr-defined] # of PostgreSQL's backend
    connection.settings_dict["NAME"] = database


def deep_cursors(owner: Any) -> dict[str, str]:
    """Walk to the page, or the last one, in each ordering; return the cursors that lead there."""
    from accounts.lists.account_pages import paginate_accounts
    from accounts.models import Account

    found = {}
    for ordering in ORDERINGS:
        accounts = Account.objects.filter(user=owner).select_related("connection")
        cursor, pages = None, 0
        while pages < DEEP * PAGE // 500:
            following = paginate_accounts(accounts, ordering, 500).page(cursor).next_cursor
            if following is None:
                break
            cursor, pages = following, pages + 1
        found[ordering] = cursor or ""
    return found


def queries(case: Case, owner: Any, boss: Any) -> int:
    """Count the queries of one request, in this process."""
    from django.db import connection
    from django.test import Client, override_settings
    from django.test.utils import CaptureQueriesContext

    from tests.api_keys import new_key

    client = Client()
    headers = {"Authorization": f"Token {new_key(owner)}"}
    if not case.address.startswith("/api/"):
        client.force_login(boss)
        headers = {}
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        client.get(case.address, headers=headers)
        with CaptureQueriesContext(connection) as captured:
            client.get(case.address, headers=headers)
    return len(captured)


def batches_and_export(url: str, token: dict[str, str], size: int, database: str) -> dict[str, float]:
    """Time the answers to batches of 10,000 ids and of a filter of 100,000, the work, and the export's memory."""
    if size < 100_000:
        return {}
    found: dict[str, float] = {}
    with httpx.Client(base_url=url, headers=token, timeout=600) as client:
        ids: list[str] = []
        page = f"{url}/api/v1/accounts/?page_size=500"
        while len(ids) < 10_000:
            answer = client.get(page).raise_for_status().json()
            ids += [row["id"] for row in answer["results"]]
            page = answer["next"]
        with worker(database):
            for operation in ("update", "disconnect", "reconnect"):
                body: dict[str, object] = {"operation": operation, "account_ids": ids}
                if operation == "update":
                    body["options"] = {"labels": {"bench": str(time.time_ns())}}
                answered, done = timed_batch(client, body)
                found[f"{operation} of 10,000 ids: answered (s)"] = answered
                found[f"{operation} of 10,000 ids: done (s)"] = done
            chosen = {} if size == 100_000 else {"status": ["pending", "suspended", "inactive"]}
            body = {"operation": "update", "filter": chosen, "options": {"labels": {"bench": "x"}}}
            found["update of a filter of 100,000: answered (s)"], _ = timed_batch(client, body, wait=False)
            client.post(f"{_locations[-1]}cancel/")
        before = memory()
        began = time.perf_counter()
        with client.stream("GET", "/api/v1/accounts/export/?format=jsonl") as stream:
            length = sum(len(chunk) for chunk in stream.iter_raw())
        found["export: rows a second"] = size / (time.perf_counter() - began)
        found["export: megabytes sent"] = length / 1e6
        found["export: growth of the server's memory (MB)"] = (memory() - before) / 1024
    return found


_locations: list[str] = []


def timed_batch(client: httpx.Client, body: dict[str, Any], *, wait: bool = True) -> tuple[float, float]:
    began = time.perf_counter()
    started = client.post("/api/v1/accounts/batch/", json=body)
    answered = time.perf_counter() - began
    started.raise_for_status()
    _locations.append(started.headers["Location"])
    while wait and client.get(started.headers["Location"]).json()["finished_at"] is None:
        time.sleep(0.05)
    return answered, time.perf_counter() - began


@contextlib.contextmanager
def worker(database: str) -> Iterator[None]:
    environment = os.environ | {
        "BENCH_DATABASE": database,
    }
    process = subprocess.Popen([sys.executable, "manage.py", "runworker"], env=environment)
    time.sleep(4)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def memory() -> int:
    """Return the greatest resident size, in kB, of this process's servers."""
    sizes = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"granian" in (folder / "cmdline").read_bytes():
                status = (folder / "status").read_text()
                sizes.append(int(status.split("VmRSS:")[1].split()[0]))
    return max(sizes, default=0)


def judge(found: list[Measured]) -> list[str]:
    """Return what is below what must be reached."""
    least, most = found[0], found[-1]
    missed = []
    for case in most.cases:
        p95 = percentile(case.alone, 95)
        if case.kind == "plain" and "last_synced_at" not in case.name and p95 > GROWTH * least.p95(case.name):
            missed.append(f"{case.name}: p95 grew {p95 / least.p95(case.name):.2f} times")
        bound = {"filtered": FILTERED, "searched": SEARCHED}.get(case.kind)
        if bound and p95 > bound:
            missed.append(f"{case.name}: p95 {p95:.3f} s")
        if case.kind in {"plain", "filtered", "searched"} and case.queries > 6:
            missed.append(f"{case.name}: {case.queries} queries")
        if case.kind == "page" and case.queries > 12:
            missed.append(f"{case.name}: {case.queries} queries")
    plain = most.p95("plain: admin changelist")
    missed += [
        f"{name}: only {plain / most.p95(name):.1f} times faster than the plain admin"
        for name in ("dashboard, accounts", "admin changelist")
        if plain < TIMES_FASTER * most.p95(name)
    ]
    bounds = {"answered": 0.3, "filter of 100,000: answered": 0.5, "done": 5.0, "memory": 50.0}
    for measured in found:
        for name, value in measured.extra.items():
            bound = next((limit for words, limit in reversed(bounds.items()) if words in name), None)
            if bound is not None and value > bound:
                missed.append(f"{name}, {measured.size:,} accounts: {value:.3f}")
    return missed


def table(found: list[Measured]) -> str:
    """Return the section of docs/benchmarks.md."""
    sizes = [f"{measured.size:,}" for measured in found]
    lines = [
        "| | queries | "
        + " | ".join(f"{size}: 1 client p50 / p95 | {CLIENTS} clients" for size in sizes)
        + " |",
        "| --- | --- |" + " --- | --- |" * len(sizes),
    ]
    for index, case in enumerate(found[0].cases):
        cells = []
        for measured in found:
            each = measured.cases[index]
            cells += [
                f"{percentile(times, 50) * 1000:.1f} / {percentile(times, 95) * 1000:.1f}"
                for times in (each.alone, each.together)
            ]
        lines.append(f"| {case.name} | {found[-1].cases[index].queries} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args(arguments)

    from amazon_accounts.starter.database import require_database

    require_database()
    import django
    from django.conf import settings

    django.setup()
    found = []
    for size in map(int, options.sizes.split(",")):
        write(f"\n{size:,} accounts{'':28}queries  1 client: p50, p95   {CLIENTS} clients: p50, p95 (ms)")
        found.append(measure(size, settings.PORT + 7, keep=options.keep))
    write("\n" + table(found))
    missed = judge(found)
    for sentence in missed:
        write(f"MISSED {sentence}")
    if not options.keep:
        drop([measured.size for measured in found])
    return 1 if missed else 0


def drop(sizes: list[int], *, name: str = "bench") -> None:
    from django.db import connection

    connect("postgres")
    with connection.cursor() as cursor:
        for size in sizes:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}_{size} WITH (FORCE)")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
