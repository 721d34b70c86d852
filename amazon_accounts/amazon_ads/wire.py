"""One HTTP request and its whole answer, or a named error within a time and size limit, without any secret in it."""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy

import httpx

from amazon_accounts.amazon_ads.error_reader import find_request_id
from amazon_accounts.amazon_ads.errors import PermanentError, UnreachableError, UnreadableAnswerError
from amazon_accounts.amazon_ads.foreign_text import clean_explanation
from amazon_accounts.amazon_ads.time_limit import limit_time
from amazon_accounts.outgoing.calls import make_transport

# 5,000 profiles have about 2 million bytes.
MAX_ANSWER_BYTES = 20_000_000
# Of the body of an error, only this much is read.
MAX_REFUSAL_BYTES = 65_536


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """In seconds. `exchange` is for request and answer together, so that an answer that arrives in drops ends too."""

    connect: float = 5.0
    read: float = 60.0
    exchange: float = 65.0


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    # Names the request in the text of an error: "GET /v2/profiles (EU)".
    description: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    # Texts that must not appear in an error, even if Amazon repeats them.
    secrets: tuple[str, ...] = field(default=(), repr=False)
    # Shortens the time for the exchange.
    max_seconds: float = float("inf")


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Wire:
    def __init__(
        self,
        *,
        connections: int,
        user_agent: str,
        transport: httpx.AsyncBaseTransport | None,
        timeouts: Timeouts,
    ) -> None:
        self._timeouts = timeouts
        # A pool gets slower as it grows. Ten connections are enough for tens of requests a second.
        limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30
        )
        self._http = httpx.AsyncClient(
            transport=transport or make_transport(limits),
            # A token goes only to the host it is meant for: no redirects, and no .netrc of the environment. The
            # transport reads the settings of the proxy.
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": user_agent, "Accept-Encoding": "gzip"},
        )
        # One client makes calls for many logins, which must not share cookies.
        self._http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def send(self, request: Request) -> Reply:
        headers: Mapping[str, str] = {}
        max_seconds = min(self._timeouts.exchange, request.max_seconds)
        try:
            async with (
                limit_time(max_seconds),
                self._http.stream(
                    request.method,
                    request.url,
                    params=request.query or None,
                    headers=dict(request.headers),
                    content=request.content,
                    data=request.form,
                    # Connecting must time out before the whole exchange does: cancelling a handshake leaves a socket open.
                    timeout=httpx.Timeout(
                        self._timeouts.read, connect=min(self._timeouts.connect, max_seconds / 2)
                    ),
                ) as response,
            ):
                headers = response.headers
                return Reply(response.status_code, headers, await self._read_body(request, response))
        except TimeoutError:
            raise UnreachableError(
                f"No whole answer to {request.description} in {max_seconds:g} seconds",
                request_id=find_request_id(headers),
            ) from None
        except httpx.DecodingError:
            raise UnreadableAnswerError(
                f"The answer to {request.description} is compressed wrongly",
                request_id=find_request_id(headers),
            ) from None
        except httpx.RequestError as error:
            # httpx quotes a header that it refuses to send, so its error must not be chained.
            raise UnreachableError(
                f"{request.description}: {_explain(error, request.secrets)}",
                request_id=find_request_id(headers),
            ) from None
        except (httpx.InvalidURL, UnicodeError):
            raise PermanentError(
                f"{request.description} has no valid address; see AMAZON_ADS_API_URL and AMAZON_LWA_URL"
            ) from None

    async def _read_body(self, request: Request, response: httpx.Response) -> bytes:
        max_bytes = MAX_ANSWER_BYTES if response.is_success else MAX_REFUSAL_BYTES
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > max_bytes:
                if response.is_success:
                    raise UnreadableAnswerError(
                        f"The answer to {request.description} is longer than {max_bytes:,} bytes",
                        request_id=find_request_id(response.headers),
                    )
                break
        return bytes(body[:max_bytes])


def _explain(error: httpx.RequestError, secrets: Iterable[str]) -> str:
    # The texts of httpx are often empty.
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ProxyError):
        return clean_explanation(str(error), secrets)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            said = clean_explanation(cause.verify_message, secrets)
            return f"the server's certificate cannot be trusted ({said}); CA_BUNDLE names the trusted certificates"
        cause = cause.__cause__ or cause.__context__
    kind = (
        "the connection broke"
        if isinstance(error, httpx.ProtocolError | httpx.ReadError)
        else "no connection"
    )
    said = clean_explanation(str(error), secrets)
    return f"{kind} ({said})" if said else kind
