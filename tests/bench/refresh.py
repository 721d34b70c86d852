"""How fast tokens are refreshed: `make bench`, or `python -m tests.bench.refresh`.

    throughput  10,000 connections, 2,000 of them due, Login with Amazon answers in 100 ms: tokens a second, over
                what the concurrency would allow if nothing but Amazon took time
    check       the time of a check with 500 due among 10,000 and among 1,000,000 connections
    rotation    100,000 tokens put under a new key while refreshes go on

Exits with 1 if a bound is not kept.
"""

import argparse
import asyncio
import logging
import os
import statistics
import sys
import threading
import time
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

LATENCY_SECONDS = 0.1
DUE = 500
RUNS = 3
CHUNK = 10_000

# Real ones have some 600 characters in each token's ciphertext.
FILL = """
INSERT INTO tokens_connection (
    id, team_id, owner_id, label, client_id, regions, state, amazon_user_name, amazon_user_email, access_token, refresh_token,
    expires_at, next_refresh_at, grant_version, grant_refusals, refresh_count, last_error, sync_failures, sync_error,
    created_at
)
SELECT id, %(team)s, %(owner)s, 'Shop ' || %(stored)s + number, %(client_id)s, '{NA,EU,FE}', 'active', '', '',
    access_token, refresh_token, now() + interval '50 minutes',
    now() + interval '1 hour' * (0.2 + random() * 0.6), 1, 0, 0, '', 0, '', now() - interval '1 day'
FROM unnest(%(ids)s::uuid[], %(access_token)s::text[], %(refresh_token)s::text[])
    WITH ORDINALITY AS sealed (id, access_token, refresh_token, number)
"""
REST = """
UPDATE tokens_connection SET next_refresh_at = now() + interval '30 minutes', lease_id = NULL
WHERE lease_id IS NOT NULL OR next_refresh_at <= now()
"""
MAKE_DUE = """
UPDATE tokens_connection SET next_refresh_at = now() - interval '1 minute', last_error = ''
WHERE id IN (SELECT id FROM tokens_connection LIMIT %s)
"""


def fill(number: int, refresh_token: str) -> None:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.db import connection
    from uuid_utils.compat import uuid7

    from tests.teams import team_of
    from tokens.encryption import context_of, seal
    from tokens.models import Connection

    owner, _ = User.objects.get_or_create(username="bench")
    with connection.cursor() as cursor:
        for stored in range(0, number, CHUNK):
            # Each token is sealed for its row, as the product stores it.
            ids = [uuid7() for _ in range(min(CHUNK, number - stored))]
            plain = {"access_token": "Atza|" + "x" * 380, "refresh_token": refresh_token}
            sealed = {
                column: [seal(text, context_of(Connection, column, pk)) for pk in ids]
                for column, text in plain.items()
            }
            whose: dict[str, Any] = {
                "team": team_of(owner).pk,
                "owner": owner.pk,
                "client_id": settings.AMAZON_CLIENT_ID,
            }
            cursor.execute(FILL, {**whose, **sealed, "ids": ids, "stored": stored})
        cursor.execute("VACUUM ANALYZE tokens_connection")


def make_due(number: int) -> None:
    """Make this number of tokens due, and forget every earlier refresh."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tokens_tokenrefresh")
        cursor.execute(REST)
        cursor.execute(MAKE_DUE, [number])


def check() -> tuple[float, dict[str, int]]:
    """One check of the product, in this process: its seconds, and how its refreshes ended."""
    from amazon_accounts.amazon_ads.client import AmazonClient
    from tokens.refresh.due import refresh_due

    async def run() -> dict[str, int]:
        async with AmazonClient() as amazon:
            return dict(await refresh_due(amazon))

    began = time.perf_counter()
    counts = asyncio.run(run())
    return time.perf_counter() - began, counts


def measure_throughput(amazon: Any, due: int) -> bool:
    from amazon_accounts.amazon_ads.pacing.rate_limiter import MAX_LWA_CONNECTIONS

    amazon.do("POST", "/latency", {"seconds": LATENCY_SECONDS})
    make_due(due)
    seconds, counts = check()
    ideal = MAX_LWA_CONNECTIONS / LATENCY_SECONDS
    print(
        f"| throughput | {due} due of 10,000, {MAX_LWA_CONNECTIONS} at a time, {LATENCY_SECONDS * 1000:.0f} ms "
        f"| {due / seconds:.0f} tokens/s | {due / seconds / ideal:.2f} of {ideal:.0f}/s |",
        flush=True,
    )
    amazon.do("POST", "/latency", {"seconds": 0.0})
    return bound("refreshed", counts.get("succeeded", 0), at_least=due) & bound(
        "throughput over concurrency / latency", due / seconds / ideal, at_least=0.7
    )


def measure_check(label: str) -> tuple[float, float]:
    """The median time of a check with 500 due, and that of the statement that claims them."""
    from django.utils import timezone

    from tokens.refresh import lease

    checks, claims = [], []
    for _ in range(RUNS):
        make_due(DUE)
        seconds, counts = check()
        assert counts == {"succeeded": DUE}, counts
        checks.append(seconds)
    for _ in range(RUNS):
        make_due(DUE)
        began = time.perf_counter()
        assert len(lease.take_due_leases(limit=DUE, before=timezone.now(), healthy=True)) == DUE
        claims.append(time.perf_counter() - began)
    check_seconds, claim_seconds = statistics.median(checks), statistics.median(claims)
    print(
        f"| check | {DUE} due of {label} | {check_seconds:.2f} s | claim of all {claim_seconds * 1000:.0f} ms |",
        flush=True,
    )
    return check_seconds, claim_seconds


def measure_rotation(amazon: Any, due: int) -> bool:
    """Rotate everything while a check runs; what was refreshed meanwhile must stay."""
    from cryptography.fernet import Fernet
    from django.conf import settings
    from django.db import connections

    from tokens.encryption import DecryptionError
    from tokens.key_rotation import rotate
    from tokens.models import Connection

    amazon.do("POST", "/latency", {"seconds": 0.02})
    make_due(due)
    refreshed: dict[str, int] = {}
    counts = dict(Connection.objects.values_list("pk", "refresh_count"))
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.TOKEN_ENCRYPTION_KEYS]

    def refresh() -> None:
        refreshed.update(check()[1])
        connections.close_all()

    load = threading.Thread(target=refresh)
    load.start()
    began = time.perf_counter()
    rotated = rotate()
    seconds = time.perf_counter() - began
    load.join()
    settings.TOKEN_ENCRYPTION_KEYS = settings.TOKEN_ENCRYPTION_KEYS[:1]
    lost = 0
    for connection in Connection.objects.iterator():
        for secret in (connection.access_token, connection.refresh_token):
            try:
                assert secret is not None
                plain = secret.reveal()
            except DecryptionError:
                lost += 1
                continue
            is_new = connection.refresh_count > counts[connection.pk]
            if secret is connection.access_token and is_new and plain.endswith("x" * 380):
                lost += 1
    print(
        f"| rotation | {sum(rotated.values()):,} tokens, {refreshed.get('succeeded', 0)} refreshes meanwhile "
        f"| {seconds:.1f} s | {lost} lost |",
        flush=True,
    )
    return bound("refreshed under rotation", refreshed.get("succeeded", 0), at_least=due) & bound(
        "lost by rotation", lost, at_most=0
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    options = parser.parse_args()
    part = 10 if options.quick else 1

    import django
    from django.conf import settings

    # What is measured is us, not the pace that Amazon is granted.
    settings.LWA_REQUESTS_PER_SECOND = settings.AMAZON_MAX_REQUESTS_PER_SECOND = 10_000.0
    django.setup()
    logging.disable(logging.INFO)
    from django.db import connection

    from amazon_accounts.postgresql.threads import tune_interpreter
    from amazon_accounts.starter.database import use_local_database

    tune_interpreter()  # as a worker does
    use_local_database()
    settings.DATABASES["default"]["TEST"]["NAME"] = "bench_refresh"
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    kept = True
    try:
        with running_sandbox(settings.SANDBOX_PORT) as amazon:
            settings.AMAZON_LWA_URL = f"{amazon.url}/{{region}}"
            amazon.do("POST", "/reset", {"world": "small"})
            token = amazon.do("POST", "/grants", {"login": "bob"})["refresh_token"]
            print("| what | how | result | |\n| --- | --- | --- | --- |")
            fill(10_000, token)
            kept &= measure_throughput(amazon, 2_000 // part)
            few_check, few_claim = measure_check("10,000")
            fill(50_000 // part - 10_000 if part == 1 else 0, token)
            kept &= measure_rotation(amazon, 1_000 // part)
            fill(1_000_000 // part - 50_000, token)
            many_check, many_claim = measure_check(f"{1_000_000 // part:,}")
            kept &= bound("check, many over few", many_check / few_check, at_most=1.5)
            print(
                f"| check | many over few | {many_check / few_check:.2f} | claim {many_claim / few_claim:.2f} |"
            )
    finally:
        connection.close()
        connection.creation.destroy_test_db(name, verbosity=0)
    return 0 if kept else 1


from tests.bench.pacing import bound, running_sandbox  # noqa: E402  after the settings module is named

if __name__ == "__main__":
    sys.exit(main())
