"""Mail through the proxy, to a mail server that speaks SMTP with TLS."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.conf import LazySettings
from django.core.mail import EmailMessage, get_connection

from tests.outgoing.conftest import MAIL, PASSWORD, Company, UseProxy
from tests.outgoing.little_proxy import LittleProxy
from tests.ports import free_port

ANSWERS = {
    b"EHLO": b"250-mail.test\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
    b"AUTH": b"235 welcome\r\n",
    b"DATA": b"354 go on\r\n",
}
BACKEND = "amazon_accounts.outgoing.mail.EmailBackend"


@dataclass
class MailServer:
    tls: ssl.SSLContext
    port: int
    starts_with_tls: bool
    received: list[str] = field(default_factory=list)

    def serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stream = stack.enter_context(client)
            if self.starts_with_tls:
                stream = stack.enter_context(self.tls.wrap_socket(stream, server_side=True))
            stream.sendall(b"220 mail.test ESMTP\r\n")
            while self.talk(stream):
                stream.sendall(b"220 go on\r\n")
                stream = stack.enter_context(self.tls.wrap_socket(stream, server_side=True))

    def talk(self, stream: socket.socket) -> bool:
        """Return whether the client asked for TLS."""
        is_body = False
        while line := read_line(stream):
            word = line.strip().upper()
            self.received.append(line.decode())
            if word == b"STARTTLS":
                return True
            ends_body = is_body and word == b"."
            if not is_body or ends_body:
                is_body = word == b"DATA"
                stream.sendall(ANSWERS.get(word.split(b" ")[0], b"250 fine\r\n"))
        return False


def read_line(stream: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = stream.recv(1)
        if not byte:
            return b""
        line += byte
    return line


@pytest.fixture(params=[True, False], ids=["smtps", "starttls"])
def mail_server(
    request: pytest.FixtureRequest,
    company: Company,
    settings: LazySettings,
    proxy: LittleProxy,
) -> Iterator[MailServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(company.certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = MailServer(tls, listener.getsockname()[1], starts_with_tls=request.param)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.serve(listener.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        proxy.hosts[f"{MAIL}:587"] = server.port
        settings.EMAIL_HOST, settings.EMAIL_PORT = MAIL, 587
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "me", "mailpassword"
        settings.EMAIL_USE_SSL, settings.EMAIL_USE_TLS = request.param, not request.param
        settings.CA_BUNDLE = str(company.bundle)
        yield server
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def send() -> int:
    connection = get_connection(BACKEND)
    return EmailMessage("Hello", "A secret text", to=["you@example.com"], connection=connection).send()


def test_mail_goes_through_the_proxy_in_tls(
    mail_server: MailServer, proxy: LittleProxy, use_proxy: UseProxy
) -> None:
    use_proxy(user="ads", password=PASSWORD)
    assert send() == 1
    assert proxy.targets == [f"{MAIL}:587"]
    assert "A secret text\r\n" in mail_server.received
    assert b"A secret text" not in proxy.passed_on
    assert b"AUTH" not in proxy.passed_on


def test_mail_in_clear_never_goes_through_the_proxy(
    mail_server: MailServer, proxy: LittleProxy, use_proxy: UseProxy, settings: LazySettings
) -> None:
    use_proxy()
    settings.EMAIL_USE_SSL = settings.EMAIL_USE_TLS = False
    with pytest.raises(OSError, match="Name or service not known"):
        send()
    assert proxy.requests == []


def test_a_proxy_that_is_down_is_named_in_mail(mail_server: MailServer, use_proxy: UseProxy) -> None:
    port = free_port()
    use_proxy(user="ads", password=PASSWORD, port=port)
    with pytest.raises(ConnectionError, match=rf"^the proxy 127\.0\.0\.1:{port} does not answer"):
        send()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", r"refuses the connection \(403 Forbidden\)"),
        (b"HTTP/1.1 407 No\r\n\r\n", r"refuses the connection \(407 No\): check user and password"),
        (b"", "does not answer"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "does not answer"),
    ],
)
def test_a_proxy_that_refuses_mail_is_named(
    mail_server: MailServer,
    proxy: LittleProxy,
    use_proxy: UseProxy,
    settings: LazySettings,
    answer: bytes,
    words: str,
) -> None:
    settings.EMAIL_TIMEOUT = 1
    proxy.answer = answer
    use_proxy(user="ads", password=PASSWORD)
    with pytest.raises(ConnectionError, match=f"the proxy .* {words}") as raised:
        send()
    assert "hunter2" not in str(raised.value)


def test_a_mail_server_of_the_company_is_reached_directly(
    mail_server: MailServer, proxy: LittleProxy, use_proxy: UseProxy, settings: LazySettings
) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_server.port
    use_proxy()
    assert send() == 1
    assert proxy.requests == []
    settings.CA_BUNDLE = ""
    with pytest.raises(ssl.SSLCertVerificationError):
        send()
