"""Free ports for processes that a test starts."""

import random
import socket

# Below the ports of outgoing connections (from 32768 on Linux, from 49152 elsewhere), so that no HTTP request of another
# test takes a port between the check and the start of the server.
_PORTS = range(15_000, 32_000)


def free_port() -> int:
    """A port of the loopback on which no server listens."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
                candidate.listen()
            except OSError:
                continue
            return port
