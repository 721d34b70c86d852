"""One call of an address that a person chose, and that may be meant to reach our own network.

The name is resolved here, and the connection goes to the address that was checked, so that a name that means another
address a moment later changes nothing. A proxy is given the address too. No redirect is followed.
"""

import asyncio
import base64
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import httpcore
from django.conf import settings

from amazon_accounts.configuration.outgoing import HOST, Proxy
from amazon_accounts.outgoing.addresses import is_public
from amazon_accounts.outgoing.certificates import make_tls_context
from amazon_accounts.outgoing.routes import explain_refusal, explain_silence, find_proxy

# For everything: the name, the connection and the answer.
MAX_SECONDS: Final = 10.0
# A host with several addresses gets a second chance.
CONNECT_SECONDS: Final = 4.0
# So much of an answer is read, unless the caller wants more.
MAX_ANSWER_BYTES: Final = 16_384
MAX_NAME_CHARACTERS: Final = 253


class AddressError(ValueError):
    """The address may not be called. Its text is for people."""


class CallError(Exception):
    """No answer came. Its text is for people, and holds nothing secret."""


def check_url(url: str) -> None:
    """Raise AddressError for an address that can never be called, before its name is looked up."""
    _split(url)


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    # So much of the answer is read.
    max_bytes: int = MAX_ANSWER_BYTES


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Return the status of the answer. Raises CallError, also for an address that may not be called."""
    return (await _call(Request("POST", url, body, headers))).status


async def get(url: str, *, max_bytes: int = MAX_ANSWER_BYTES) -> Answer:
    """Raises CallError, also for an address that may not be called."""
    return await _call(Request("GET", url, headers={"Accept-Encoding": "identity"}, max_bytes=max_bytes))


async def _call(request: Request) -> Answer:
    try:
        async with asyncio.timeout(MAX_SECONDS):
            return await _exchange(request, _split(request.url))
    except AddressError as error:
        raise CallError(str(error)) from None
    except TimeoutError:
        raise CallError(f"no whole answer in {MAX_SECONDS:g} seconds") from None
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
        raise CallError(_explain(error)) from None


async def _exchange(request: Request, address: SplitResult) -> Answer:
    is_encrypted = address.scheme == "https"
    async with httpcore.AsyncConnectionPool(
        ssl_context=_make_tls_once(settings.CA_BUNDLE) if is_encrypted else None,
        max_connections=1,
        network_backend=_GuardedNetwork(is_encrypted=is_encrypted),
    ) as pool:
        # Each wait has a limit of its own too, because a cancelled handshake would leave a socket open.
        limits = dict.fromkeys(("connect", "read", "write", "pool"), MAX_SECONDS)
        async with pool.stream(
            request.method,
            request.url,
            headers=[*request.headers.items(), ("Connection", "close")],
            content=request.body,
            extensions={"timeout": limits},
        ) as answer:
            read = b""
            async for chunk in answer.aiter_stream():
                read += chunk
                if len(read) > request.max_bytes:
                    break
            return Answer(answer.status, read[: request.max_bytes])


def _split(url: str) -> SplitResult:
    try:
        address = urlsplit(url)
        host, port = address.hostname or "", address.port
    except ValueError:
        raise AddressError("It is no address of the web.") from None
    if address.scheme not in {"https", "http"} or not host or port == 0:
        raise AddressError("It must begin with https:// and name a host.")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise AddressError("It must be plain ASCII without spaces; percent-encode other characters.")
    if address.username is not None or address.password is not None or address.fragment:
        raise AddressError("It must have no user, no password and no fragment.")
    if _is_allowed(host, port or (443 if address.scheme == "https" else 80)):
        return address
    if address.scheme != "https":
        raise AddressError("It must begin with https://.")
    if _is_address(host):
        if not is_public(host):
            raise AddressError("The address is not public.")
    elif len(host) > MAX_NAME_CHARACTERS or not HOST.fullmatch(host.removesuffix(".")):
        raise AddressError("The name of the host is malformed.")
    elif host.removesuffix(".") == "localhost" or host.removesuffix(".").endswith(".localhost"):
        raise AddressError("The address is not public.")
    return address


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_allowed(host: str, port: int) -> bool:
    return any(allowed.matches(host.rstrip("."), port) for allowed in settings.WEBHOOK_ALLOWED_HOSTS)


@lru_cache(maxsize=1)
def _make_tls_once(_bundle: str) -> ssl.SSLContext:
    # It takes longer than a call.
    return make_tls_context()


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, directly or by a tunnel of the proxy."""

    def __init__(self, *, is_encrypted: bool) -> None:
        self._is_encrypted = is_encrypted
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await _resolve(host, port)
        # Without TLS, what is sent would pass the proxy in clear.
        proxy = find_proxy(host, port) if self._is_encrypted else None
        problem: Exception | None = None
        for address in addresses:
            try:
                if proxy is not None:
                    return await self._open_tunnel(proxy, address, port)
                return await self._network.connect_tcp(address, port, CONNECT_SECONDS)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem or httpcore.ConnectError("the name has no address")

    async def _open_tunnel(self, proxy: Proxy, address: str, port: int) -> httpcore.AsyncNetworkStream:
        try:
            stream = await self._network.connect_tcp(proxy.host, proxy.port, CONNECT_SECONDS)
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            raise CallError(explain_silence(proxy)) from None
        try:
            if proxy.scheme == "https":
                stream = await stream.start_tls(
                    _make_tls_once(settings.CA_BUNDLE), proxy.host, CONNECT_SECONDS
                )
            await stream.write(_ask_for(proxy, address, port), MAX_SECONDS)
            status = await _read_status(stream)
        except (httpcore.NetworkError, httpcore.TimeoutException):
            await stream.aclose()
            raise CallError(explain_silence(proxy)) from None
        if status.startswith("2"):
            return stream
        await stream.aclose()
        raise CallError(explain_refusal(proxy, status) if status else explain_silence(proxy))


async def _resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of the host. Raises CallError if one of them may not be called."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CallError("the name of the host is not known") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not _is_allowed(host, port) and not all(
        is_public(address) or _is_allowed(address, port) for address in addresses
    ):
        raise CallError("the host is not on the public internet; WEBHOOK_ALLOWED_HOSTS can allow it")
    return addresses


def _ask_for(proxy: Proxy, address: str, port: int) -> bytes:
    target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.user:
        login = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {login}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _read_status(stream: httpcore.AsyncNetworkStream) -> str:
    """Return the status of the proxy's answer, or "" for no answer of HTTP."""
    answer = b""
    # The host sends nothing before our TLS begins, so nothing of it can be read here.
    while b"\r\n\r\n" not in answer and len(answer) < MAX_ANSWER_BYTES:
        chunk = await stream.read(1024, MAX_SECONDS)
        if not chunk:
            break
        answer += chunk
    words = answer.split(b"\r\n", 1)[0].decode("ascii", errors="replace").split()
    return words[1] if len(words) > 1 and words[0].startswith("HTTP/1.") and words[1].isdecimal() else ""


def _explain(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "the host's certificate cannot be trusted; CA_BUNDLE names the trusted certificates"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpcore.ConnectError | OSError):
        return "no connection"
    return "the connection broke, or the answer is no HTTP"
