"""Whether web answers while clients are slow and guess passwords: `python -m tests.bench.slow_sockets`.

500 sockets send or read slowly, and 64 clients guess passwords. Meanwhile `/healthz` is asked on new connections, and
a signed-in person opens the page of accounts. Exits with 1 if a bound is not kept.

    --seconds 120    how long        --sockets 500    --guessers 64
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.lists_settings"
os.environ.setdefault("BENCH_DATABASE", "postgres")

from tests.bench.api import drop, percentile, prepare, server, write

ACCOUNTS = 1_000
# Bounds.
HEALTHZ_P99_SECONDS = 0.2
PAGE_P95_SECONDS = 1.0


class Asker(threading.Thread):
    """Asks one address again and again on new connections, and measures each answer."""

    def __init__(self, url: str, headers: dict[str, str], pause: float) -> None:
        super().__init__(daemon=True)
        self.seconds: list[float] = []
        self.failures = 0
        self._url, self._headers, self._pause = url, headers, pause
        self._has_ended = threading.Event()

    def run(self) -> None:
        # One client, because a client reads all certificates when it is made, and that is not the answer's time.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(headers=self._headers, timeout=30, limits=limits) as client:
            while not self._has_ended.wait(self._pause):
                began = time.perf_counter()
                try:
                    client.get(self._url).raise_for_status()
                except httpx.HTTPError:
                    self.failures += 1
                self.seconds.append(time.perf_counter() - began)

    def end(self) -> None:
        self._has_ended.set()
        self.join()

    def describe(self, name: str) -> str:
        figures = [
            f"p{percent} {percentile(self.seconds, percent) * 1000:.0f} ms" for percent in (50, 95, 99)
        ]
        worst = f"worst {max(self.seconds) * 1000:.0f} ms"
        return (
            f"{name:22} {len(self.seconds):6} answers, {self.failures} failed: {', '.join([*figures, worst])}"
        )


@contextlib.contextmanager
def attacked(port: int, login: str, session: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Attack; afterwards the answers to the guessers are in the dict."""
    statuses: dict[str, Any] = {}
    module = [sys.executable, "-m", "tests.bench.slow_attack"]
    attack = subprocess.Popen(
        [*module, str(port), login, session, str(options.sockets), str(options.guessers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield statuses
    finally:
        output, _ = attack.communicate(timeout=60)
        statuses.update(json.loads(output))


def measure(url: str, cookie: str, seconds: float) -> tuple[Asker, Asker]:
    healthz = Asker(f"{url}/healthz", {}, 0.05)
    page = Asker(f"{url}/accounts/", {"Cookie": cookie}, 0.25)
    for asker in (healthz, page):
        asker.start()
    time.sleep(seconds)
    for asker in (healthz, page):
        asker.end()
    write(healthz.describe("/healthz"))
    write(page.describe("/accounts/, signed in"))
    return healthz, page


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--guessers", type=int, default=64)
    options = parser.parse_args(arguments)

    from amazon_accounts.starter.database import require_database

    require_database()
    import django
    from django.conf import settings

    django.setup()
    from tests.bench.many_accounts import fill

    database = prepare(ACCOUNTS, keep=False, fill=fill)
    login, cookie = sign_in()
    port = settings.PORT + 7
    with server(database, port) as url:
        write("Without an attack:")
        measure(url, cookie, options.seconds / 10)
        with attacked(port, login, cookie, options) as statuses:
            # Until every socket is open.
            time.sleep(3)
            write(f"{options.sockets} slow sockets and {options.guessers} guessers, {options.seconds:g} s:")
            healthz, page = measure(url, cookie, options.seconds)
        write(f"answers to guesses by status: {statuses}")
    drop([ACCOUNTS])
    return judge(healthz, page)


def sign_in() -> tuple[str, str]:
    """The address of the login, and the cookie of a signed-in person."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.db import connection
    from django.shortcuts import resolve_url
    from django.test import Client

    from tests.bench.many_accounts import BOSS

    browser = Client()
    browser.force_login(User.objects.get(username=BOSS))
    name = settings.SESSION_COOKIE_NAME
    connection.close()
    return resolve_url(settings.LOGIN_URL), f"{name}={browser.cookies[name].value}"


def judge(healthz: Asker, page: Asker) -> int:
    missed = []
    if (p99 := percentile(healthz.seconds, 99)) >= HEALTHZ_P99_SECONDS:
        missed.append(f"/healthz: p99 {p99:.3f} s")
    if (p95 := percentile(page.seconds, 95)) >= PAGE_P95_SECONDS:
        missed.append(f"/accounts/: p95 {p95:.3f} s")
    missed += [f"{asker.failures} answers failed" for asker in (healthz, page) if asker.failures]
    for sentence in missed:
        write(f"MISSED {sentence}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
