"""Mail through the proxy, if the connection to the mail server is encrypted, and with our certificates."""

import base64
import re
import smtplib
import socket
import ssl

from django.conf import settings
from django.core.mail.backends import smtp
from django.utils.functional import cached_property

from amazon_accounts.configuration.outgoing import Proxy
from amazon_accounts.outgoing.certificates import make_tls_context
from amazon_accounts.outgoing.routes import explain_refusal, explain_silence, find_proxy

MAX_ANSWER_BYTES = 16_384


class EmailBackend(smtp.EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        if self.use_ssl:
            return _TunnelledTLS
        # Without TLS, mail and password would pass the proxy in clear.
        return _TunnelledSMTP if self.use_tls else smtplib.SMTP

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        # Without CA_BUNDLE, a mail server in the same company may have a certificate that the operating system knows.
        return make_tls_context() if settings.CA_BUNDLE else ssl.create_default_context()


class _TunnelledSMTP(smtplib.SMTP):
    # smtplib has no public way to give a socket.
    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        proxy = find_proxy(host, port)
        if proxy is None:
            return socket.create_connection((host, port), timeout, self.source_address)
        return open_tunnel(proxy, host, port, timeout)


class _TunnelledTLS(smtplib.SMTP_SSL, _TunnelledSMTP):
    # SMTP_SSL takes its socket from the next class, and encrypts it.
    pass


def open_tunnel(proxy: Proxy, host: str, port: int, timeout: float) -> socket.socket:
    """Return a connection to the host through the proxy. Raises ConnectionError with a text that may be shown."""
    try:
        connection = socket.create_connection((proxy.host, proxy.port), timeout)
    except OSError as error:
        raise ConnectionError(explain_silence(proxy, error.strerror or "")) from None
    try:
        connection.sendall(_ask_for(proxy, host, port))
        answer = _read_answer(connection)
    except OSError as error:
        connection.close()
        raise ConnectionError(explain_silence(proxy, error.strerror or "")) from None
    status = re.match(r"HTTP/1\.[01] (\d{3}[^\r\n]{0,100})", answer)
    if status is not None and status[1].startswith("2"):
        return connection
    connection.close()
    raise ConnectionError(
        explain_refusal(proxy, status[1].strip()) if status else explain_silence(proxy, "no answer of HTTP")
    )


def _ask_for(proxy: Proxy, host: str, port: int) -> bytes:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.user:
        login = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {login}")
    return "\r\n".join([*lines, "", ""]).encode()


def _read_answer(connection: socket.socket) -> str:
    # Byte by byte: what follows the answer is the greeting of the mail server.
    answer = b""
    while not answer.endswith(b"\r\n\r\n") and len(answer) < MAX_ANSWER_BYTES:
        byte = connection.recv(1)
        if not byte:
            break
        answer += byte
    return answer.decode("ascii", errors="replace")
