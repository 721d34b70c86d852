"""One deadline for calls by requests, whose own timeout begins anew with each byte that comes."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from threading import Lock
from typing import Final, TypeVar

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_Result = TypeVar("_Result")


class _Sockets:
    """The open sockets of some calls. Another thread can shut them; after that no other socket is opened."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._twins: list[socket.socket] = []
        self._connections: list[HTTPConnection] = []
        self._is_shut = False

    def add(self, opened: socket.socket, connection: HTTPConnection) -> None:
        with self._lock:
            if self._is_shut:
                opened.close()
                raise TimeoutError("The deadline of the calls is over.")
            # TLS takes the descriptor of the socket away; a twin keeps one of its own on the same connection.
            self._twins.append(opened.dup())
            self._connections.append(connection)

    def shut(self) -> None:
        with self._lock:
            self._is_shut = True
            while self._twins:
                with self._twins.pop() as twin, suppress(OSError):
                    twin.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close what an interrupted call has left open. Only the thread of the calls may do this."""
        for connection in self._connections:
            connection.close()


_sockets: ContextVar[_Sockets | None] = ContextVar("sockets", default=None)


def run_within(seconds: float, calls: Callable[[], _Result]) -> _Result:
    """Return what the calls return. Raise TimeoutError when the seconds are over; then no thread waits for them.

    The calls run in a thread of their own, because a name that is looked up and a host with several addresses cannot be
    interrupted. They must use an OutgoingSession, and nothing that belongs to the thread.
    """
    sockets = _Sockets()
    context = copy_context()
    context.run(_sockets.set, sockets)

    def call_and_close() -> _Result:
        try:
            return calls()
        finally:
            sockets.close()

    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="calls-with-deadline")
    try:
        return thread.submit(context.run, call_and_close).result(timeout=seconds)
    finally:
        sockets.shut()
        thread.shutdown(wait=False)


class _Watched(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        opened = super()._new_conn()
        if sockets := _sockets.get():
            sockets.add(opened, self)
        return opened


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


POOLS: Final = {"http": _Pool, "https": _TlsPool}
