"""What the kernel does with slow clients: options of the sockets that granian opens."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from amazon_accounts.server.limits import Limits
from amazon_accounts.server.messages import Scope


def limit_sockets(scope: Scope, limits: Limits) -> None:
    """Let the kernel end connections whose client takes nothing, and keep at most `max_send_buffer_bytes` for each.

    The event loop cannot: granian holds the rest of an answer, and writes it when the client reads. Sockets that are
    accepted later inherit the options from the listening socket.
    """
    # Elsewhere there is no /proc, and no such option.
    if sys.platform != "linux" or not scope.get("server"):
        return
    for connection in _find_sockets(int(scope["server"][1])):
        milliseconds = int(limits.send_seconds * 1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.max_send_buffer_bytes)


def _find_sockets(port: int) -> Iterator[socket.socket]:
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        # Files close while the folder is read.
        with suppress(OSError):
            if not str(descriptor.readlink()).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(descriptor.name))) as found:
                if found.family in {socket.AF_INET, socket.AF_INET6} and found.getsockname()[1] == port:
                    yield found
