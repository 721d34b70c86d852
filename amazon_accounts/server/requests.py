"""From an ASGI request to the environ of WSGI: limits, the body within its deadline, and the variables."""

import asyncio
import sys
from io import SEEK_END, BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from amazon_accounts.server.limits import Limits
from amazon_accounts.server.messages import Receive, Scope
from amazon_accounts.server.refusals import RefusedError
from amazon_accounts.web.problems import (
    ADDRESS_TOO_LONG,
    BODY_TOO_LATE,
    BUSY,
    CONTENT_TOO_LARGE,
    HEADERS_TOO_LARGE,
    MALFORMED_REQUEST,
)

Environ = dict[str, Any]

# Takes up to 100,000 ids.
MANY_IDS_PATH = "/api/v1/accounts/batch/"


class Bodies:
    """The bodies that are in memory now."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total_bytes = 0

    async def read(self, scope: Scope, receive: Receive) -> BytesIO:
        """Return the whole body. Its length must be given to `forget` once."""
        max_bytes = self._find_max_bytes(scope["path"])
        if _read_declared_length(scope) > max_bytes:
            raise _too_large(max_bytes)
        body = BytesIO()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while await self._read_chunk(receive, body, max_bytes):
                    pass
        except TimeoutError:
            self.forget(body.tell())
            seconds = f"{self._limits.body_seconds:g}"
            raise RefusedError(BODY_TOO_LATE, f"The body was not complete after {seconds} seconds.") from None
        except BaseException:
            self.forget(body.tell())
            raise
        return body

    def forget(self, body_bytes: int) -> None:
        self._total_bytes -= body_bytes

    async def _read_chunk(self, receive: Receive, body: BytesIO, max_bytes: int) -> bool:
        message = await receive()
        if message["type"] == "http.disconnect":
            # granian says the same of a client that left and of chunks that are no chunks. It would answer with 500.
            raise RefusedError(MALFORMED_REQUEST, "The body ended before it was complete, or is malformed.")
        chunk = message.get("body", b"")
        if body.tell() + len(chunk) > max_bytes:
            raise _too_large(max_bytes)
        is_small = body.tell() + len(chunk) <= self._limits.small_body_bytes
        if not is_small and self._total_bytes + len(chunk) > self._limits.max_bodies_bytes:
            raise RefusedError(BUSY, "Too many large requests at once. Try again.")
        self._total_bytes += body.write(chunk)
        return bool(message.get("more_body"))

    def _find_max_bytes(self, path: str) -> int:
        return self._limits.max_ids_body_bytes if path == MANY_IDS_PATH else self._limits.max_body_bytes


def _too_large(max_bytes: int) -> RefusedError:
    return RefusedError(CONTENT_TOO_LARGE, f"The body is larger than {max_bytes:,} bytes.")


def check_size(scope: Scope, limits: Limits) -> None:
    url_bytes = len(scope["raw_path"]) + len(scope["query_string"])
    if url_bytes > limits.max_url_bytes:
        raise RefusedError(ADDRESS_TOO_LONG, f"The address is longer than {limits.max_url_bytes:,} bytes.")
    header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
    if header_bytes > limits.max_header_bytes:
        raise RefusedError(
            HEADERS_TOO_LARGE,
            f"The headers are larger than {limits.max_header_bytes:,} bytes.",
        )


def make_environ(scope: Scope, body: BytesIO) -> Environ:
    """Return the variables of WSGI. The body is read from its start, also after it was read once."""
    body_bytes = body.seek(0, SEEK_END)
    body.seek(0)
    server_name, server_port = scope.get("server") or ("localhost", "80")
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": read_path(scope),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server_name,
        "SERVER_PORT": str(server_port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        _add_header(environ, name, value.decode("latin-1"))
    # A chunked body is whole now.
    if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None or body_bytes:
        environ["CONTENT_LENGTH"] = str(body_bytes)
    return environ


def read_path(scope: Scope) -> str:
    """Return the path as WSGI has it: bytes without percent encoding, as Latin-1."""
    return unquote_to_bytes(scope["raw_path"]).decode("latin-1")


def _read_declared_length(scope: Scope) -> int:
    # granian refuses a length that is no number, and two lengths that differ.
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def _add_header(environ: Environ, name: bytes, value: str) -> None:
    # With an underscore, X_Forwarded_For would take the place of the header that a proxy writes.
    if b"_" in name:
        return
    key = name.decode("latin-1").upper().replace("-", "_")
    if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        key = f"HTTP_{key}"
    elif key in environ:
        return
    if key in environ:
        environ[key] += ("; " if key == "HTTP_COOKIE" else ",") + value
    else:
        environ[key] = value
