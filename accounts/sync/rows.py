"""Amazon's answers as rows to be staged, each checked before it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from accounts.models import Account
from accounts.sync.marketplaces import region_of_country, shown_country
from amazon_accounts.amazon_ads.answers import (
    AdsAccount,
    AlternateId,
    DspAdvertiser,
    LinkedAccount,
    ManagerAccount,
    ProfileAnswer,
    Rejected,
)
from amazon_accounts.amazon_ads.foreign_text import clean_explanation

# An index row of PostgreSQL holds 2,704 bytes: a longer name could be stored, but no list of accounts be sorted by it.
MOST_NAME_BYTES: Final = 2000
MOST_ID_BYTES: Final = 500
# What Amazon says about one thing; more is not what a page, an export or a search should carry.
MOST_METADATA_BYTES: Final = 256 * 1024

STATUSES: Final = {
    "": Account.Status.ACTIVE,
    "CREATED": Account.Status.ACTIVE,
    "DISABLED": Account.Status.SUSPENDED,
    "PENDING": Account.Status.PENDING,
    "PARTIALLY_CREATED": Account.Status.PENDING,
}


class Unstorable(ValueError):  # noqa: N818 - it reads as the state it reports
    """This item cannot be stored."""


@dataclass
class StagedAccount:
    """A row of accounts_staged_account, less what the run knows."""

    amazon_account_id: str
    source: Account.Source
    seen_in: list[str]
    name: str
    account_type: Account.Type | None
    status: Account.Status
    amazon_status: str | None = None
    countries: list[str] = field(default_factory=list)
    errors: str = "{}"
    metadata: str = "{}"
    profile_ids: list[str] = field(default_factory=list)
    profile_countries: list[str] = field(default_factory=list)
    profile_regions: list[str] = field(default_factory=list)
    profile_entities: list[str] = field(default_factory=list)
    links: str | None = None
    cut_regions: list[str] | None = None
    new_id: UUID = field(default_factory=uuid7)

    def __post_init__(self) -> None:
        for identifier in (self.amazon_account_id, *self.profile_ids):
            if not 0 < len(identifier.encode()) <= MOST_ID_BYTES:
                raise Unstorable(f"An id in it is longer than {MOST_ID_BYTES} bytes.")
        if len(self.name.encode()) > MOST_NAME_BYTES:
            raise Unstorable(f"Its name is longer than {MOST_NAME_BYTES:,} bytes.")


@dataclass
class StagedProfile:
    """A row of accounts_staged_profile, less what the run knows."""

    profile_id: str
    region: str
    country_code: str
    marketplace_id: str
    currency_code: str
    timezone: str
    type: str
    subtype: str
    name: str
    entity_id: str
    access_level: str | None
    valid_payment_method: bool | None
    daily_budget: Decimal | None
    raw: str | None
    new_account_id: UUID = field(default_factory=uuid7)

    def __post_init__(self) -> None:
        for identifier in (self.profile_id, self.entity_id, self.marketplace_id):
            if len(identifier.encode()) > MOST_ID_BYTES:
                raise Unstorable(f"An id in it is longer than {MOST_ID_BYTES} bytes.")
        if len(self.name.encode()) > MOST_NAME_BYTES:
            raise Unstorable(f"Its name is longer than {MOST_NAME_BYTES:,} bytes.")


@dataclass
class Rows:
    """What became of a page: rows to stage, items that cannot be stored, and what was left out of what is stored."""

    accounts: list[StagedAccount] = field(default_factory=list)
    profiles: list[StagedProfile] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    omissions: list[str] = field(default_factory=list)
    # The lists that show an account of this id, where it is not the walk's own.
    scopes: dict[str, set[str]] = field(default_factory=dict)

    def reject(self, identifier: str, error: Unstorable) -> None:
        self.rejected.append(Rejected(identifier, str(error)))

    def limited(self, what: str, identifier: str, value: Mapping[str, Any]) -> str | None:
        """What Amazon says, as JSON; None, and a note, when it is too much."""
        text = encoded(value)
        if (size := len(text.encode())) <= MOST_METADATA_BYTES:
            return text
        self.omissions.append(
            f"The {what} of {clean_explanation(identifier)} has {size:,} bytes and was left out."
        )
        return None


def encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()


def ads_accounts(items: Iterable[AdsAccount], scope: str) -> Rows:
    rows = Rows()
    for item in items:
        try:
            rows.accounts.append(_ads_account(item, scope, rows))
        except Unstorable as error:
            rows.reject(item.ads_account_id, error)
    return rows


def _ads_account(item: AdsAccount, scope: str, rows: Rows) -> StagedAccount:
    profiles = _named_profiles(item.alternate_ids)
    countries = item.country_codes or [found.country_code for found in item.alternate_ids]
    return StagedAccount(
        amazon_account_id=item.ads_account_id,
        source=Account.Source.ADS_ACCOUNTS,
        seen_in=[scope],
        name=item.account_name,
        account_type=None,
        status=STATUSES.get(item.status, Account.Status.PENDING),
        amazon_status=item.status or None,
        countries=sorted({shown_country(code) for code in countries if code}),
        errors=rows.limited("record of errors", item.ads_account_id, _errors(item)) or "{}",
        metadata=rows.limited("metadata", item.ads_account_id, item.raw) or "{}",
        profile_ids=[profile_id for profile_id, _, _ in profiles],
        profile_countries=[shown_country(country) for _, country, _ in profiles],
        profile_regions=[region_of_country(country) for _, country, _ in profiles],
        profile_entities=[entity for _, _, entity in profiles],
    )


def _errors(item: AdsAccount) -> Mapping[str, Any]:
    """Amazon's errors as they came, if they came by country; whatever else it sent, under no country."""
    given = item.raw.get("errors")
    if isinstance(given, dict):
        return given
    return {"": given} if given else {}


def _named_profiles(alternate_ids: Sequence[AlternateId]) -> list[tuple[str, str, str]]:
    """The profiles that an ads account names, each with its country and the entity id of that country.

    Amazon names the two in one object, or in two of the same country.
    """
    alone: dict[str, list[str]] = {}
    for found in alternate_ids:
        if found.entity_id and not found.profile_id:
            alone.setdefault(found.country_code, []).append(found.entity_id)
    profiles: dict[str, tuple[str, str, str]] = {}
    for found in alternate_ids:
        if found.profile_id:
            entities = alone.get(found.country_code, [])
            entity = found.entity_id or (entities[0] if entities else "")
            if not found.entity_id and len(entities) > 1:
                entities.pop(0)
            profiles.setdefault(found.profile_id, (found.profile_id, found.country_code, entity))
    return list(profiles.values())


def profiles(items: Iterable[ProfileAnswer], region: str, access_level: str | None) -> Rows:
    """Profiles of a region. `access_level` is None where it is not known whether they can be changed."""
    rows = Rows()
    for item in items:
        try:
            rows.profiles.append(_profile(item, region, access_level, rows))
        except Unstorable as error:
            rows.reject(item.profile_id, error)
    return rows


def _profile(item: ProfileAnswer, region: str, access_level: str | None, rows: Rows) -> StagedProfile:
    info = item.account_info
    return StagedProfile(
        profile_id=item.profile_id,
        region=region_of(item, region),
        country_code=shown_country(item.country_code),
        marketplace_id=info.marketplace_string_id,
        currency_code=item.currency_code,
        timezone=item.timezone,
        type=info.type,
        subtype=info.sub_type,
        name=info.name,
        entity_id=info.id,
        access_level=access_level,
        valid_payment_method=info.valid_payment_method,
        daily_budget=item.daily_budget,
        raw=rows.limited("metadata", f"profile {item.profile_id}", item.raw),
    )


def region_of(item: ProfileAnswer, asked: str) -> str:
    """The region of a profile. Each of Amazon's hosts shows its own; one server in place of all shows each all."""
    return region_of_country(item.country_code) or asked


def agencies(items: Iterable[ProfileAnswer], region: str) -> list[str]:
    """The region's profiles through which DSP advertisers are reached. Those of Amazon Attribution have none."""
    return sorted(
        {
            item.profile_id
            for item in items
            if item.account_info.type == "agency"
            and item.account_info.sub_type != "AMAZON_ATTRIBUTION"
            and region_of(item, region) == region
        }
    )


def dsp_advertisers(items: Iterable[DspAdvertiser], scope: str) -> Rows:
    rows = Rows()
    for item in items:
        try:
            rows.accounts.append(
                StagedAccount(
                    amazon_account_id=item.advertiser_id,
                    source=Account.Source.DSP_ADVERTISERS,
                    seen_in=[scope],
                    name=item.name,
                    account_type=Account.Type.ADVERTISER,
                    status=Account.Status.ACTIVE,
                    countries=[shown_country(item.country)] if item.country else [],
                    metadata=rows.limited("metadata", item.advertiser_id, item.raw) or "{}",
                )
            )
        except Unstorable as error:
            rows.reject(item.advertiser_id, error)
    return rows


def manager_accounts(items: Iterable[ManagerAccount], region: str) -> Rows:
    """The manager accounts of a region, and the DSP advertisers that they link.

    Amazon: advertisers of a managed service are reached only through a manager account.
    """
    rows = Rows()
    for item in items:
        try:
            rows.accounts.append(_manager_account(item, region, rows))
        except Unstorable as error:
            rows.reject(item.manager_account_id, error)
        for link in item.linked_accounts:
            if link.dsp_advertiser_id:
                scope = managed_scope(region, item.manager_account_id)
                rows.scopes.setdefault(link.dsp_advertiser_id, set()).add(scope)
                try:
                    rows.accounts.append(_managed_advertiser(link, link.dsp_advertiser_id, scope, region))
                except Unstorable as error:
                    rows.reject(link.dsp_advertiser_id, error)
    return rows


def managed_scope(region: str, manager_id: str) -> str:
    """What an access row remembers of the links of one manager account."""
    return f"{Account.Source.MANAGER_ACCOUNTS}:{region}:{manager_id}"


def _manager_account(item: ManagerAccount, region: str, rows: Rows) -> StagedAccount:
    links = [
        {
            "region": region,
            "profile_id": link.profile_id,
            "advertiser_id": link.dsp_advertiser_id,
            "account_id": link.account_id or None,
        }
        for link in item.linked_accounts
    ]
    return StagedAccount(
        amazon_account_id=item.manager_account_id,
        source=Account.Source.MANAGER_ACCOUNTS,
        seen_in=[f"{Account.Source.MANAGER_ACCOUNTS}:{region}"],
        name=item.manager_account_name,
        account_type=Account.Type.MANAGER,
        status=Account.Status.ACTIVE,
        metadata=rows.limited("metadata", item.manager_account_id, {region: item.raw}) or "{}",
        links=encoded(links),
        cut_regions=[region] if item.perhaps_cut else [],
    )


def _managed_advertiser(link: LinkedAccount, advertiser_id: str, scope: str, region: str) -> StagedAccount:
    return StagedAccount(
        amazon_account_id=advertiser_id,
        source=Account.Source.MANAGER_ACCOUNTS,
        seen_in=[scope],
        name=link.account_name,
        account_type=Account.Type.ADVERTISER,
        status=Account.Status.ACTIVE,
        metadata=encoded({region: msgspec.to_builtins(link)}),
    )
