"""`python -m amazon_accounts.server`: the web process, as granian with the options that this project needs."""

import argparse
import os
import resource
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.server.command import APPLICATION, HEADER_SECONDS, MAX_CONNECTIONS, WORKERS, make_command


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m amazon_accounts.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes (default: %(default)s)")
    parser.add_argument("--header-seconds", type=float, default=HEADER_SECONDS, help="default: %(default)g")
    parser.add_argument("--application", default=APPLICATION, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    try:
        if chosen.application == APPLICATION:
            read_settings()
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(1)
    allow_open_files()
    command = make_command(
        chosen.host,
        chosen.port,
        application=chosen.application,
        workers=chosen.workers,
        header_seconds=chosen.header_seconds,
    )
    # The process id stays the same, so signals reach granian.
    os.execv(sys.executable, command)


def read_settings() -> None:
    # granian would start processes that fail one after the other, each with a traceback.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")
    # Any attribute loads them.
    settings.is_overridden("DEBUG")


def allow_open_files() -> None:
    # Many systems allow 1,024 files and more on request. Every connection is a file.
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS * 2 if most == resource.RLIM_INFINITY else min(MAX_CONNECTIONS * 2, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


if __name__ == "__main__":
    main()
