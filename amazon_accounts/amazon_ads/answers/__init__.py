"""What Amazon answers, validated where it enters: items, pages of items, the preparation of their entries, and billing."""

from amazon_accounts.amazon_ads.answers.billing import (
    AdvertiserMarketplace,
    BillingItemError,
    BillingNotice,
    BillingStatus,
    read_billing_notices,
    read_billing_statuses,
)
from amazon_accounts.amazon_ads.answers.items import (
    MAX_LINKED_ACCOUNTS,
    AccountInfo,
    AdsAccount,
    AlternateId,
    Answer,
    DspAdvertiser,
    LinkedAccount,
    ManagerAccount,
    ProfileAnswer,
)
from amazon_accounts.amazon_ads.answers.pages import (
    MAX_PROFILES,
    Page,
    Rejected,
    read_ads_accounts,
    read_dsp_advertisers,
    read_manager_accounts,
    read_profiles,
    split_ads_accounts,
)

__all__ = [
    "MAX_LINKED_ACCOUNTS",
    "MAX_PROFILES",
    "AccountInfo",
    "AdsAccount",
    "AdvertiserMarketplace",
    "AlternateId",
    "Answer",
    "BillingItemError",
    "BillingNotice",
    "BillingStatus",
    "DspAdvertiser",
    "LinkedAccount",
    "ManagerAccount",
    "Page",
    "ProfileAnswer",
    "Rejected",
    "read_ads_accounts",
    "read_billing_notices",
    "read_billing_statuses",
    "read_dsp_advertisers",
    "read_manager_accounts",
    "read_profiles",
    "split_ads_accounts",
]
