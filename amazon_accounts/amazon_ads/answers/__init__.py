"""What Amazon answers, validated where it enters: items, pages of items, and the preparation of their entries."""

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
    "AlternateId",
    "Answer",
    "DspAdvertiser",
    "LinkedAccount",
    "ManagerAccount",
    "Page",
    "ProfileAnswer",
    "Rejected",
    "read_ads_accounts",
    "read_dsp_advertisers",
    "read_manager_accounts",
    "read_profiles",
    "split_ads_accounts",
]
