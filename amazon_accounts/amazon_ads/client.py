"""The client of the Amazon Ads API: one for each process and event loop, speaking for many logins."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar

import httpx
import msgspec

from amazon_accounts.amazon_ads import answers
from amazon_accounts.amazon_ads.answers import (
    AdsAccount,
    DspAdvertiser,
    ManagerAccount,
    Page,
    ProfileAnswer,
)
from amazon_accounts.amazon_ads.error_reader import build_api_error, find_request_id, read_refusal
from amazon_accounts.amazon_ads.errors import (
    EndlessListingError,
    PermanentError,
    StalePageTokenError,
    UnauthorizedError,
    UnreadableAnswerError,
)
from amazon_accounts.amazon_ads.hosts import api_url
from amazon_accounts.amazon_ads.json_body import NotJsonError, decode_json
from amazon_accounts.amazon_ads.lwa import LoginWithAmazon
from amazon_accounts.amazon_ads.models import Family
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.amazon_ads.pacing.rate_limiter import CONNECTIONS, ExponentialBackoffRateLimiter
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey
from amazon_accounts.amazon_ads.pacing.slots import CallStats
from amazon_accounts.amazon_ads.shared_calls import SharedCalls
from amazon_accounts.amazon_ads.wire import Reply, Request, Wire

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

USER_AGENT = "AmazonAccounts/0.1 (Python httpx)"

JSON = "application/json"
LIST_ADS_ACCOUNTS = "application/vnd.listaccountsresource.v1+json"
ADS_ACCOUNT = "application/vnd.accountresource.v1+json"
MANAGER_ACCOUNTS = "application/vnd.getmanageraccountsresponse.v1+json"

PAGE_SIZE = 100
#: Of DSP advertisers Amazon shows no more than this one and the page behind it.
MAX_DSP_START_INDEX = 29_900
#: A walk of more pages leads nowhere, even if no page token comes twice.
MAX_PAGES = 10_000
#: Bytes. To read thousands of profiles takes a tenth of a second, in which nothing else would go on.
LARGE_ANSWER_BYTES = 64 * 1024


class TokenSource(Protocol):
    async def __call__(self, rejected: str | None = None) -> str:
        """A valid access token; `rejected` is one that Amazon just answered 401 to."""
        ...


class AmazonClient:
    """Owns the connections and this process's part of the pace. Use it as an async context manager."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._wire = Wire(connections=CONNECTIONS, user_agent=USER_AGENT, transport=transport)
        self._limiter = ExponentialBackoffRateLimiter()
        self.lwa = LoginWithAmazon(self._wire, self._limiter)
        self.shared_calls = SharedCalls()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._wire.aclose()

    def with_token(
        self, *, subject: str, client_id: str, token: TokenSource, max_wait: float = MAX_WAIT_SECONDS
    ) -> "AdsApi":
        """The calls of one login. `subject` names it towards the pace; no call waits longer than `max_wait` for slots."""
        return AdsApi(
            self._wire, self._limiter, subject=subject, client_id=client_id, token=token, max_wait=max_wait
        )


class AdsApi:
    """What one login can see. Every call raises an AmazonError, or PostponedError when it should come later."""

    def __init__(
        self,
        wire: Wire,
        limiter: ExponentialBackoffRateLimiter,
        *,
        subject: str,
        client_id: str,
        token: TokenSource,
        max_wait: float,
    ) -> None:
        self._wire = wire
        self._limiter = limiter
        self._subject = subject
        self._client_id = client_id
        self._token = token
        self._max_wait = max_wait
        self.stats = CallStats()

    async def ads_accounts(self, region: str) -> AsyncGenerator[Page[AdsAccount], None]:
        """All ads accounts, of all regions, page by page.

        If Amazon refuses one of its own page tokens, the walk starts again, once: accounts may come twice.
        """
        for is_last_walk in (False, True):
            try:
                async with aclosing(self._walk_ads_accounts(region)) as pages:
                    async for page in pages:
                        yield page
            except StalePageTokenError as error:
                if is_last_walk:
                    raise
                logger.warning("%s; starting again", error, extra={"action": "walk_restarted"})
            else:
                return

    async def _walk_ads_accounts(self, region: str) -> AsyncGenerator[Page[AdsAccount], None]:
        """Ask for each page before the one that names it is read."""
        token, seen = "", set[str]()
        asked = asyncio.create_task(self._ads_accounts_list(region, token))
        try:
            while True:
                try:
                    entries, following = await asked
                except PermanentError as error:
                    if token and error.status in {400, 422}:
                        raise StalePageTokenError(
                            f"Amazon refused the page it had named itself: {error}",
                            status=error.status,
                            code=error.code,
                        ) from error
                    raise
                is_endless = following in seen or len(seen) + 1 == MAX_PAGES
                if following and not is_endless:
                    seen.add(following)
                    asked = asyncio.create_task(self._ads_accounts_list(region, following))
                yield await asyncio.to_thread(answers.ads_accounts_page, entries)
                if not following:
                    return
                if is_endless:
                    raise EndlessListingError
                token = following
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def _ads_accounts_list(self, region: str, token: str) -> tuple[list[object], str]:
        body: dict[str, Any] = {"maxResults": PAGE_SIZE}
        if token:
            body["nextToken"] = token
        return await self._call(
            region,
            "POST",
            "/adsAccounts/list",
            read=answers.ads_accounts_list,
            accept=LIST_ADS_ACCOUNTS,
            headers={"Content-Type": LIST_ADS_ACCOUNTS},
            content=msgspec.json.encode(body),
        )

    async def ads_account(self, region: str, amazon_account_id: str) -> AdsAccount:
        """One ads account. NotFoundError if it is gone or not visible to this login."""
        if not amazon_account_id.replace(".", "").replace("-", "").isalnum():
            raise PermanentError("An ads account's id has letters, digits, dots and hyphens only")
        return await self._call(
            region,
            "GET",
            f"/adsAccounts/{amazon_account_id}",
            read=answers.one_ads_account,
            accept=ADS_ACCOUNT,
        )

    async def profiles(self, region: str, access_level: Literal["view", "edit"]) -> Page[ProfileAnswer]:
        """The profiles of the region that the login may see, or change. Amazon shows 5,000 at most."""
        return await self._call(
            region,
            "GET",
            "/v2/profiles",
            read=answers.profiles_page,
            accept=JSON,
            query={"accessLevel": access_level},
        )

    async def manager_accounts(self, region: str) -> Page[ManagerAccount]:
        """The manager accounts with their linked accounts in the region."""
        return await self._call(
            region, "GET", "/managerAccounts", read=answers.manager_accounts_page, accept=MANAGER_ACCOUNTS
        )

    async def dsp_advertisers(
        self, region: str, profile_id: str
    ) -> AsyncGenerator[Page[DspAdvertiser], None]:
        """The DSP advertisers behind one agency profile of the region, page by page; 30,000 at most.

        The last page is `cut` also when fewer were shown than Amazon counts, or the count changed on the way: pages
        are numbered by place, so one that went meanwhile moves another out of sight.
        """
        start, totals, shown = 0, set[int](), set[str]()
        while True:
            page, total = await self._call(
                region,
                "GET",
                "/dsp/advertisers",
                read=answers.dsp_advertisers_page,
                accept=JSON,
                headers={"Amazon-Advertising-API-Scope": profile_id},
                query={"startIndex": str(start), "count": str(PAGE_SIZE)},
                family=Family.DSP,
            )
            received = len(page.items) + len(page.rejected)
            start += received
            totals.add(total)
            shown.update(item.advertiser_id for item in page.items)
            shown.update(item.identifier for item in page.rejected)
            is_last = not received or start >= total
            page.cut = len(totals) > 1 or len(shown) < total if is_last else start > MAX_DSP_START_INDEX
            yield page
            if is_last or page.cut:
                return

    async def _call(
        self,
        region: str,
        method: str,
        path: str,
        *,
        read: Callable[[object], Result],
        accept: str,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        content: bytes | None = None,
        family: Family = Family.ACCOUNTS,
    ) -> Result:
        rejected: str | None = None
        used = ""

        async def prepare() -> str:
            nonlocal used
            used = await self._token(rejected)
            if used == rejected:
                raise UnauthorizedError(
                    f"{method} {path} ({region}): there is no newer token to try", status=401
                )
            return used

        async def send(token: str) -> Result:
            request = Request(
                method,
                api_url(region) + path,
                f"{method} {path} ({region})",
                headers={
                    "Authorization": f"Bearer {token}",
                    "Amazon-Advertising-API-ClientId": self._client_id,
                    "Accept": accept,
                    **(headers or {}),
                },
                query=query or {},
                content=content,
                secrets=(token,),
            )
            reply = await self._wire.send(request)
            if len(reply.body) < LARGE_ANSWER_BYTES:
                return _read(reply, request, read)
            return await asyncio.to_thread(_read, reply, request, read)

        while True:
            try:
                return await self._limiter.call(
                    RateLimitKey(region, family),
                    self._subject,
                    prepare=prepare,
                    send=send,
                    max_wait=self._max_wait,
                    stats=self.stats,
                )
            except UnauthorizedError:
                if rejected is not None:
                    raise
                rejected = used  # It may have ended early: once more, with a new one.


def _read(reply: Reply, request: Request, read: Callable[[object], Result]) -> Result:
    if not reply.is_success:
        raise build_api_error(
            read_refusal(reply.status, reply.headers, reply.body, request.secrets), request.asked
        )
    try:
        return read(decode_json(reply.body))
    except NotJsonError as error:
        problem = f"it is {error}" if reply.body else "it is empty"
    except UnreadableAnswerError as error:
        problem = str(error)
    raise UnreadableAnswerError(
        f"The answer to {request.asked} could not be read: {problem}",
        status=reply.status,
        request_id=find_request_id(reply.headers),
    )
