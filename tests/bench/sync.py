"""How fast a sync is, and what it costs: `make bench`, or `python -m tests.bench.sync`.

whole    One login of 10,000 accounts, in a sandbox that takes 50 ms for a call and allows any pace: new,
unchanged, and with 1% changed. The floor is the time that a client needs to read the pages of the list one
after the other, without storing them, on this machine and in this run. many     A hundred logins of a hundred
accounts. hundred  One login of 100 accounts, at 200 ms for a call. storing  10,000 accounts from memory,
stored as a sync does it, by raw SQL, by bulk_create and by update_or_create: new, unchanged, and with 1%
changed. billing  What the billing step of a
sync takes for 10,000 accounts besides its calls, which take 50 ms and no work.

Exits with 1 if a bound is exceeded. `--only`, `--accounts` and `--repeat` make it shorter or longer.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any

import httpx

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

PARTS = ["whole", "many", "hundred", "storing", "billing"]
LATENCY = 0.05
PAGE = 100
UNBOUND = {
    "AMAZON_REQUESTS_PER_SECOND": "100000",
    "AMAZON_MAX_REQUESTS_PER_SECOND": "100000",
    "AMAZON_BURST": "10000",
    "LWA_REQUESTS_PER_SECOND": "100000",
}


@dataclass
class Bounds:
    kept: bool = True

    def check(
        self, what: str, value: float, *, max_value: float | None = None, min_value: float | None = None
    ) -> None:
        fine = (max_value is None or value <= max_value) and (min_value is None or value >= min_value)
        self.kept &= fine
        limit = f"at most {max_value:g}" if max_value is not None else f"at least {min_value:g}"
        print(f"   {'kept  ' if fine else 'BROKEN'} {what}: {value:.3g} ({limit})", flush=True)


class Amazon:
    """A sandbox that runs in another process."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._http = httpx.Client(base_url=f"{self.url}/_sandbox", timeout=60)

    def do(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()

    def set_latency(self, seconds: float) -> None:
        self.do("DELETE", "/faults")
        self.do("POST", "/latency", {"seconds": seconds, "area": "api"})

    def measure_listing(self, login: str) -> tuple[int, float]:
        """Return the number of pages of the login's list, and the seconds to read them in order."""
        from django.conf import settings

        from amazon_accounts.amazon_ads.client import LIST_ADS_ACCOUNTS

        token = self.do("POST", "/grants", {"login": login})["access_token"]
        headers = {
            "Authorization": f"Bearer {token}",
            "Amazon-Advertising-API-ClientId": settings.AMAZON_CLIENT_ID,
            "Content-Type": LIST_ADS_ACCOUNTS,
            "Accept": LIST_ADS_ACCOUNTS,
        }
        with httpx.Client(base_url=f"{self.url}/na/api", headers=headers) as http:
            body: dict[str, Any] = {"maxResults": PAGE}
            pages, began = 0, time.perf_counter()
            while pages == 0 or body.get("nextToken"):
                answer = http.post("/adsAccounts/list", json=body).raise_for_status()
                body["nextToken"] = answer.json().get("nextToken")
                pages += 1
            return pages, time.perf_counter() - began

    def rename_some(self, every: int) -> None:
        found = self.do("GET", "/entities/ads_accounts")
        ids = list(found) if isinstance(found, dict) else [each["ads_account_id"] for each in found]
        for account_id in ids[::every]:
            self.do(
                "PATCH",
                f"/entities/ads_accounts/{account_id}",
                {"account_name": f"Renamed {account_id[-5:]}"},
            )


@contextlib.contextmanager
def running_amazon(port: int, logins: int, accounts: int) -> Iterator[Amazon]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.sync_amazon", str(port), str(logins), str(accounts)]
    )
    amazon = Amazon(port)
    try:
        for _ in range(300):
            with contextlib.suppress(httpx.TransportError):
                amazon.do("GET", "/")
                break
            time.sleep(0.1)
        yield amazon
    finally:
        process.terminate()
        process.wait(10)


def connect(amazon: Amazon, logins: int) -> list[Any]:
    # The first connection sees nothing. Its sync warms the process up.
    from django.conf import settings
    from django.contrib.auth.models import User

    from tests.teams import team_of
    from tokens.models import Connection

    owner, _ = User.objects.get_or_create(username="bench")
    made = []
    for name in ("warm-up", *(f"login-{number}" for number in range(1, logins + 1))):
        token = amazon.do("POST", "/grants", {"login": name})["refresh_token"]
        made.append(
            Connection.objects.create(
                team=team_of(owner),
                owner=owner,
                label=name,
                client_id=settings.AMAZON_CLIENT_ID,
                refresh_token=token,
            )
        )
    return made


def sync(
    amazon: Amazon, connections: list[Any], environ: dict[str, str], concurrency: int = 1
) -> dict[str, Any]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.bench.sync_worker", str(concurrency)),
            *(str(connection.pk) for connection in connections),
        ],
        env={
            **os.environ,
            **UNBOUND,
            **environ,
            "AMAZON_ADS_API_URL": f"{amazon.url}/{{region}}/api",
            "AMAZON_LWA_URL": f"{amazon.url}/{{region}}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if wrong := [run for run in measured["runs"] if run["state"] != "succeeded"]:
        raise SystemExit(f"A sync failed: {wrong[0]}")
    return measured


def measure_whole(environ: dict[str, str], port: int, accounts: int, bounds: Bounds) -> None:
    from accounts.sync.billing import STEP_PAIRS

    print(f"One login of {accounts:,} accounts, {LATENCY * 1000:.0f} ms a call")
    with running_amazon(port, 1, accounts) as amazon:
        connections = connect(amazon, 1)
        amazon.set_latency(LATENCY)
        pages, floor = amazon.measure_listing("login-1")
        print(
            f"   {pages} pages take a client that does nothing else {floor:.2f} s ({floor / pages * 1000:.1f} ms each)"
        )
        # A new login is asked about the billing of each profile, in three regions at once, two requests at a time. The
        # first statuses and the last notices are asked for alone.
        billing = 2 * (ceil(ceil(accounts / 3) / STEP_PAIRS) + 1) * floor / pages
        floors = {"new": floor + billing, "unchanged": floor, "1% changed": floor}
        for name, floor in floors.items():
            if name == "1% changed":
                amazon.rename_some(100)
            measured = sync(amazon, connections, environ)
            [run] = measured["runs"]
            print(
                f"   {name:11} {measured['seconds']:6.2f} s, floor {floor:.2f} s; CPU {measured['cpu_seconds']:.2f} s,"
                f" memory +{measured['grown_megabytes']:.1f} MB; {run['created']:,} created, {run['changed']:,} changed",
                flush=True,
            )
            bounds.check(f"{name}: times the floor of its calls", measured["seconds"] / floor, max_value=1.2)
            bounds.check(f"{name}: megabytes of growth", measured["grown_megabytes"], max_value=30)


def measure_many(environ: dict[str, str], port: int, logins: int, accounts: int) -> None:
    print(f"{logins} logins of {accounts} accounts, {LATENCY * 1000:.0f} ms a call, 10 at once")
    # The list and the profiles of a login are read at the same time. The profiles of a region take two calls
    # in order.
    floor = 2 * LATENCY * -(-logins // 10)
    with running_amazon(port, logins, accounts) as amazon:
        connections = connect(amazon, logins)
        amazon.set_latency(LATENCY)
        for name in ("new", "unchanged"):
            measured = sync(amazon, connections, environ, concurrency=10)
            print(
                f"   {name:11} {measured['seconds']:6.2f} s, floor {floor:.2f} s; CPU {measured['cpu_seconds']:.2f} s;"
                f" {sum(run['requests'] for run in measured['runs']):,} requests",
                flush=True,
            )


def measure_hundred(environ: dict[str, str], port: int, bounds: Bounds) -> None:
    latency = 0.2
    print(f"One login of 100 accounts, {latency * 1000:.0f} ms a call")
    with running_amazon(port, 1, 100) as amazon:
        connections = connect(amazon, 1)
        amazon.set_latency(latency)
        measured = sync(amazon, connections, environ)
        # Six calls for profiles, two at a time.
        floor = 3 * latency
        print(f"   new         {measured['seconds']:6.2f} s, floor {floor:.2f} s", flush=True)
        bounds.check("seconds over the floor", measured["seconds"] - floor, max_value=1)


def measure_storing(number: int, repeat: int, bounds: Bounds) -> None:
    from django.conf import settings
    from django.contrib.auth.models import User

    from amazon_accounts.postgresql.threads import tune_interpreter
    from tests.bench import sync_storing as storing
    from tests.bench.sync_raw_sql import store_by_raw_sql

    settings.AMAZON_CLIENT_ID = "bench"
    owner, _ = User.objects.get_or_create(username="bench-storing")
    connection = storing.new_connection(owner)
    rows = {
        "new": storing.make_rows(number),
        "unchanged": storing.make_rows(number),
        "1% changed": storing.make_rows(number, changed_every=100),
    }
    ways: dict[str, Callable[[Any], storing.Measured]] = {
        "sync": lambda given: storing.measure_store(connection, given),
        "raw SQL": lambda given: storing.measure(lambda: store_by_raw_sql(connection, given)),
    }
    # As in a worker.
    tune_interpreter()
    measured: dict[tuple[str, str], list[storing.Measured]] = {}
    for _ in range(repeat):
        for way, measure in ways.items():
            storing.empty_tables()
            for case, given in rows.items():
                measured.setdefault((way, case), []).append(measure(given))
    print_storing(number, repeat, measured)
    orm_rows_per_second = measure_orm(storing, connection, rows, number)
    check_storing(number, measured, orm_rows_per_second, bounds)


def measure_billing_step(number: int, repeat: int, bounds: Bounds) -> None:
    from django.conf import settings
    from django.contrib.auth.models import User

    from amazon_accounts.postgresql.threads import tune_interpreter
    from tests.bench import sync_billing
    from tests.bench import sync_storing as storing

    settings.AMAZON_CLIENT_ID = "bench"
    owner, _ = User.objects.get_or_create(username="bench-billing")
    connection = storing.new_connection(owner)
    tune_interpreter()
    print(f"The billing step of {number:,} accounts, {LATENCY * 1000:.0f} ms a call; {repeat} rounds")
    measured = [sync_billing.measure_billing(connection, number, LATENCY) for _ in range(repeat)]
    for each in measured:
        print(
            f"   {each.seconds:6.2f} s, {each.calls} calls; besides the calls {each.seconds_besides_calls * 1000:.0f} ms;"
            f" before the first {each.seconds_before * 1000:.0f} ms, after the last {each.seconds_after * 1000:.0f} ms;"
            f" CPU {each.cpu_seconds:.2f} s",
            flush=True,
        )
    besides = median(each.seconds_besides_calls for each in measured)
    bounds.check("seconds besides the calls", besides, max_value=0.2)


def print_storing(number: int, repeat: int, measured: dict[tuple[str, str], list[Any]]) -> None:
    print(f"Storing {number:,} accounts with a profile each; the median of {repeat}")
    for (way, case), found in measured.items():
        seconds, cpu = median(each.seconds for each in found), median(each.cpu_seconds for each in found)
        print(
            f"   {way:12} {case:11} {seconds * 1000:7.0f} ms, CPU {cpu * 1000:6.0f} ms,"
            f" {number / seconds:8,.0f} rows/s, WAL {median(each.wal_bytes for each in found) / number:7.1f} B/row,"
            f" {found[-1].rows_written:,} rows written",
            flush=True,
        )


def check_storing(
    number: int, measured: dict[tuple[str, str], list[Any]], orm_rows_per_second: float, bounds: Bounds
) -> None:
    # The speed of the machine varies, so each measurement is compared with the raw SQL of the same round.
    cpu_ratio = {
        case: median(
            sync.cpu_seconds / raw.cpu_seconds
            for sync, raw in zip(measured["sync", case], measured["raw SQL", case], strict=True)
        )
        for case in ("new", "unchanged")
    }
    bounds.check("new: speed relative to raw SQL (CPU)", 1 / cpu_ratio["new"], min_value=0.7)
    seconds = median(each.seconds for each in measured["sync", "new"])
    bounds.check(
        "new: speed relative to update_or_create", number / seconds / orm_rows_per_second, min_value=20
    )
    unchanged = measured["sync", "unchanged"]
    bounds.check("unchanged: rows written", max(each.rows_written for each in unchanged), max_value=0)
    bounds.check(
        "unchanged: bytes of WAL a row", median(each.wal_bytes for each in unchanged) / number, max_value=10
    )
    bounds.check("unchanged: time relative to raw SQL (CPU)", cpu_ratio["unchanged"], max_value=1.3)


def measure_orm(storing: Any, connection: Any, rows: dict[str, Any], number: int) -> float:
    """Measure and print both ways of the ORM; return the rows per second of update_or_create."""
    from tests.bench import sync_orm as orm

    storing.empty_tables()
    for case, given in rows.items():
        measured = storing.measure(lambda given=given: orm.store_by_bulk_create(connection, given))
        print(
            f"   {'bulk_create':12} {case:11} {measured.seconds * 1000:7.0f} ms, CPU {measured.cpu_seconds * 1000:6.0f} ms,"
            f" {number / measured.seconds:8,.0f} rows/s, WAL {measured.wal_bytes / number:7.1f} B/row",
            flush=True,
        )
    storing.empty_tables()
    rate = 0.0
    for case in ("new", "unchanged"):
        measured = storing.measure(lambda case=case: orm.store_by_update_or_create(connection, rows[case]))
        rate = rate or orm.SAMPLE / measured.seconds
        print(
            f"   {'update_or_cr.':12} {case:11} {measured.seconds * 1000:7.0f} ms for {orm.SAMPLE} accounts,"
            f" {orm.SAMPLE / measured.seconds:8,.0f} rows/s",
            flush=True,
        )
    return rate


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=9)
    options = parser.parse_args()
    only = options.only or PARTS

    import django

    django.setup()
    from django.conf import settings
    from django.db import connection

    from amazon_accounts.starter.database import use_local_database
    from tests.processes import environment

    use_local_database()
    settings.DATABASES["default"]["TEST"]["NAME"] = "bench_sync"
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    bounds = Bounds()
    try:
        environ, port = environment(), settings.SANDBOX_PORT
        if "whole" in only:
            measure_whole(environ, port, options.accounts, bounds)
        if "many" in only:
            measure_many(environ, port, 100, 100)
        if "hundred" in only:
            measure_hundred(environ, port, bounds)
        if "storing" in only:
            measure_storing(options.accounts, options.repeat, bounds)
        if "billing" in only:
            measure_billing_step(options.accounts, options.repeat, bounds)
    finally:
        connection.close()
        connection.creation.destroy_test_db(name, verbosity=0)
    return 0 if bounds.kept else 1


if __name__ == "__main__":
    sys.exit(main())
