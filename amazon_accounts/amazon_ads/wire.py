"""One request over the wire and its whole answer, or a named error: never a hang, never a flood, never a secret."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy

import httpx

from amazon_accounts.amazon_ads.error_reader import find_request_id
from amazon_accounts.amazon_ads.errors import PermanentError, UnreachableError, UnreadableAnswerError
from amazon_accounts.amazon_ads.foreign_text import clean_explanation

#: Five thousand profiles are some two million bytes.
MAX_ANSWER_BYTES = 20_000_000
#: Of an error's body no more is read.
MAX_REFUSAL_BYTES = 65_536

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
#: For the whole exchange, so that an answer that drips ends too.
EXCHANGE_SECONDS = CONNECT_SECONDS + READ_SECONDS


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    #: Names the request in an error's sentence: "GET /v2/profiles (EU)".
    asked: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    #: What must not appear in any text, should Amazon echo it.
    secrets: tuple[str, ...] = field(default=(), repr=False)
    seconds: float = field(default_factory=lambda: EXCHANGE_SECONDS)


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
        self, *, connections: int, user_agent: str, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self._http = httpx.AsyncClient(
            transport=transport,
            http2=False,
            # A pool grows slower with its size; ten are enough for tens of requests a second.
            limits=httpx.Limits(
                max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30
            ),
            # A token goes to the host it is meant for and nowhere else: no redirects, no proxy and no .netrc that
            # the environment may name.
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": user_agent, "Accept-Encoding": "gzip"},
        )
        # One client speaks for many logins, who must not share cookies.
        self._http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def send(self, request: Request) -> Reply:
        """The whole answer, whatever its status."""
        headers: Mapping[str, str] = {}
        try:
            async with (
                asyncio.timeout(request.seconds),
                self._http.stream(
                    request.method,
                    request.url,
                    params=request.query or None,
                    headers=dict(request.headers),
                    content=request.content,
                    data=request.form,
                    # Connecting ends before the whole does: cut off in a handshake, a socket would stay open.
                    timeout=httpx.Timeout(READ_SECONDS, connect=min(CONNECT_SECONDS, request.seconds / 2)),
                ) as response,
            ):
                headers = response.headers
                return Reply(response.status_code, headers, await self._body(request, response))
        except TimeoutError:
            raise UnreachableError(
                f"No whole answer to {request.asked} in {request.seconds:g} seconds",
                request_id=find_request_id(headers),
            ) from None
        except httpx.DecodingError:
            raise UnreadableAnswerError(
                f"The answer to {request.asked} is packed wrongly", request_id=find_request_id(headers)
            ) from None
        except httpx.RequestError as error:
            # httpx quotes a header that it refuses to send; the cause must not be shown either, then.
            raise UnreachableError(
                f"{request.asked}: {_why(error, request.secrets)}", request_id=find_request_id(headers)
            ) from None
        except (httpx.InvalidURL, UnicodeError):
            raise PermanentError(
                f"{request.asked} has no valid address; see AMAZON_ADS_API_URL and AMAZON_LWA_URL"
            ) from None

    async def _body(self, request: Request, response: httpx.Response) -> bytes:
        most = MAX_ANSWER_BYTES if response.is_success else MAX_REFUSAL_BYTES
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > most:
                if response.is_success:
                    raise UnreadableAnswerError(
                        f"The answer to {request.asked} is longer than {most:,} bytes",
                        request_id=find_request_id(response.headers),
                    )
                break
        return bytes(body[:most])


def _why(error: httpx.RequestError, secrets: Iterable[str]) -> str:
    """What went wrong, in words. httpx's own are often empty."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the server's certificate is not to be trusted ({clean_explanation(cause.verify_message, secrets)})"
        cause = cause.__cause__ or cause.__context__
    kind = (
        "the connection broke"
        if isinstance(error, httpx.ProtocolError | httpx.ReadError)
        else "no connection"
    )
    said = clean_explanation(str(error), secrets)
    return f"{kind} ({said})" if said else kind
