"""What teams cost: `make bench`, or `python -m tests.bench.teams`.

    lists   1,000,000 accounts of 200 teams: the same requests by people in 1, in 20 and in all of the teams, by turns.
            All get as many rows as the person in 1 team finds, because each row of an answer takes time
    move    1,000 connections with 100,000 accounts move to another team one after another, while another process reads
            the list of accounts

Exits with 1 if a bound is not kept.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.synchronize import Event
from typing import Any
from urllib.parse import parse_qsl, urlencode

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

DATABASE = "bench_teams"
ACCOUNTS, TEAMS = 1_000_000, 200
MEMBERSHIPS = (1, 20, 200)
ROUNDS = 60
MAX_GROWTH = 1.5
CONNECTIONS, MOVED_ACCOUNTS = 1_000, 100_000
MAX_MOVE_SECONDS = 60.0


def make_people() -> dict[int, Any]:
    """Return an operator in so many teams, by the number of teams."""
    from django.contrib.auth.models import User
    from django.test import Client

    from tokens.models import Membership, Team

    clients = {}
    for number in MEMBERSHIPS:
        person = User.objects.create_user(f"in {number} teams", is_staff=True)
        Membership.objects.bulk_create(
            Membership(team=team, user=person, role="operator")
            for team in Team.objects.order_by("pk")[:number]
        )
        clients[number] = Client(headers={"host": "localhost"})
        clients[number].force_login(person)
    return clients


def measure_lists() -> bool:
    from tests.bench.api import cases

    clients = make_people()
    chosen = [case for case in cases({}) if case.kind in {"plain", "filtered", "searched"}]
    addresses = {case.name: case.address for case in chosen}
    addresses |= {
        "connections": "/api/v1/connections/?page_size=100",
        "batches": "/operations/",
        "page of accounts": "/accounts/",
    }
    print("| request | rows | " + " | ".join(f"{number} teams" for number in MEMBERSHIPS) + " | over one |")
    print("| --- | --- |" + " --- |" * (len(MEMBERSHIPS) + 1))
    kept = True
    for name, whole in addresses.items():
        rows, address = limit_rows(clients[1], whole)
        times: dict[int, list[float]] = {number: [] for number in MEMBERSHIPS}
        for _ in range(ROUNDS + 3):
            for number, client in clients.items():
                times[number].append(take_time(partial(ask, client, address)))
        p50 = {number: percentile(each[3:], 50) for number, each in times.items()}
        p95 = {number: percentile(each[3:], 95) for number, each in times.items()}
        growth = max(p95.values()) / p95[1]
        kept &= growth <= MAX_GROWTH
        cells = [f"{p50[number] * 1000:.1f} / {p95[number] * 1000:.1f}" for number in MEMBERSHIPS]
        print(f"| {name} | {rows} | {' | '.join(cells)} | {growth:.2f} |", flush=True)
    return kept


def limit_rows(client: Any, address: str) -> tuple[int | str, str]:
    """Return how many rows the client gets from a list of the API, and the address of a page with that many rows."""
    if not address.startswith("/api/"):
        return "", address
    rows = len(client.get(address).json()["results"])
    path, _, query = address.partition("?")
    return rows, f"{path}?{urlencode({**dict(parse_qsl(query)), 'page_size': max(rows, 1)})}"


def ask(client: Any, address: str) -> None:
    assert client.get(address).status_code == 200, address


def take_time(deed: Callable[[], object]) -> float:
    began = time.perf_counter()
    deed()
    return time.perf_counter() - began


def read_lists(host: str, started: Event, over: Event, found: Any) -> None:
    """Read the list of the superuser until the move is over: the time of each answer."""
    import django
    from django.conf import settings

    django.setup()
    settings.DATABASES["default"] |= {"NAME": DATABASE, "HOST": host}
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(username="boss"))
    ask(client, "/api/v1/accounts/?page_size=100")
    started.set()
    times = []
    while not over.is_set():
        times.append(take_time(lambda: ask(client, "/api/v1/accounts/?page_size=100")))
        time.sleep(0.1)
    found.put(times)


def measure_move() -> bool:
    from django.db import connection as database

    from accounts.models import Account, AccountAccess
    from tokens.connect.move import move_connection
    from tokens.models import Connection, Team
    from tokens.permissions import SYSTEM

    new = Team.objects.create(name="New")
    spawn = multiprocessing.get_context("spawn")
    started, over, found = spawn.Event(), spawn.Event(), spawn.Queue()
    reader = spawn.Process(
        target=read_lists, args=(database.settings_dict["HOST"], started, over, found), daemon=True
    )
    reader.start()
    started.wait(60)
    connections = list(Connection.objects.exclude(team=new))
    began = time.perf_counter()
    times = [take_time(partial(move_connection, SYSTEM, connection, new)) for connection in connections]
    seconds = time.perf_counter() - began
    over.set()
    lists = found.get(timeout=60)
    assert Account.objects.filter(team=new).count() == AccountAccess.objects.count() == MOVED_ACCOUNTS
    print(
        f"| {len(connections):,} connections with {MOVED_ACCOUNTS:,} accounts | {seconds:.1f} s; one connection "
        f"{percentile(times, 50) * 1000:.0f} / {percentile(times, 95) * 1000:.0f} ms | list of accounts meanwhile "
        f"{percentile(lists, 50) * 1000:.0f} / {percentile(lists, 95) * 1000:.0f} / {max(lists) * 1000:.0f} ms |",
        flush=True,
    )
    return bound("seconds of the move", seconds, at_most=MAX_MOVE_SECONDS)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["lists", "move"])
    options = parser.parse_args()

    import django
    from django.conf import settings

    django.setup()
    from django.db import connection

    from amazon_accounts.starter.database import use_local_database
    from tests.bench.many_accounts import fill

    use_local_database()
    settings.DATABASES["default"]["TEST"]["NAME"] = DATABASE
    kept = True
    for name, measure, size in (
        ("move", measure_move, {"number": MOVED_ACCOUNTS, "connections": CONNECTIONS, "teams": 2}),
        ("lists", measure_lists, {"number": ACCOUNTS, "teams": TEAMS}),
    ):
        if options.only not in {None, name}:
            continue
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        try:
            fill(**size)
            kept &= measure()
        finally:
            connection.close()
            connection.creation.destroy_test_db(DATABASE, verbosity=0)
    return 0 if kept else 1


from tests.bench.api import percentile  # noqa: E402
from tests.bench.pacing import bound  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
