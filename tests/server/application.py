"""The product behind short limits, with a few addresses that behave badly on purpose."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from amazon_accounts.server.bridge import Bridge
from amazon_accounts.server.lanes import HASHING
from amazon_accounts.server.limits import LaneSize, Limits
from amazon_accounts.wsgi import application as product

BULK_BODY_BYTES = 20_000
LIMITS = Limits(
    body_seconds=2,
    send_seconds=1,
    max_body_bytes=200_000,
    max_ids_body_bytes=250_000,
    max_bodies_bytes=300_000,
    small_body_bytes=130_000,
    bulk_body_bytes=BULK_BODY_BYTES,
    pages=LaneSize(threads=2, max_waiting=2),
    sign_in=LaneSize(threads=1, max_waiting=1),
    hashing=LaneSize(threads=1, max_waiting=1),
)
LARGE_BYTES = 5_000_000
CHUNK = b"x" * 65_536

Environ = dict[str, Any]


class Whole(list[bytes]):
    streaming = False


def answer(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    find = {"echo": echo, "hold": hold, "large": large, "endless": endless, "broken": broken, "rows": rows}
    find |= {"hash": hash_password, "hash-for-known": hash_password_of_known}
    if not path.startswith(("/test/", "/auth/test/", "/auth/oidc/test/")):
        return product(environ, start_response)
    body = find[path.rsplit("/", 1)[1]](environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return body


def echo(environ: Environ) -> Whole:
    strings = {name: value for name, value in environ.items() if isinstance(value, str)}
    return Whole([json.dumps(strings | {"body": environ["wsgi.input"].read().decode()}).encode()])


def hold(environ: Environ) -> Whole:
    """Occupy a thread until the test makes the file RELEASE."""
    log(f"holds {environ['QUERY_STRING']}")
    release = Path(os.environ["RELEASE"])
    while not release.exists():
        time.sleep(0.01)
    log("released")
    return Whole([b"released"])


def hash_password_of_known(environ: Environ) -> Whole:
    environ[HASHING].is_known = True
    return hash_password(environ)


def hash_password(environ: Environ) -> Whole:
    """Ask for the lane of hashing, and occupy its thread there."""
    hashing, body = environ[HASHING], environ["wsgi.input"].read()
    if not hashing.is_allowed:
        hashing.is_wanted = True
        return Whole([b"nobody sees this"])
    hold(environ)
    return Whole([body])


def large(_environ: Environ) -> Whole:
    return Whole([b"x" * LARGE_BYTES])


def endless(environ: Environ) -> Iterator[bytes]:
    try:
        while True:
            yield CHUNK
    finally:
        log(f"ended {environ['QUERY_STRING']}")


def broken(_environ: Environ) -> Iterator[bytes]:
    yield b"half"
    raise RuntimeError("This answer breaks.")


def rows(_environ: Environ) -> Iterator[bytes]:
    """Say of each query whether the thread had a database connection before."""
    from django.db import connection

    for _ in range(3):
        state = b"open " if connection.connection else b"closed "
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        yield state


def log(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


application = Bridge(answer, LIMITS)
