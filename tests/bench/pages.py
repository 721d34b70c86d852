"""What a page of the API and the export cost beside their floors: `make bench`, or `python -m tests.bench.pages`.

20,000 accounts of one person, granian as in production, the client and PostgreSQL on the same machine. Pages of 100:

    ours     GET /api/v1/accounts/ with a key
    bare     a Django view without sign-in, limits and checks that runs the same SQL and sends the same bytes
    plain    PageNumberPagination and a ModelSerializer of REST framework, over the first 1,000 of the accounts

They are asked by turns, by one client and by eight. Exits with 1 if a bound is not kept.
"""

import concurrent.futures
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.lists_settings"
os.environ.setdefault("BENCH_DATABASE", "postgres")

ACCOUNTS = 20_000
ROUNDS, SECONDS = 5, 3.0
ADDRESSES = {
    "ours": "/api/v1/accounts/",
    "bare": "/plain/bare/",
    "plain": "/plain/first/",
}
MAX_OVER_BARE = 1.5
MIN_OVER_PLAIN = 1.2
EXPORTED_ROWS_A_SECOND = 50_000


def cpu_seconds(words: tuple[bytes, ...] = (b"amazon_accounts.server", b"granian", b"bench_pages")) -> float:
    """Return the processor time so far of the server and of its sessions of PostgreSQL."""
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(word in (folder / "cmdline").read_bytes() for word in words):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                # Its own time and that of the processes that it waited for.
                ticks += sum(map(int, fields[11:15]))
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def ask(
    url: str, address: str, headers: dict[str, str], clients: int, seconds: float
) -> tuple[int, list[float]]:
    """Return how many pages came, and how long each took."""

    def one(_: int) -> list[float]:
        times = []
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            ends = time.perf_counter() + seconds
            while (began := time.perf_counter()) < ends:
                client.get(address).raise_for_status()
                times.append(time.perf_counter() - began)
        return times

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        times = [each for several in pool.map(one, range(clients)) for each in several]
    return len(times), times


def measure_pages(url: str, headers: dict[str, str]) -> bool:
    from tests.bench.api import percentile

    print("| clients | page | pages a second | p50 / p95 ms | CPU ms a page, web and database |")
    print("| --- | --- | --- | --- | --- |")
    kept = True
    for clients in (1, 8):
        asked: dict[str, list[tuple[int, list[float], float]]] = {name: [] for name in ADDRESSES}
        for number in range(ROUNDS + 1):
            for name, address in ADDRESSES.items():
                before = cpu_seconds()
                pages, times = ask(url, address, headers, clients, SECONDS if number else 1.0)
                # The first round warms up.
                if number:
                    asked[name].append((pages, times, cpu_seconds() - before))
        medians = {}
        for name, rounds in asked.items():
            times = [each for _, several, _ in rounds for each in several]
            pages = sum(number for number, _, _ in rounds)
            cpu = sum(seconds for _, _, seconds in rounds)
            medians[name] = percentile(times, 50)
            rate = pages / (ROUNDS * SECONDS)
            shown = f"{medians[name] * 1000:.1f} / {percentile(times, 95) * 1000:.1f}"
            print(f"| {clients} | {name} | {rate:.0f} | {shown} | {cpu / pages * 1000:.1f} |", flush=True)
        over_bare, over_plain = medians["ours"] / medians["bare"], medians["plain"] / medians["ours"]
        print(f"{clients} clients: ours over bare {over_bare:.2f} (at most {MAX_OVER_BARE}), "
              f"faster than plain {over_plain:.2f} times (at least {MIN_OVER_PLAIN})", flush=True)  # fmt: skip
        kept &= over_bare <= MAX_OVER_BARE and over_plain >= MIN_OVER_PLAIN
    return kept


def measure_export(url: str, headers: dict[str, str]) -> bool:
    kept = True
    for format_ in ("jsonl", "csv"):
        before, began, length = cpu_seconds(), time.perf_counter(), 0
        with (
            httpx.Client(base_url=url, headers=headers, timeout=600) as client,
            client.stream("GET", f"/api/v1/accounts/export/?format={format_}") as stream,
        ):
            stream.raise_for_status()
            length = sum(len(chunk) for chunk in stream.iter_raw())
        wall, cpu = time.perf_counter() - began, cpu_seconds() - before
        print(f"export as {format_}: {ACCOUNTS / wall:,.0f} rows a second, {ACCOUNTS / cpu:,.0f} a second of CPU of web and "
              f"database (at least {EXPORTED_ROWS_A_SECOND:,}), {length / 1e6:.1f} MB", flush=True)  # fmt: skip
        kept &= ACCOUNTS / cpu >= EXPORTED_ROWS_A_SECOND
    return kept


def main() -> int:
    from amazon_accounts.starter.database import require_database

    require_database()
    import django
    from django.conf import settings

    django.setup()
    from django.contrib.auth.models import User
    from django.db import connection

    from tests.api_keys import new_key
    from tests.bench.api import prepare, server
    from tests.bench.many_accounts import OWNER, fill

    database = prepare(ACCOUNTS, keep="--keep" in sys.argv, fill=fill, name="bench_pages")
    headers = {"Authorization": f"Bearer {new_key(User.objects.get(username=OWNER))}"}
    connection.close()
    measures: tuple[Callable[[str, dict[str, str]], bool], ...] = (measure_pages, measure_export)
    with server(database, settings.PORT + 8, "tests.bench.plain") as url:
        kept = [measure(url, headers) for measure in measures]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
