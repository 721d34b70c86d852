"""Ports for what a test starts in a process of its own."""

import random
import socket

# Below those that systems hand out to outgoing connections (Linux from 32768, others from 49152): one of these, once
# seen free, is not taken by another test's HTTP request before its server listens.
_CHOICE = range(15_000, 32_000)


def free_port() -> int:
    """A port of this machine's loopback on which nobody listens."""
    while True:
        port = random.choice(_CHOICE)
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
                candidate.listen()
            except OSError:
                continue
            return port
