"""The transport of httpx for calls to Amazon. Only https goes through the proxy."""

import asyncio
import ssl
from typing import Any

import httpx
from django.conf import settings

from amazon_accounts.configuration.outgoing import Proxy
from amazon_accounts.outgoing.certificates import make_tls_context
from amazon_accounts.outgoing.routes import explain_refusal, explain_silence, find_proxy

# The time for opening a tunnel, in units of the time for a connection: with a connection of half the time of a whole
# exchange, the proxy is named before the exchange runs out.
OPENING_SHARE = 1.8


def make_transport(limits: httpx.Limits) -> httpx.AsyncBaseTransport:
    tls = make_tls_context()
    direct = httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits)
    proxy: Proxy | None = settings.HTTPS_PROXY
    if proxy is None:
        return direct
    tunnelled = httpx.AsyncHTTPTransport(
        verify=tls,
        trust_env=False,
        limits=limits,
        proxy=httpx.Proxy(
            f"{proxy.scheme}://{proxy}",
            auth=(proxy.user, proxy.password) if proxy.user else None,
            ssl_context=tls if proxy.scheme == "https" else None,
        ),
    )
    return RoutingTransport(direct, tunnelled)


class RoutingTransport(httpx.AsyncBaseTransport):
    """Sends each request directly or through the proxy. A failure of the proxy itself is a ProxyError with its text."""

    def __init__(self, direct: httpx.AsyncBaseTransport, tunnelled: httpx.AsyncBaseTransport) -> None:
        self._direct = direct
        self._tunnelled = tunnelled

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        proxy = find_proxy(url.host, url.port or 443) if url.scheme == "https" else None
        if proxy is None:
            return await self._direct.handle_async_request(request)
        seconds = request.extensions["timeout"]["connect"] * OPENING_SHARE
        opening = _Opening(seconds)
        request.extensions = {**request.extensions, "trace": opening.follow}
        try:
            async with opening.limit:
                return await self._tunnelled.handle_async_request(request)
        except TimeoutError:
            raise httpx.ProxyError(explain_silence(proxy), request=request) from None
        except httpx.TransportError as error:
            if opening.is_running:
                raise httpx.ProxyError(_explain(proxy, error), request=request) from None
            raise

    async def aclose(self) -> None:
        await self._direct.aclose()
        await self._tunnelled.aclose()


class _Opening:
    """The time from the connection to the proxy until the proxy has opened the tunnel to the host."""

    def __init__(self, seconds: float) -> None:
        self.is_running = False
        self.limit = asyncio.timeout(None)
        self._seconds = seconds

    async def follow(self, event: str, _info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            self.is_running = True
            self.limit.reschedule(asyncio.get_running_loop().time() + self._seconds)
        elif event == "proxy.start_tls.started":
            self.is_running = False
            self.limit.reschedule(None)


def _explain(proxy: Proxy, error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ProxyError):
        return explain_refusal(proxy, str(error))
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate of the proxy {proxy} cannot be trusted ({cause.verify_message})"
        cause = cause.__cause__ or cause.__context__
    return explain_silence(proxy, "" if isinstance(error, httpx.TimeoutException) else str(error))
