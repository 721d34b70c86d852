"""How fast a service gets the access tokens of 5,000 connections: `make bench`, or `python -m tests.bench.hand_out`.

    bulk     all 5,000 by POST connections/access-tokens/, 500 in each request, one request after another
    single   one by one, by eight clients at once, for the comparison

Exits with 1 if a bound is not kept.
"""

import concurrent.futures
import sys
import time
from datetime import timedelta
from typing import Any

import httpx

from tests.bench.api import connect, milliseconds, server, write

CONNECTIONS, IN_ONE_REQUEST = 5_000, 500
SINGLE = 300
ALL_WITHIN_SECONDS = 10.0
DATABASE = "bench_hand_out"
MANY = "/api/v1/connections/access-tokens/"


def fill() -> tuple[list[str], str]:
    """Make a database with the connections; return their ids and a key."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connection
    from django.db.models.functions import Now

    from tests.api_keys import new_key
    from tests.teams import team_of
    from tokens.models import Connection

    connect("postgres")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    connect(DATABASE)
    call_command("migrate", verbosity=0)
    boss = User.objects.create_superuser("boss")
    team = team_of(boss)
    made = Connection.objects.bulk_create(
        Connection(
            team=team,
            owner=boss,
            label=f"Shop {number}",
            client_id=settings.AMAZON_CLIENT_ID,
            access_token="Atza|" + "x" * 380,
            refresh_token="Atzr|" + "x" * 380,
            expires_at=Now() + timedelta(minutes=50),
        )
        for number in range(CONNECTIONS)
    )
    return [str(each.pk) for each in made], new_key(boss)


def time_bulk(client: httpx.Client, ids: list[str]) -> float:
    began = time.perf_counter()
    given, times = 0, []
    for first in range(0, CONNECTIONS, IN_ONE_REQUEST):
        started = time.perf_counter()
        answer = client.post(
            MANY, json={"connection_ids": ids[first : first + IN_ONE_REQUEST]}
        ).raise_for_status()
        times.append(time.perf_counter() - started)
        given += len(answer.json()["results"])
    seconds = time.perf_counter() - began
    write(f"bulk: {given:,} access tokens in {seconds:.2f} s; a request: {milliseconds(times, 50)} ms (p50)")
    write(f"bulk: {answer.headers['RateLimit']}")
    return seconds if given == CONNECTIONS else float("inf")


def time_single(client: httpx.Client, ids: list[str]) -> None:
    def ask(connection_id: str) -> float:
        while True:
            began = time.perf_counter()
            answer = client.post(f"/api/v1/connections/{connection_id}/access-token/")
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                answer.raise_for_status()
                return time.perf_counter() - began
            time.sleep(float(answer.headers["Retry-After"]))

    began = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        times = list(pool.map(ask, ids[:SINGLE]))
    seconds = time.perf_counter() - began
    write(
        f"single: {SINGLE / seconds:.0f} a second by 8 clients; a request: {milliseconds(times, 50)} ms (p50)"
    )


def main() -> int:
    from amazon_accounts.starter.database import require_database

    require_database()
    import django
    from django.conf import settings

    django.setup()
    ids, key = fill()
    headers: dict[str, Any] = {"Authorization": f"Bearer {key}"}
    with (
        server(DATABASE, settings.PORT + 7) as url,
        httpx.Client(base_url=url, headers=headers, timeout=60) as client,
    ):
        seconds = time_bulk(client, ids)
        time_single(client, ids)
    if seconds <= ALL_WITHIN_SECONDS:
        return 0
    write(f"MISSED: {CONNECTIONS:,} access tokens took {seconds:.1f} s")
    return 1


if __name__ == "__main__":
    sys.exit(main())
