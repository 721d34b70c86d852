"""A real server, and raw sockets to it."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.processes import PROJECT, environment, eventually

HEADER_SECONDS = 1.0
HOST = b"Host: localhost\r\n"


class Server:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._log, self.release = folder / "log", folder / "release"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-m",
                        "amazon_accounts.server",
                        "--port",
                        str(self.port),
                        "--workers",
                        "1",
                    ),
                    *(
                        "--header-seconds",
                        str(HEADER_SECONDS),
                        "--application",
                        "tests.server.application:application",
                    ),
                ],
                env=environment(
                    DJANGO_SETTINGS_MODULE="tests.server.settings",
                    RELEASE=str(self.release),
                    PYTHONPATH=str(PROJECT),
                ),
                cwd=PROJECT,
                stdout=log,
                stderr=log,
            )
        self._seen = 0
        eventually(self._answers, describe=self._log.read_text)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/healthz")[0] == 200
        return False

    def log(self) -> str:
        """What it wrote since the test began."""
        return self._log.read_text()[self._seen :]

    def begin_test(self) -> None:
        self._seen = len(self._log.read_text())
        self.release.unlink(missing_ok=True)

    def wait_for(self, words: str, *, times: int = 1) -> None:
        eventually(lambda: self.log().count(words) >= times, 20, describe=self.log)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        web = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            web.request(method, path, body, {"Host": "localhost", **(headers or {})})
            response = web.getresponse()
            return response.status, response.read(), response.headers
        finally:
            web.close()

    def connect(self, data: bytes = b"", *, receive_bytes: int = 0) -> socket.socket:
        """A socket that has sent this data."""
        client = socket.socket()
        client.settimeout(20)
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.connect(("127.0.0.1", self.port))
        client.sendall(data)
        return client

    def send(self, data: bytes) -> bytes:
        """The whole answer to this data, up to the end of the connection."""
        with self.connect(data) as client:
            return read_all(client)

    def holds(self, client: socket.socket) -> bool:
        """Whether the server's end of this connection still exists."""
        ends = f":{self.port:04X} 0100007F:{client.getsockname()[1]:04X} "
        return ends in Path("/proc/net/tcp").read_text()

    def stop(self) -> float:
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - began


def read_all(client: socket.socket) -> bytes:
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65_536):
            received += data
    return bytes(received)


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            os.kill(server.process.pid, signal.SIGTERM)
            server.process.wait(20)


@pytest.fixture(scope="session")
def started_server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(started_server: Server) -> Iterator[Server]:
    started_server.begin_test()
    yield started_server
    started_server.release.touch()
    # The next test removes the file, so every thread must have seen the file before that.
    eventually(lambda: started_server.log().count("released") >= started_server.log().count("holds "))


@pytest.fixture
def hold(server: Server) -> Iterator[Callable[..., None]]:
    """Occupy threads until the test ends."""
    with contextlib.ExitStack() as clients:

        def occupy(number: int, path: str = "/test/hold", method: str = "GET") -> None:
            before = server.log().count("holds")
            for _ in range(number):
                request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
                clients.enter_context(server.connect(request.encode()))
            server.wait_for("holds", times=before + number)

        yield occupy
