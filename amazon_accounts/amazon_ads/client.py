"""The client of the Amazon Ads API. One for each process and event loop; it makes calls for many logins."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar

import httpx
import msgspec

from amazon_accounts import __version__
from amazon_accounts.amazon_ads import answers
from amazon_accounts.amazon_ads.answers import (
    AdsAccount,
    AdvertiserMarketplace,
    BillingNotice,
    BillingStatus,
    DspAdvertiser,
    ManagerAccount,
    Page,
    ProfileAnswer,
)
from amazon_accounts.amazon_ads.billing import asking, endpoints
from amazon_accounts.amazon_ads.billing.form import FormMemory
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
from amazon_accounts.amazon_ads.pacing.rate_limiter import MAX_CONNECTIONS, ExponentialBackoffRateLimiter
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey
from amazon_accounts.amazon_ads.pacing.slots import CallStats
from amazon_accounts.amazon_ads.shared_calls import SharedCalls
from amazon_accounts.amazon_ads.wire import Reply, Request, Timeouts, Wire

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

USER_AGENT = f"AmazonAccounts/{__version__} (Python httpx)"

JSON = "application/json"
LIST_ADS_ACCOUNTS = "application/vnd.listaccountsresource.v1+json"
MANAGER_ACCOUNTS = "application/vnd.getmanageraccountsresponse.v1+json"

PAGE_SIZE = 100
# Amazon shows no DSP advertisers beyond the page that starts here.
MAX_DSP_START_INDEX = 29_900
# A list with more pages counts as endless. Amazon could give a new page token after each page.
MAX_PAGES = 10_000
# A longer answer is read in a thread. Thousands of profiles take a tenth of a second, which would stop the event loop.
LARGE_ANSWER_BYTES = 64 * 1024


class TokenSource(Protocol):
    async def __call__(self, rejected: str | None = None) -> str:
        """Return a valid access token. `rejected` is a token to which Amazon just answered 401."""
        ...


class AmazonClient:
    """Holds the HTTP connections and the rate limiter of this process. Use it as an async context manager."""

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        limiter: ExponentialBackoffRateLimiter | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._wire = Wire(
            connections=MAX_CONNECTIONS,
            user_agent=USER_AGENT,
            transport=transport,
            timeouts=timeouts or Timeouts(),
        )
        self._limiter = limiter or ExponentialBackoffRateLimiter()
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
        """Return the API as one login sees it.

        `subject` names the login to the rate limiter. No call waits longer than `max_wait` seconds for slots.
        """
        return AdsApi(
            self._wire, self._limiter, subject=subject, client_id=client_id, token=token, max_wait=max_wait
        )


@dataclass(frozen=True, kw_only=True)
class ApiRequest:
    region: str
    method: str
    path: str
    accept: str
    family: Family = Family.ACCOUNTS
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.region})"


class AdsApi:
    """The calls of one login. A call raises AmazonError if it fails, and PostponedError if it must be made later."""

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
        self._billing_form = FormMemory(limiter.database, client_id)

    async def ads_accounts(
        self, region: str, *, max_pages: int = MAX_PAGES
    ) -> AsyncGenerator[Page[AdsAccount], None]:
        """Yield the pages of the ads accounts of all regions.

        If Amazon refuses a page token that it gave, the listing starts again, once. Accounts may then come twice.
        """
        for is_second_time in (False, True):
            try:
                async with aclosing(self._list_ads_accounts(region, max_pages)) as pages:
                    async for page in pages:
                        yield page
            except StalePageTokenError as error:
                if is_second_time:
                    raise
                logger.warning("%s; starting again", error, extra={"action": "listing_restarted"})
            else:
                return

    async def _list_ads_accounts(self, region: str, max_pages: int) -> AsyncGenerator[Page[AdsAccount], None]:
        # The next page is requested before the items of this page are validated, to save time.
        token, seen = "", set[str]()
        asked = asyncio.create_task(self._ask_for_ads_accounts(region, token))
        try:
            while True:
                try:
                    entries, next_token = await asked
                except PermanentError as error:
                    if token and error.status in {400, 422}:
                        raise StalePageTokenError(
                            f"Amazon refused the page that it had named itself: {error}",
                            status=error.status,
                            code=error.code,
                        ) from error
                    raise
                is_endless = next_token in seen or len(seen) + 1 == max_pages
                if next_token and not is_endless:
                    seen.add(next_token)
                    asked = asyncio.create_task(self._ask_for_ads_accounts(region, next_token))
                yield await asyncio.to_thread(answers.read_ads_accounts, entries)
                if not next_token:
                    return
                if is_endless:
                    raise EndlessListingError
                token = next_token
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def _ask_for_ads_accounts(self, region: str, token: str) -> tuple[list[object], str]:
        body: dict[str, Any] = {"maxResults": PAGE_SIZE}
        if token:
            body["nextToken"] = token
        request = ApiRequest(
            region=region,
            method="POST",
            path="/adsAccounts/list",
            accept=LIST_ADS_ACCOUNTS,
            headers={"Content-Type": LIST_ADS_ACCOUNTS},
            content=msgspec.json.encode(body),
        )
        return await self._call(request, answers.split_ads_accounts)

    async def profiles(self, region: str, access_level: Literal["view", "edit"]) -> Page[ProfileAnswer]:
        # Amazon shows 5,000 profiles at most.
        request = ApiRequest(
            region=region,
            method="GET",
            path="/v2/profiles",
            accept=JSON,
            query={"accessLevel": access_level},
        )
        return await self._call(request, answers.read_profiles)

    async def manager_accounts(self, region: str) -> Page[ManagerAccount]:
        request = ApiRequest(region=region, method="GET", path="/managerAccounts", accept=MANAGER_ACCOUNTS)
        return await self._call(request, answers.read_manager_accounts)

    async def dsp_advertisers(
        self, region: str, profile_id: str, *, max_start_index: int = MAX_DSP_START_INDEX
    ) -> AsyncGenerator[Page[DspAdvertiser], None]:
        """Yield the pages of the DSP advertisers behind one agency profile of the region, 30,000 at most.

        The last page is `cut` also if Amazon showed fewer advertisers than it counts, or if its count changed. Pages
        are numbered by position, so an advertiser that leaves the list moves another one to a page already read.
        A list without a count ends at a page without new advertisers.
        """
        start, totals, shown = 0, set[int | None](), set[str]()
        while True:
            request = ApiRequest(
                region=region,
                method="GET",
                path="/dsp/advertisers",
                accept=JSON,
                family=Family.DSP,
                headers={"Amazon-Advertising-API-Scope": profile_id},
                query={"startIndex": str(start), "count": str(PAGE_SIZE)},
            )
            page, total = await self._call(request, answers.read_dsp_advertisers)
            received = len(page.items) + len(page.rejected)
            start += received
            totals.add(total)
            known = len(shown)
            shown.update(item.advertiser_id for item in page.items)
            shown.update(item.identifier for item in page.rejected)
            if total is None:
                # A page that was shown before means that Amazon does not count on from where it was asked.
                is_last = len(shown) == known
                is_short = is_last and received > 0
            else:
                is_last = not received or start >= total
                is_short = len(shown) < total
            page.cut = len(totals) > 1 or is_short if is_last else start > max_start_index
            yield page
            if is_last or page.cut:
                return

    def billing_statuses(
        self, region: str, pairs: Iterable[AdvertiserMarketplace]
    ) -> AsyncGenerator[asking.Part[BillingStatus], None]:
        """Yield some pairs at a time, with a result for each or the AmazonError of their whole request.

        Each pair comes once. PostponedError ends it; the pairs that did not come were not asked about.
        """
        return self._ask_about_billing(region, endpoints.STATUSES, dict.fromkeys(pairs, ""))

    def billing_notifications(
        self, region: str, pairs: Mapping[AdvertiserMarketplace, str]
    ) -> AsyncGenerator[asking.Part[list[BillingNotice]], None]:
        """Yield as `billing_statuses` does. `pairs` has the id of the ads account of each pair, or "".

        Ask only about pairs whose status Amazon told, so that a refusal has its cause in the form of the request.
        """
        return self._ask_about_billing(region, endpoints.NOTIFICATIONS, pairs)

    def _ask_about_billing(
        self,
        region: str,
        endpoint: endpoints.Endpoint[Result],
        accounts: Mapping[AdvertiserMarketplace, str],
    ) -> AsyncGenerator[asking.Part[Result], None]:
        return asking.ask(endpoint, accounts, partial(self._send_about_billing, region), self._billing_form)

    async def _send_about_billing(
        self,
        region: str,
        endpoint: endpoints.Endpoint[Result],
        pairs: Sequence[AdvertiserMarketplace],
        account_id: str,
    ) -> endpoints.Results[Result]:
        account = {"Amazon-Ads-AccountId": account_id} if account_id else {}
        request = ApiRequest(
            region=region,
            method="POST",
            path=endpoint.path,
            accept=endpoint.answer_type,
            family=Family.BILLING,
            headers={"Content-Type": endpoint.request_type, **account},
            content=endpoints.write_body(pairs),
        )
        return await self._call(request, lambda value: endpoint.read(value, pairs))

    async def _call(self, request: ApiRequest, read: Callable[[object], Result]) -> Result:
        tokens = _CallTokens(self._token, request)
        while True:
            try:
                return await self._limiter.call(
                    RateLimitKey(request.region, request.family),
                    self._subject,
                    prepare=tokens.get,
                    send=partial(self._send, request, read),
                    max_wait=self._max_wait,
                    stats=self.stats,
                )
            except UnauthorizedError:
                # A token may end early, so a second one is tried.
                if tokens.rejected is not None:
                    raise
                tokens.rejected = tokens.last

    async def _send(self, request: ApiRequest, read: Callable[[object], Result], token: str) -> Result:
        sent = Request(
            request.method,
            api_url(request.region) + request.path,
            str(request),
            headers={
                "Authorization": f"Bearer {token}",
                "Amazon-Advertising-API-ClientId": self._client_id,
                "Accept": request.accept,
                **request.headers,
            },
            query=request.query,
            content=request.content,
            secrets=(token,),
        )
        reply = await self._wire.send(sent)
        if len(reply.body) < LARGE_ANSWER_BYTES:
            return _read(reply, sent, read)
        return await asyncio.to_thread(_read, reply, sent, read)


class _CallTokens:
    """The tokens that one call tries: the current token, and after a 401 a newer one."""

    def __init__(self, source: TokenSource, request: ApiRequest) -> None:
        self._source = source
        self._request = request
        self.last = ""
        self.rejected: str | None = None

    async def get(self) -> str:
        self.last = await self._source(self.rejected)
        if self.last == self.rejected:
            raise UnauthorizedError(f"{self._request}: there is no newer token to try", status=401)
        return self.last


def _read(reply: Reply, request: Request, read: Callable[[object], Result]) -> Result:
    if not reply.is_success:
        refusal = read_refusal(reply.status, reply.headers, reply.body, request.secrets)
        raise build_api_error(refusal, request.description)
    try:
        return read(decode_json(reply.body))
    except NotJsonError as error:
        problem = f"it is {error}" if reply.body else "it is empty"
    except UnreadableAnswerError as error:
        problem = str(error)
    raise UnreadableAnswerError(
        f"The answer to {request.description} could not be read: {problem}",
        status=reply.status,
        request_id=find_request_id(reply.headers),
    )
