"""The two endpoints of Amazon's billing, and what a request to them contains.

https://advertising.amazon.com/API/docs/en-us/billing
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from amazon_accounts.amazon_ads import answers
from amazon_accounts.amazon_ads.answers import (
    AdvertiserMarketplace,
    BillingItemError,
    BillingNotice,
    BillingStatus,
)

Said = TypeVar("Said")

Results = Mapping[AdvertiserMarketplace, Said | BillingItemError]

# Of one request.
MAX_PAIRS = 30
LOCALE = "en_US"
ADVERTISER_TYPES = {"SELLER", "VENDOR", "AGENCY", "DSP_ADVERTISING_ACCOUNT"}


@dataclass(frozen=True)
class Endpoint(Generic[Said]):
    path: str
    request_type: str
    answer_type: str
    # Amazon may want the header of one ads account.
    takes_account: bool
    read: Callable[[object, Sequence[AdvertiserMarketplace]], Results[Said]]


STATUSES: Endpoint[BillingStatus] = Endpoint(
    path="/billing/statuses",
    request_type="application/vnd.bulkgetbillingstatusrequestbody.v1+json",
    answer_type="application/vnd.bulkgetbillingstatusresponse.v1+json",
    takes_account=False,
    read=answers.read_billing_statuses,
)
NOTIFICATIONS: Endpoint[list[BillingNotice]] = Endpoint(
    path="/billing/notifications",
    request_type="application/vnd.billingnotifications.v1+json",
    answer_type="application/vnd.bulkgetbillingnotificationsresponse.v1+json",
    takes_account=True,
    read=answers.read_billing_notices,
)


def write_body(pairs: Sequence[AdvertiserMarketplace]) -> bytes:
    return msgspec.json.encode({"advertiserMarketplaces": [_write(pair) for pair in pairs], "locale": LOCALE})


def _write(pair: AdvertiserMarketplace) -> dict[str, Any]:
    written = {"advertiserId": pair.advertiser_id, "marketplaceId": pair.marketplace_id}
    # Profiles have types in small letters, and types that Amazon's billing does not know.
    advertiser_type = pair.advertiser_type.upper()
    if advertiser_type in ADVERTISER_TYPES:
        written["advertiserType"] = advertiser_type
    return written
