"""A proxy that knows CONNECT and nothing else, on a free loopback port. It writes down what it is asked."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

OPENED = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 little\r\n\r\n"


@dataclass
class LittleProxy:
    port: int
    # "name:port" to the loopback port that stands for it.
    hosts: dict[str, int] = field(default_factory=dict)
    # The answer, instead of a tunnel. Empty: the proxy stays silent.
    answer: bytes | None = None
    tls: ssl.SSLContext | None = None
    requests: list[str] = field(default_factory=list)
    # What clients sent through tunnels, as the proxy sees it.
    passed_on: bytearray = field(default_factory=bytearray)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        return [request.split(" ")[1] for request in self.requests]

    def serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stream = stack.enter_context(client)
            if self.tls:
                stream = stack.enter_context(self.tls.wrap_socket(stream, server_side=True))
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                byte = stream.recv(1)
                if not byte:
                    return
                head += byte
            self.requests.append(head.decode())
            if self.answer is not None:
                stream.sendall(self.answer)
                # Closed by the client.
                stream.recv(1)
                return
            with socket.create_connection(("127.0.0.1", self.hosts[head.split(b" ")[1].decode()])) as host:
                stream.sendall(OPENED)
                back = threading.Thread(target=copy, args=(host, stream, bytearray()), daemon=True)
                back.start()
                copy(stream, host, self.passed_on)
                back.join(5)


def copy(source: socket.socket, target: socket.socket, seen: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            seen += data
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def run_little_proxy(tls: ssl.SSLContext | None = None) -> Iterator[LittleProxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = LittleProxy(listener.getsockname()[1], tls=tls)

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=proxy.serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield proxy
        # Closing alone would leave accept() waiting.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
