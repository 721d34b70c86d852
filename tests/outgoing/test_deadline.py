"""A host that answers byte by byte: the calls to it end at their deadline, and so does the connection."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from django.conf import LazySettings

from amazon_accounts.outgoing.deadline import run_within
from amazon_accounts.outgoing.sessions import OutgoingSession
from tests.outgoing.conftest import AMAZON, Company, UseProxy
from tests.outgoing.little_proxy import LittleProxy

# Seconds, on a busy machine.
PATIENCE = 60


class DrippingHost:
    """A host with TLS whose answer never ends: one byte each tenth of a second."""

    def __init__(self, certificate: str) -> None:
        self.is_left = threading.Event()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self._listener.accept()[0] as client:
            with contextlib.suppress(OSError), self._tls.wrap_socket(client, server_side=True) as stream:
                stream.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while True:
                    stream.sendall(b"a")
                    time.sleep(0.1)
            self.is_left.set()

    def close(self) -> None:
        # Closing alone would leave accept() waiting.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def host(company: Company, settings: LazySettings) -> Iterator[DrippingHost]:
    settings.CA_BUNDLE = str(company.bundle)
    host = DrippingHost(str(company.certificate))
    try:
        yield host
    finally:
        host.close()


def get(url: str) -> requests.Response:
    with OutgoingSession() as session:
        return session.get(url, timeout=PATIENCE)


def test_a_call_to_a_host_that_drips_ends_at_its_deadline(host: DrippingHost) -> None:
    with pytest.raises(TimeoutError):
        run_within(1, lambda: get(f"https://127.0.0.1:{host.port}/"))
    assert host.is_left.wait(PATIENCE)


def test_a_call_through_the_proxy_ends_at_its_deadline(
    host: DrippingHost, proxy: LittleProxy, use_proxy: UseProxy
) -> None:
    use_proxy()
    proxy.hosts[f"{AMAZON}:443"] = host.port
    with pytest.raises(TimeoutError):
        run_within(1, lambda: get(f"https://{AMAZON}/"))
    assert proxy.targets == [f"{AMAZON}:443"]
    assert host.is_left.wait(PATIENCE)


def test_a_connection_that_is_made_after_the_deadline_is_shut_at_once(host: DrippingHost) -> None:
    is_over = threading.Event()

    def wait_and_get() -> requests.Response:
        is_over.wait(PATIENCE)
        return get(f"https://127.0.0.1:{host.port}/")

    with pytest.raises(TimeoutError):
        run_within(0.1, wait_and_get)
    is_over.set()
    assert host.is_left.wait(PATIENCE)


def test_calls_in_time_give_their_result_or_their_error() -> None:
    assert run_within(PATIENCE, lambda: 5) == 5
    with pytest.raises(requests.ConnectionError):
        run_within(PATIENCE, lambda: get("http://127.0.0.1:9/"))
