"""A provider that answers what a test tells it and as slowly, for answers that a real provider does not give."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DISCOVERY = "/.well-known/openid-configuration"
Answer = tuple[int, bytes]


class ScriptedProvider:
    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Answer] = {}
        self.calls: list[tuple[str, str]] = []
        # Seconds before each byte of what is sent for this path: its head, or its body.
        self.slow_heads: dict[str, float] = {}
        self.slow_bodies: dict[str, float] = {}
        # The paths whose answers were not taken to their end.
        self.left: list[str] = []
        self.reset()

    def reset(self) -> None:
        self.answers.clear()
        self.calls.clear()
        self.slow_heads.clear()
        self.slow_bodies.clear()
        self.left.clear()
        self.say(DISCOVERY, self.document())

    def document(self, **changes: Any) -> dict[str, Any]:
        """Return the discovery document of a provider that works, with changes."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
        } | changes

    def say(self, path: str, body: object, status: int = 200) -> None:
        self.answers[path] = (status, body if isinstance(body, bytes) else json.dumps(body).encode())


@contextmanager
def scripted_provider() -> Iterator[ScriptedProvider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            provider.calls.append((self.path, self.rfile.read(length).decode()))
            status, body = provider.answers.get(self.path, (404, b"nothing here"))
            lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}", "Connection: close"]
            if 300 <= status < 400:
                lines.append(f"Location: {body.decode()}")
            head = "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
            try:
                self.send(head, provider.slow_heads.get(self.path, 0))
                self.send(body, provider.slow_bodies.get(self.path, 0))
            except OSError:
                provider.left.append(self.path)

        def send(self, data: bytes, pause: float) -> None:
            for part in [data[i : i + 1] for i in range(len(data))] if pause else [data]:
                time.sleep(pause)
                self.wfile.write(part)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = ScriptedProvider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
