"""The items of Amazon's lists, as validated structs."""

from decimal import Decimal
from typing import Any

import msgspec

# Amazon shows no more linked accounts of one manager account, and does not say that it left some out.
MAX_LINKED_ACCOUNTS = 50

Json = dict[str, Any]


class Answer(msgspec.Struct, rename="camel", kw_only=True):
    """One item of a list, with the JSON that Amazon sent."""

    raw: Json = msgspec.field(default_factory=dict, name="(raw)")


class AlternateId(msgspec.Struct, rename="camel", kw_only=True):
    country_code: str = ""
    profile_id: str | None = None
    entity_id: str | None = None


class AdsAccount(Answer, kw_only=True):
    ads_account_id: str
    account_name: str = ""
    status: str = ""
    country_codes: list[str] = []
    alternate_ids: list[AlternateId] = []


class AccountInfo(msgspec.Struct, rename="camel", kw_only=True):
    marketplace_string_id: str = ""
    id: str = ""
    type: str = ""
    name: str = ""
    sub_type: str = ""
    valid_payment_method: bool | None = None


class ProfileAnswer(Answer, kw_only=True):
    profile_id: str
    country_code: str = ""
    currency_code: str = ""
    timezone: str = ""
    daily_budget: Decimal | None = None
    account_info: AccountInfo = msgspec.field(default_factory=AccountInfo)


class LinkedAccount(msgspec.Struct, rename="camel", kw_only=True):
    account_id: str = ""
    account_name: str = ""
    account_type: str = ""
    marketplace_id: str = ""
    profile_id: str | None = None
    dsp_advertiser_id: str | None = None


class ManagerAccount(Answer, kw_only=True):
    manager_account_id: str
    manager_account_name: str = ""
    linked_accounts: list[LinkedAccount] = []

    @property
    def perhaps_cut(self) -> bool:
        return len(self.linked_accounts) >= MAX_LINKED_ACCOUNTS


class DspAdvertiser(Answer, kw_only=True):
    advertiser_id: str
    name: str = ""
    country: str = ""
