"""A receiver of webhooks that keeps what it gets, and answers as the test says."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook as Verifier


@dataclass
class Got:
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> Any:
        """Return what was sent, if the reference library accepts its signature."""
        return Verifier(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    port: int = 0
    got: list[Got] = field(default_factory=list)
    # What a GET gets. Without it no GET may come: it would follow a redirect.
    page: bytes | None = None
    pages: int = 0
    # Answers one request.
    answer: "Callable[[BaseHTTPRequestHandler, Got], None]" = field(
        default=lambda handler, _: reply(handler, 204)
    )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?key=hunter2"

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.got]


def reply(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


@contextmanager
def run_receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got = Got({name.lower(): value for name, value in self.headers.items()}, body)
            receiver.got.append(got)
            receiver.answer(self, got)

        def do_GET(self) -> None:
            assert receiver.page is not None, "A redirect was followed."
            receiver.pages += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(receiver.page)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
