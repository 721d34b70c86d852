"""How fast the list of connections is, however many there are: `make bench`, or `python -m tests.bench.connections`.

For 1,000 and 100,000 connections: pages of the API in every ordering, also deep in the list, filters, and the page of
the dashboard, each asked by one client and by eight, with granian as in production. Exits with 1 if a bound is not kept.

    --sizes 1000,100000    other numbers of connections    --keep    leave the databases, and take those that are there
"""

import argparse
import json
import os
import sys
from typing import Any
from urllib.parse import urlencode

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.lists_settings"
os.environ.setdefault("BENCH_DATABASE", "postgres")

from tests.bench.api import (
    CLIENTS,
    FILTERED,
    GROWTH,
    PAGE,
    SEARCHED,
    Case,
    Measured,
    ask,
    drop,
    prepare,
    queries,
    server,
    table,
    write,
)

SIZES = (1_000, 100_000)
NAME = "bench_connections"
DEEP = 9  # pages, as many as a thousand connections have before the last
# A filter that chooses 2% has as many rows on this page of a thousand connections as of many.
FILTERED_PAGE = 20


def address(**parameters: str) -> str:
    return f"/api/v1/connections/?{urlencode({'page_size': str(PAGE), **parameters})}"


def filtered(**parameters: str) -> str:
    return address(page_size=str(FILTERED_PAGE), **parameters)


def cases(deep: dict[str, str]) -> list[Case]:
    rare, common = json.dumps({"campaign": "spring"}), json.dumps({"client": "acme"})
    return [
        *(Case(f"first page, {each}", address(ordering=each), "plain") for each in deep),
        *(Case(f"page {DEEP}, {each}", address(ordering=each, cursor=at), "plain") for each, at in deep.items()),
        Case("one state (2%)", filtered(state="disconnected"), "plain"),
        Case("paused (2%)", filtered(paused="true"), "plain"),
        Case("one region (17%)", filtered(region="FE"), "plain"),
        Case("consent ends in 30 days (none)", filtered(consent="ends_in_30", ordering="consent_ends_at"), "plain"),
        Case("labels (2%)", filtered(labels=rare), "filtered"),
        Case("labels (50%)", filtered(labels=common), "filtered"),
        Case("search, rare (2%)", filtered(search="zephyr"), "searched"),
        Case("search, common (50%)", filtered(search="garden"), "searched"),
        Case("search, nowhere", filtered(search="qqqqqq"), "searched"),
        Case("dashboard, connections", "/connections/", "page"),
    ]  # fmt: skip


TOKEN = "Atza|" + "x" * 350
# `n` counts the connections; `m` has nothing to do with it.
SOURCE = "(SELECT n, n::bigint * 7919 %% {number} m FROM generate_series(0, {number} - 1) n) source"
HAS_ENDED = "CASE WHEN n % 50 = 21 THEN {ended} ELSE {other} END"
COLUMNS = {
    "id": "('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid",
    "label": "(ARRAY['Garden', 'Kitchen'])[1 + n / 4 % 2] || CASE WHEN n % 50 = 3 THEN ' Zephyr ' ELSE ' ' END || m",
    "amazon_user_id": "'amzn1.account.' || n",
    "amazon_user_email": "'ads' || n || '@client.example'",
    "regions": "CASE WHEN n % 6 = 0 THEN ARRAY['FE'] ELSE ARRAY['NA', 'EU'] END",
    "labels": 'CASE WHEN n % 2 = 1 THEN \'{"client": "acme"}\' WHEN n % 50 = 8 THEN \'{"campaign": "spring"}\''
    " ELSE '{}' END::jsonb",
    "paused": "n % 50 = 11",
    "state": HAS_ENDED.format(ended="'disconnected'", other="'active'"),
    # Those of the first row: the product looks for their key when it starts, and no benchmark decrypts them.
    "access_token": HAS_ENDED.format(ended="NULL", other="(SELECT access_token FROM tokens_connection)"),
    "refresh_token": HAS_ENDED.format(ended="NULL", other="(SELECT refresh_token FROM tokens_connection)"),
    "expires_at": HAS_ENDED.format(ended="NULL", other="now() + make_interval(secs => m)"),
    "disconnected_at": HAS_ENDED.format(ended="now() + interval '1 day'", other="NULL"),
    "last_synced_at": "CASE WHEN n % 100 <> 13 THEN now() - make_interval(secs => m) END",
    "consented_at": "CASE WHEN n % 10 <> 4 THEN now() - make_interval(days => (m % 365)::int) END",
}


def fill(number: int) -> None:
    """Put `number` connections of one team into the empty database."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.db import connection
    from django.db.models.functions import Now

    from tests.bench.many_accounts import BOSS, OWNER, copy_rows
    from tokens.models import Connection, Membership, Team
    from tokens.people.roles import Role

    owner = User.objects.create_user(OWNER, is_staff=True)
    User.objects.create_superuser(BOSS)
    team = Team.objects.create(name="Team")
    Membership.objects.create(team=team, user=owner, role=Role.OPERATOR)
    template = Connection(team=team, owner=owner, client_id=settings.AMAZON_CLIENT_ID)
    Connection.objects.create(
        team=team,
        owner=owner,
        label="First",
        client_id=settings.AMAZON_CLIENT_ID,
        access_token=TOKEN,
        refresh_token=TOKEN.replace("Atza", "Atzr"),
        expires_at=Now(),
    )
    copy_rows(template, COLUMNS, SOURCE.format(number=number))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def deep_cursors(owner: Any) -> dict[str, str]:
    """Return the cursor of a later page in each ordering."""
    from accounts.lists.connection_filters import filter_connections
    from accounts.lists.connection_pages import paginate_connections
    from accounts.lists.connection_parameters import ORDERINGS

    found = {}
    for ordering in ORDERINGS:
        cursor: str | None = None
        for _ in range(DEEP - 1):
            page = paginate_connections(filter_connections(owner, {}), ordering, PAGE).page(cursor)
            cursor = page.next_cursor or cursor
        found[ordering] = cursor or ""
    return found


def measure(size: int, port: int, *, keep: bool) -> Measured:
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    from tests.api_keys import new_key
    from tests.bench.many_accounts import BOSS, OWNER

    database = prepare(size, keep=keep, fill=fill, name=NAME)
    owner, boss = User.objects.get(username=OWNER), User.objects.get(username=BOSS)
    token = {"Authorization": f"Token {new_key(owner)}"}
    browser = Client()
    browser.force_login(boss)
    cookie = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}
    found = cases(deep_cursors(owner))
    for case in found:
        case.queries = queries(case, owner, boss)
    connection.close()
    with server(database, port) as url:
        for case in found:
            ask(url, case, token if case.address.startswith("/api/") else cookie)
            write(case.line())
    return Measured(size, found, {})


def judge(found: list[Measured]) -> list[str]:
    """Return what is below what must be reached."""
    least, most = found[0], found[-1]
    missed = []
    for case in most.cases:
        p95 = most.p95(case.name)
        if case.kind == "plain" and p95 > GROWTH * least.p95(case.name):
            missed.append(f"{case.name}: p95 grew {p95 / least.p95(case.name):.2f} times")
        bound = {"filtered": FILTERED, "searched": SEARCHED}.get(case.kind)
        if bound and p95 > bound:
            missed.append(f"{case.name}: p95 {p95:.3f} s")
    return missed


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
        write(f"\n{size:,} connections{'':23}queries  1 client: p50, p95   {CLIENTS} clients: p50, p95 (ms)")
        found.append(measure(size, settings.PORT + 7, keep=options.keep))
    write("\n" + table(found))
    missed = judge(found)
    for sentence in missed:
        write(f"MISSED {sentence}")
    if not options.keep:
        drop([measured.size for measured in found], name=NAME)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
