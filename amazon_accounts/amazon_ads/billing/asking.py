"""Asks about any number of pairs, in requests of the form that Amazon takes.

A request that is refused as a whole with 400 is asked again in halves. Where Amazon refuses notifications, one pair is
asked about without and with the header of its ads account. What is learned so is remembered.
"""

import logging
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Generic, Protocol, TypeVar

from amazon_accounts.amazon_ads.answers import AdvertiserMarketplace, BillingItemError
from amazon_accounts.amazon_ads.billing.endpoints import Endpoint, Results
from amazon_accounts.amazon_ads.billing.form import Form, FormMemory
from amazon_accounts.amazon_ads.errors import AmazonError, PermanentError

logger = logging.getLogger(__name__)

Said = TypeVar("Said")

# Some pairs, and either a result for each of them or the error of their whole request.
Part = tuple[Sequence[AdvertiserMarketplace], Results[Said] | AmazonError]

# Amazon's word for a pair that it does not understand.
BAD_REQUEST = "BAD_REQUEST"
# Codes of ours for pairs that are not asked about.
INCOMPLETE = "INCOMPLETE"
NO_ADS_ACCOUNT = "NO_ADS_ACCOUNT"

# How Amazon may refuse a request without the header of an ads account.
REFUSALS_OF_FORM = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class Send(Protocol):
    async def __call__(
        self, endpoint: Endpoint[Said], pairs: Sequence[AdvertiserMarketplace], account_id: str
    ) -> Results[Said]:
        """Send one request, with the header of an ads account if it has one. AmazonError if it is refused."""
        ...


def ask(
    endpoint: Endpoint[Said], accounts: Mapping[AdvertiserMarketplace, str], send: Send, memory: FormMemory
) -> AsyncGenerator[Part[Said], None]:
    """Yield each pair once. `accounts` has the id of the ads account of each pair, or ""."""
    return _Asking(endpoint, accounts, send, memory).run()


@dataclass
class _Chunk:
    """The requests into which one request was divided, and what they show about Amazon's limit."""

    open_requests: int = 1
    most_answered: int = 0
    fewest_refused: int | None = None

    @property
    def limit(self) -> int | None:
        """The number of pairs that Amazon takes, if the answers to all the requests show it.

        A refused request that was smaller than an answered one shows that the number was not to blame.
        """
        if self.open_requests or not self.most_answered or not self.fewest_refused:
            return None
        return self.most_answered if self.most_answered < self.fewest_refused else None


@dataclass
class _Request:
    pairs: Sequence[AdvertiserMarketplace]
    account_id: str = ""
    chunk: _Chunk = field(default_factory=_Chunk)


class _Asking(Generic[Said]):
    def __init__(
        self,
        endpoint: Endpoint[Said],
        accounts: Mapping[AdvertiserMarketplace, str],
        send: Send,
        memory: FormMemory,
    ) -> None:
        self._endpoint = endpoint
        self._accounts = accounts
        self._send = send
        self._memory = memory
        self._form = Form()
        self._waiting: deque[_Request] = deque()
        self._may_try_header = endpoint.takes_account

    async def run(self) -> AsyncGenerator[Part[Said], None]:
        self._form = await self._memory.load()
        incomplete = [pair for pair in self._accounts if not (pair.advertiser_id and pair.marketplace_id)]
        if incomplete:
            yield (
                incomplete,
                _fail(incomplete, INCOMPLETE, "The id of the advertiser or marketplace is missing"),
            )
        self._divide(pair for pair in self._accounts if pair.advertiser_id and pair.marketplace_id)
        while self._waiting:
            request = self._waiting.popleft()
            if self._must_have_account and not request.account_id:
                text = "Amazon tells this for known ads accounts only, and this advertiser belongs to none"
                yield request.pairs, _fail(request.pairs, NO_ADS_ACCOUNT, text)
                continue
            part = await self._make(request)
            if part:
                yield part
            if request.chunk.limit:
                await self._learn_limit(request.chunk.limit)

    @property
    def _must_have_account(self) -> bool:
        return self._endpoint.takes_account and self._form.needs_account

    def _divide(self, pairs: Iterable[AdvertiserMarketplace]) -> None:
        """Put the pairs into requests of the form that is known now."""
        groups: defaultdict[str, list[AdvertiserMarketplace]] = defaultdict(list)
        for pair in pairs:
            groups[self._accounts[pair] if self._must_have_account else ""].append(pair)
        size = self._form.max_pairs
        self._waiting = deque(
            _Request(group[start : start + size], account_id)
            for account_id, group in groups.items()
            for start in range(0, len(group), size)
        )

    def _divide_again(self, *pairs: AdvertiserMarketplace) -> None:
        self._divide([*pairs, *(pair for request in self._waiting for pair in request.pairs)])

    async def _make(self, request: _Request) -> Part[Said] | None:
        """Make one request. None if its pairs wait for other requests."""
        chunk = request.chunk
        chunk.open_requests -= 1
        try:
            results = await self._send(self._endpoint, request.pairs, request.account_id)
        except AmazonError as error:
            if self._is_form_in_doubt(request, error):
                part = await self._try_account_header(request)
                if part:
                    return part
            if error.status == HTTPStatus.BAD_REQUEST and isinstance(error, PermanentError):
                return self._halve(request, error)
            return request.pairs, error
        chunk.most_answered = max(chunk.most_answered, len(request.pairs))
        return request.pairs, results

    def _halve(self, request: _Request, error: AmazonError) -> Part[Said] | None:
        pairs, chunk = request.pairs, request.chunk
        chunk.fewest_refused = min(chunk.fewest_refused or len(pairs), len(pairs))
        if len(pairs) == 1:
            return pairs, _fail(pairs, BAD_REQUEST, str(error))
        chunk.open_requests += 2
        middle = (len(pairs) + 1) // 2
        for half in (pairs[middle:], pairs[:middle]):
            self._waiting.appendleft(_Request(half, request.account_id, chunk))
        return None

    async def _learn_limit(self, max_pairs: int) -> None:
        logger.warning(
            "Amazon answers questions about billing for at most %d advertisers at once.",
            max_pairs,
            extra={"action": "billing_limit_learned", "max_pairs": max_pairs},
        )
        self._form = replace(self._form, max_pairs=max_pairs)
        self._divide_again()
        await self._memory.remember_limit(max_pairs)

    def _is_form_in_doubt(self, request: _Request, error: AmazonError) -> bool:
        is_refusal = error.status in REFUSALS_OF_FORM and error.kind in {"permanent", "forbidden"}
        has_account = any(self._accounts[pair] for pair in request.pairs)
        return is_refusal and has_account and self._may_try_header and not request.account_id

    async def _try_account_header(self, request: _Request) -> Part[Said] | None:
        """Ask about one pair of a refused request, without and with the header of its ads account.

        One pair alone shows that neither the number of pairs nor another pair is to blame. Return its answer, if there
        is one; the other pairs then wait for other requests.
        """
        self._may_try_header = False
        pair = next(pair for pair in request.pairs if self._accounts[pair])
        others = [other for other in request.pairs if other != pair]
        results: Results[Said] | None = None
        if others:
            results = await self._answer_or_none(pair, "")
            if results:
                self._waiting.appendleft(_Request(others, chunk=request.chunk))
                request.chunk.open_requests += 1
                return [pair], results
        results = await self._answer_or_none(pair, self._accounts[pair])
        if not results:
            return None
        logger.warning(
            "Amazon tells billing notifications only with the header of an ads account.",
            extra={"action": "billing_account_header_learned"},
        )
        self._form = replace(self._form, needs_account=True)
        self._divide_again(*others)
        await self._memory.remember_account_header()
        return [pair], results

    async def _answer_or_none(self, pair: AdvertiserMarketplace, account_id: str) -> Results[Said] | None:
        try:
            return await self._send(self._endpoint, [pair], account_id)
        except AmazonError:
            # The error of the request that led to this trial is the one to tell.
            return None


def _fail(
    pairs: Iterable[AdvertiserMarketplace], code: str, description: str
) -> dict[AdvertiserMarketplace, BillingItemError]:
    return {pair: BillingItemError(code, description) for pair in pairs}
