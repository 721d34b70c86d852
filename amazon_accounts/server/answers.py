"""Runs the WSGI application: what happens in the threads of the lanes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import close_old_connections

from amazon_accounts.server.requests import Environ

Headers = list[tuple[bytes, bytes]]
WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# Files come in blocks of 4 KiB, and each way to a thread and back costs a tenth of a millisecond.
MIN_CHUNK_BYTES = 65_536


@dataclass
class Answer:
    status: int
    headers: Headers
    body: bytes = b""
    stream: "Stream | None" = None


class Stream:
    """The rest of an answer. Each call may come from another thread, so no chunk may keep a database connection."""

    def __init__(self, result: Any) -> None:
        self._result = result
        self._blocks: Iterator[bytes] = iter(result)
        # Django's answer with a file: reading it is quick.
        self.is_file = hasattr(result, "file_to_stream")

    def read_chunk(self) -> bytes:
        """Return the next bytes, or none at the end."""
        chunk = bytearray()
        try:
            for block in self._blocks:
                chunk += block
                if len(chunk) >= (MIN_CHUNK_BYTES if self.is_file else 1):
                    break
        finally:
            close_old_connections()
        return bytes(chunk)

    def close(self) -> None:
        _close(self._result)


def answer(application: WSGIApplication, environ: Environ) -> Answer:
    status, headers = 0, Headers()

    def start_response(line: str, pairs: list[tuple[str, str]], _error: object = None) -> None:
        nonlocal status, headers
        status = int(line.split(" ", 1)[0])
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]

    result = application(environ, start_response)
    is_stream = getattr(result, "streaming", True)
    if not is_stream or environ["REQUEST_METHOD"] == "HEAD":
        try:
            body = b"" if is_stream else b"".join(result)
        finally:
            _close(result)
        return Answer(status, headers, body)
    # Django gives the connection back when the answer is closed, which happens in another thread.
    close_old_connections()
    return Answer(status, headers, stream=Stream(result))


def _close(result: Any) -> None:
    if hasattr(result, "close"):
        result.close()
