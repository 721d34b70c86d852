"""The command that starts granian, with one set of options for every way to start web."""

import sys

APPLICATION = "amazon_accounts.asgi:application"
WORKERS = 2
# The time for the headers of a request, and for the first of them on a connection that is kept open.
HEADER_SECONDS = 10.0
# Sockets that a worker holds. granian's default, 512, would let 512 silent sockets stop it.
MAX_CONNECTIONS = 4096
# More than this holds no complete header.
MAX_HEADER_BUFFER_BYTES = 65_536


def make_command(
    host: str,
    port: int,
    *,
    application: str = APPLICATION,
    workers: int = WORKERS,
    header_seconds: float = HEADER_SECONDS,
) -> list[str]:
    options: dict[str, str | float] = {
        "interface": "asgi",
        "host": host,
        "port": port,
        "workers": workers,
        # With "auto" granian waits for the first bytes of a connection without a timeout, and speaks HTTP/2, which has
        # limits of its own.
        "http": 1,
        "http1-header-read-timeout": int(header_seconds * 1000),
        "http1-buffer-size": MAX_HEADER_BUFFER_BYTES,
        "backlog": MAX_CONNECTIONS * 2,
        "backpressure": MAX_CONNECTIONS,
        "workers-kill-timeout": 3,
        "respawn-interval": 0.5,
    }
    command = [sys.executable, "-m", "granian", "--no-ws", "--respawn-failed-workers"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    return [*command, application]
