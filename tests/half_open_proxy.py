"""A proxy before the test's database that can fall silent: it accepts everything and forwards nothing."""

import contextlib
import ctypes
import select
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection, connections

from amazon_accounts.postgresql.base import DatabaseWrapper
from tests.processes import environment

# Linux; Python does not name it.
SO_ATTACH_FILTER = 26


# After this time PostgreSQL ends a session whose client acknowledges nothing: see the options of our connections.
KEEPALIVE_SECONDS = 20.0


def _end(sides: Iterable[socket.socket]) -> None:
    for side in sides:
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


class HalfOpenProxy:
    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        database = connection.settings_dict
        self._database = (str(database["HOST"]), int(database["PORT"] or 5432))
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def drop_packets(self) -> None:
        """Lose what clients send on their connections, so that the kernel acknowledges nothing. New connections work.

        So does a firewall that forgot the connections, and a failover by DNS. PostgreSQL's keepalives notice the loss:
        it ends the sessions, and what they have locked is free.
        """
        # A program for the kernel's socket filter: "accept 0 bytes".
        instruction = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
        program = struct.pack("HxxxxxxP", 1, ctypes.addressof(instruction))
        for client, _ in self._pairs:
            if client.fileno() < 0:
                continue
            try:
                client.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
            except OSError as error:
                pytest.skip(f"No socket filter may be set here: {error}")
        notice = threading.Timer(KEEPALIVE_SECONDS, _end, [[server for _, server in self._pairs]])
        notice.daemon = True
        notice.start()

    def close(self) -> None:
        self._is_closed = True
        self._flowing.set()
        self._listener.close()
        for pair in self._pairs:
            _end(pair)

    @property
    def database_url(self) -> str:
        url = urlsplit(environment()["DATABASE_URL"])
        user = url.netloc.rpartition("@")[0]
        return urlunsplit(url._replace(netloc=f"{user}@127.0.0.1:{self.port}"))

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._flowing.wait()
        with contextlib.suppress(OSError):
            server = self._connect()
            self._pairs.append((client, server))
            with client, server:
                self._forward(client, server)

    def _connect(self) -> socket.socket:
        host, port = self._database
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(Path(host, f".s.PGSQL.{port}")))
        return server

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        while not self._is_closed:
            readable, _, _ = select.select([client, server], [], [], 1)
            for side in readable:
                data = side.recv(65536)
                self._flowing.wait()
                if not data:
                    return
                (server if side is client else client).sendall(data)


@contextlib.contextmanager
def through(port: int) -> Iterator[DatabaseWrapper]:
    """Let this process reach its database through a port of this machine."""
    wrapper = connections["default"]
    assert isinstance(wrapper, DatabaseWrapper)
    before = {name: wrapper.settings_dict[name] for name in ("HOST", "PORT")}

    def move(**address: object) -> None:
        wrapper.close()
        wrapper.close_pool()
        wrapper.settings_dict.update(address)

    move(HOST="127.0.0.1", PORT=port)
    try:
        yield wrapper
    finally:
        move(**before)


@pytest.fixture
def half_open_proxy(transactional_db: None) -> Iterator[HalfOpenProxy]:
    proxy = HalfOpenProxy()
    yield proxy
    proxy.close()
