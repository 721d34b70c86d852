"""An Amazon that knows nothing but billing, for forms of request that the sandbox does not insist on."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from amazon_accounts.amazon_ads.answers import AdvertiserMarketplace, BillingItemError
from amazon_accounts.amazon_ads.billing.asking import Part
from amazon_accounts.amazon_ads.errors import AmazonError

Json = dict[str, Any]
Said = TypeVar("Said")


@dataclass(frozen=True)
class Asked:
    path: str
    region_host: str
    headers: httpx.Headers
    body: Json

    @property
    def pairs(self) -> list[Json]:
        found: list[Json] = self.body["advertiserMarketplaces"]
        return found

    @property
    def advertisers(self) -> list[str]:
        return [pair["advertiserId"] for pair in self.pairs]

    @property
    def account(self) -> str:
        return str(self.headers.get("Amazon-Ads-AccountId", ""))


def refuse(status: int, **body: str) -> httpx.Response:
    return httpx.Response(status, json=body or {"message": "no"})


@dataclass
class BillingAmazon(httpx.AsyncBaseTransport):
    """Answers what it was told; every pair that it was told nothing about is good and has no notice."""

    statuses: dict[str, Json] = field(default_factory=dict)
    notices: dict[str, list[Json]] = field(default_factory=dict)
    errors: dict[str, Json] = field(default_factory=dict)
    #: Returns the refusal of a whole request, or None.
    refusal: Callable[[Asked], httpx.Response | None] = lambda asked: None
    asked: list[Asked] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = Asked(request.url.path, request.url.host, request.headers, json.loads(await request.aread()))
        self.asked.append(asked)
        return self.refusal(asked) or httpx.Response(200, json=self._answer(asked))

    def _answer(self, asked: Asked) -> Json:
        answer: Json = {"success": [], "error": []}
        # Amazon does not promise an order.
        for index, pair in reversed(list(enumerate(asked.pairs))):
            advertiser = pair["advertiserId"]
            if advertiser in self.errors:
                answer["error"].append({"index": index, **self.errors[advertiser]})
            else:
                item = {"index": index, "advertiserMarketplace": pair}
                answer["success"].append({**item, **self._describe(asked.path, advertiser)})
        return answer

    def _describe(self, path: str, advertiser: str) -> Json:
        if path.endswith("/billing/notifications"):
            return {"billingNotifications": self.notices.get(advertiser, [])}
        good = {"billingStatusCode": "VALID_BILLING_STATUS", "message": ""}
        return {"billingStatus": self.statuses.get(advertiser, good)}


def pairs(number: int, *, start: int = 1) -> list[AdvertiserMarketplace]:
    return [
        AdvertiserMarketplace(f"ENTITY{place}", "ATVPDKIKX0DER", "SELLER")
        for place in range(start, start + number)
    ]


async def collect(
    parts: AsyncIterator[Part[Said]],
) -> dict[AdvertiserMarketplace, Said | BillingItemError | AmazonError]:
    """Return the outcome of each pair, and see that each comes once."""
    found: dict[AdvertiserMarketplace, Said | BillingItemError | AmazonError] = {}
    async for asked, results in parts:
        assert not found.keys() & set(asked)
        if isinstance(results, AmazonError):
            found.update(dict.fromkeys(asked, results))
        else:
            assert results.keys() == set(asked)
            found.update(results)
    return found
