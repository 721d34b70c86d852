"""Calls to addresses that people chose reach the public internet and nothing else."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.conf import LazySettings

from amazon_accounts.configuration.outgoing import DirectHost, Proxy
from amazon_accounts.outgoing import guarded
from amazon_accounts.outgoing.addresses import is_public
from amazon_accounts.outgoing.guarded import AddressError, CallError, check_url, post
from tests.outgoing.conftest import Company
from tests.outgoing.little_proxy import run_little_proxy
from tests.tokens.webhooks.receiver import Got, Receiver, reply, run_receiver


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",  # noqa: S104 - not bound to
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "::127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2001:db8::1",
    ],
)
def test_an_address_of_no_public_host_is_refused(address: str) -> None:
    assert not is_public(address)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(AddressError):
        check_url(f"https://{host}/")


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_of_a_public_host_is_allowed(address: str) -> None:
    assert is_public(address)
    check_url(f"https://[{address}]/" if ":" in address else f"https://{address}/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@hooks.example.com/",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com/\r\nX-Evil: 1",
        "https://hooks.example.com/a b",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://höoks.example.com/",
        "https://localhost/",
        "https://a.localhost./",
        "https://[::1/",
        "https://-.example.com/",
    ],
)
def test_a_malformed_or_unsafe_url_is_refused(url: str) -> None:
    with pytest.raises(AddressError):
        check_url(url)


def test_an_allowed_host_may_be_private_and_without_https(settings: LazySettings) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = (
        DirectHost.parse("hooks.internal:8080"),
        DirectHost.parse("10.1.0.0/16"),
    )
    check_url("http://hooks.internal:8080/")
    check_url("https://10.1.2.3/")
    with pytest.raises(AddressError):
        check_url("http://hooks.internal:8081/")
    with pytest.raises(AddressError):
        check_url("https://10.2.0.1/")


class Names:
    """Names that the test gives addresses: each look-up takes the next ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: list[list[str]] = []
        self.lookups = 0
        self._look_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)

    def _answer(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if not str(host).endswith(".test"):
            return self._look_up(host, port, *args, **kwargs)
        found = self.addresses[min(self.lookups, len(self.addresses) - 1)]
        self.lookups += 1
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in found
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def send(url: str) -> int:
    return asyncio.run(post(url, b"{}", {"webhook-id": "1"}))


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["fd00::1"]],
)
def test_a_name_of_a_private_address_is_refused(names: Names, addresses: list[str]) -> None:
    names.addresses = [addresses]
    with pytest.raises(CallError, match="not on the public internet"):
        send("https://rebinding.test/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
def test_other_spellings_of_an_address_are_refused(host: str) -> None:
    with pytest.raises(CallError):
        send(f"https://{host}/")


def test_a_name_is_looked_up_once_and_the_checked_address_is_called(
    names: Names, settings: LazySettings
) -> None:
    # The receiver listens on the second address alone.
    names.addresses = [["127.0.0.2"], ["127.0.0.1"]]
    settings.WEBHOOK_ALLOWED_HOSTS = (DirectHost.parse("127.0.0.2"),)
    with run_receiver() as receiver, pytest.raises(CallError):
        send(f"https://rebinding.test:{receiver.port}/")
    assert names.lookups == 1
    assert receiver.got == []


def test_a_proxy_is_given_the_checked_address(names: Names, settings: LazySettings) -> None:
    names.addresses = [["8.8.8.8"]]
    with run_little_proxy() as proxy:
        proxy.answer = b"HTTP/1.1 403 Forbidden\r\n\r\n"
        settings.HTTPS_PROXY = Proxy("http", "127.0.0.1", proxy.port)
        settings.NO_PROXY = ()
        with pytest.raises(CallError, match="refuses the connection"):
            send("https://hooks.test/")
        assert proxy.targets == ["8.8.8.8:443"]


def test_a_private_name_is_not_given_to_the_proxy(names: Names, settings: LazySettings) -> None:
    names.addresses = [["10.0.0.1"]]
    with run_little_proxy() as proxy:
        settings.HTTPS_PROXY = Proxy("http", "127.0.0.1", proxy.port)
        settings.NO_PROXY = ()
        with pytest.raises(CallError, match="not on the public internet"):
            send("https://hooks.test/")
        assert proxy.targets == []


@pytest.fixture
def tls_receiver(company: Company, settings: LazySettings) -> Iterator[Receiver]:
    """A receiver with a certificate for hooks.test."""
    settings.CA_BUNDLE = str(company.bundle)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    company.authority.issue_cert("hooks.test").configure_cert(tls)
    with run_receiver(tls) as running:
        yield running


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_https_goes_through_the_proxy_to_the_name_in_the_certificate(
    names: Names, settings: LazySettings, company: Company, tls_receiver: Receiver, scheme: str
) -> None:
    names.addresses = [["8.8.8.8"]]
    of_proxy = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    of_proxy.load_cert_chain(company.certificate)
    with run_little_proxy(of_proxy if scheme == "https" else None) as proxy:
        proxy.hosts["8.8.8.8:443"] = tls_receiver.port
        settings.HTTPS_PROXY = Proxy(scheme, "127.0.0.1", proxy.port, "user", "hunter2")
        settings.NO_PROXY = ()
        assert send("https://hooks.test/") == 204
    assert [got.headers["host"] for got in tls_receiver.got] == ["hooks.test"]
    assert b"webhook-id" not in proxy.passed_on


def test_https_asks_for_the_certificate_of_the_name(
    names: Names, settings: LazySettings, tls_receiver: Receiver
) -> None:
    names.addresses = [["127.0.0.1"]]
    settings.WEBHOOK_ALLOWED_HOSTS = (DirectHost.parse("127.0.0.1"),)
    assert send(f"https://hooks.test:{tls_receiver.port}/") == 204
    with pytest.raises(CallError, match="certificate cannot be trusted"):
        send(f"https://other.test:{tls_receiver.port}/")


class TestAnswers:
    @pytest.fixture
    def receiver(self, settings: LazySettings) -> Iterator[Receiver]:
        settings.WEBHOOK_ALLOWED_HOSTS = (DirectHost.parse("127.0.0.1"),)
        with run_receiver() as running:
            yield running

    def test_the_status_is_returned(self, receiver: Receiver) -> None:
        assert send(receiver.url) == 204
        assert receiver.got[0].body == b"{}"

    def test_a_redirect_is_not_followed(self, receiver: Receiver) -> None:
        receiver.answer = lambda handler, _: reply(handler, 307, Location=receiver.url)
        assert send(receiver.url) == 307
        assert len(receiver.got) == 1

    def test_of_a_long_answer_only_the_beginning_is_read(self, receiver: Receiver) -> None:
        written = 0

        def answer(handler: BaseHTTPRequestHandler, _: Got) -> None:
            nonlocal written
            reply(handler, 200, **{"Content-Length": "100000000"})
            try:
                for _number in range(100):
                    written += handler.wfile.write(b"x" * 1_000_000)
            except OSError:
                pass

        receiver.answer = answer
        assert send(receiver.url) == 200
        time.sleep(0.1)
        assert written < 20_000_000

    @pytest.mark.parametrize("is_begun", [False, True])
    def test_a_receiver_that_hangs_is_given_up(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, is_begun: bool
    ) -> None:
        monkeypatch.setattr(guarded, "MAX_SECONDS", 0.5)

        def answer(handler: BaseHTTPRequestHandler, _: Got) -> None:
            if is_begun:
                reply(handler, 200, **{"Content-Length": "100"})
                for _number in range(20):
                    handler.wfile.write(b"x")
                    handler.wfile.flush()
                    time.sleep(0.1)
            else:
                time.sleep(2)

        receiver.answer = answer
        began = time.monotonic()
        with pytest.raises(CallError, match="no whole answer"):
            send(receiver.url)
        assert time.monotonic() - began < 1.5

    def test_what_is_no_http_is_an_error_without_the_address(self, receiver: Receiver) -> None:
        def answer(handler: BaseHTTPRequestHandler, _: Got) -> None:
            handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")

        receiver.answer = answer
        with pytest.raises(CallError) as raised:
            send(receiver.url)
        assert "hunter2" not in f"{raised.value!r} {raised.value.__cause__!r}"

    def test_a_closed_port_is_an_error(self, settings: LazySettings) -> None:
        settings.WEBHOOK_ALLOWED_HOSTS = (DirectHost.parse("127.0.0.1"),)
        with pytest.raises(CallError, match="no connection"):
            send("http://127.0.0.1:1/")
