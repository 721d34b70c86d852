"""The settings of the company's network: its proxy, what is reached without the proxy, and its certificates."""

import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.configuration.environment import env, env_secret

HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
USUAL_PORTS = {"http": 80, "https": 443}
MAX_BUNDLE_BYTES = 10_000_000


@dataclass(frozen=True)
class Proxy:
    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url_with_password(self) -> str:
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.user else ""
        return f"{self.scheme}://{login}{self}"


@dataclass(frozen=True)
class DirectHost:
    """Hosts that are reached without the proxy: a name with its subdomains, or a network; of one port or all."""

    name: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    @classmethod
    def parse(cls, entry: str) -> Self:
        """Raises ValueError."""
        if entry == "*":
            return cls()
        try:
            return cls(network=ip_network(entry.strip("[]"), strict=False))
        except ValueError:
            address = urlsplit(f"//{entry.removeprefix('*').removeprefix('.')}")
            name, port = address.hostname or "", address.port
        if address.path or "@" in address.netloc:
            raise ValueError(entry) from None
        try:
            return cls(network=ip_network(name), port=port)
        except ValueError:
            if not HOST.fullmatch(name):
                raise
            return cls(name=name, port=port)

    def __str__(self) -> str:
        name = self.name or "*"
        if self.network is not None:
            name = str(self.network if self.network.num_addresses > 1 else self.network.network_address)
        if self.port is None:
            return name
        return f"[{name}]:{self.port}" if ":" in name else f"{name}:{self.port}"

    def matches(self, host: str, port: int) -> bool:
        if self.port not in {None, port}:
            return False
        if self.network is not None:
            try:
                return ip_address(host) in self.network
            except ValueError:
                return False
        return not self.name or host == self.name or host.endswith(f".{self.name}")


def is_direct(host: str, port: int, direct_hosts: Iterable[DirectHost]) -> bool:
    host = host.lower().strip("[]").rstrip(".")
    return is_this_machine(host) or any(direct.matches(host, port) for direct in direct_hosts)


def is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def env_proxy(name: str) -> Proxy | None:
    # The message does not repeat the value, which may contain a password.
    malformed = ImproperlyConfigured(
        f"{name} must be like http://host:3128 or http://user:password@host:3128, with special characters of user "
        "and password percent-encoded."
    )
    value = env_secret(name)
    if not value:
        return None
    try:
        address = urlsplit(value if "://" in value else f"http://{value}")
        host, port = address.hostname or "", address.port
        is_host = bool(HOST.fullmatch(host)) or bool(ip_address(host))
    except ValueError:
        raise malformed from None
    user, password = unquote(address.username or ""), unquote(address.password or "")
    has_more = address.path.strip("/") or address.query or address.fragment or (password and not user)
    is_printable = (user + password).isprintable() and ":" not in user
    if address.scheme not in USUAL_PORTS or not is_host or port == 0 or has_more or not is_printable:
        raise malformed
    return Proxy(address.scheme, host, port or USUAL_PORTS[address.scheme], user, password)


def env_direct_hosts(name: str) -> tuple[DirectHost, ...]:
    entries = [entry.lower() for entry in re.split(r"[,\s]+", env(name)) if entry]
    hosts = []
    for entry in entries:
        try:
            hosts.append(DirectHost.parse(entry))
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} must be names, domains, addresses and networks, like mail.example.com,.example.net,10.0.0.0/8; "
                f"not {entry!r}."
            ) from None
    return tuple(hosts)


def require_direct_mail(host: str, port: int, direct_hosts: Iterable[DirectHost]) -> None:
    # TLS inside TLS is more than smtplib can do.
    if not is_direct(host, port, direct_hosts):
        raise ImproperlyConfigured(
            "EMAIL_URL: mail cannot go through an https:// proxy. Name the mail server in NO_PROXY, or an http:// proxy "
            "in HTTPS_PROXY."
        )


def env_certificates(name: str) -> str:
    """Return the path of a file with at least one certificate."""
    path = env(name)
    if path:
        read_certificates(path, name=name)
    return path


def read_certificates(path: str, *, name: str = "CA_BUNDLE") -> str:
    """Return the certificates in PEM form. Raises ImproperlyConfigured with one line."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BUNDLE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path is malformed"
        raise ImproperlyConfigured(f"{name}: the file cannot be read: {reason}.") from None
    if len(content) > MAX_BUNDLE_BYTES:
        raise ImproperlyConfigured(f"{name}: the file is larger than {MAX_BUNDLE_BYTES} bytes.")
    # Bundles have names of authorities between the certificates, in any encoding.
    certificates = content.decode("ascii", errors="ignore")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=certificates)
    except (ssl.SSLError, ValueError):
        raise ImproperlyConfigured(
            f"{name}: the file has no certificates in PEM form (-----BEGIN CERTIFICATE-----), or a broken one."
        ) from None
    return certificates
