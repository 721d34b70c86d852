"""A TCP proxy in front of PostgreSQL's unix socket: `python -m tests.chaos.proxy PORT SOCKET`.

Each line of standard input is a command:

    forward    work normally
    cut        close all connections
    refuse     close all connections, and each new one
    stall      forward nothing; the kernel acknowledges packets as always
    forget     drop all packets of the connections that are open, as a firewall that forgot them
    drop       the same, and drop all packets of new connections too

What dropped is closed towards PostgreSQL after SERVER_NOTICES_SECONDS, as its own keepalives would do.
"""

import asyncio
import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Coroutine
from typing import Any

SERVER_NOTICES_SECONDS = 20.0
CHUNK_BYTES = 65_536
# Linux only.
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
# A filter of one instruction that keeps nothing of a packet.
_DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
_FILTER = struct.pack("HxxxxxxP", 1, ctypes.addressof(_DROP_ALL))


class Proxy:
    def __init__(self, port: int, target: str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._listener.setblocking(False)
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._refuses = False
        self._drops = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), self._read_command)
        while True:
            client, _ = await loop.sock_accept(self._listener)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._refuses:
                client.close()
            else:
                self._start(self._serve(client))

    def _read_command(self) -> None:
        command = sys.stdin.readline().strip()
        if not command:
            sys.exit(0)
        getattr(self, f"_do_{command}")()
        print(command, flush=True)

    def _do_forward(self) -> None:
        self._refuses = False
        self._open.set()
        if self._drops:
            self._listener.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        self._drops = False

    def _do_cut(self) -> None:
        for pair in list(self._pairs):
            _shut(*pair)

    def _do_refuse(self) -> None:
        self._refuses = True
        self._do_cut()

    def _do_stall(self) -> None:
        self._open.clear()

    def _do_forget(self) -> None:
        for client, server in self._pairs:
            client.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _FILTER)
            asyncio.get_running_loop().call_later(SERVER_NOTICES_SECONDS, _shut, server)

    def _do_drop(self) -> None:
        self._drops = True
        self._listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _FILTER)
        self._do_forget()

    async def _serve(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        server = socket.socket(socket.AF_UNIX)
        server.setblocking(False)
        pair = (client, server)
        self._pairs.add(pair)
        try:
            await loop.sock_connect(server, self._target)
            copies = [self._copy(client, server), self._copy(server, client)]
            await asyncio.gather(*copies, return_exceptions=True)
        except OSError:
            pass
        finally:
            self._pairs.discard(pair)
            for each in pair:
                each.close()

    async def _copy(self, source: socket.socket, target: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(source, CHUNK_BYTES):
                await self._open.wait()
                await loop.sock_sendall(target, data)
        finally:
            # The other direction ends too: PostgreSQL's protocol has no half-closed connections.
            _shut(source, target)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _shut(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    asyncio.run(Proxy(int(sys.argv[1]), sys.argv[2]).run())
