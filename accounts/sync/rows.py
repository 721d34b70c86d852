"""Turning Amazon's answers into rows for staging. An item that cannot be stored is rejected with a reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from accounts.models import Account
from accounts.standing.listed_status import STATUSES
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
from amazon_accounts.amazon_ads.marketplaces import find_region_of_country, show_country

# An index row of PostgreSQL holds 2,704 bytes. A longer name could be stored, but no index could sort by it.
MAX_NAME_BYTES: Final = 2000
MAX_ID_BYTES: Final = 500
# For one item. Larger metadata would slow down pages, exports and searches.
MAX_METADATA_BYTES: Final = 256 * 1024


class UnstorableError(ValueError):
    """The item cannot be stored. The message is shown to people."""


@dataclass
class StagedAccount:
    """A row of accounts_staged_account without run, listing and position.

    `errors`, `metadata` and `links` are JSON.
    """

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
            if not 0 < len(identifier.encode()) <= MAX_ID_BYTES:
                raise UnstorableError(f"An id in it is longer than {MAX_ID_BYTES} bytes.")
        if len(self.name.encode()) > MAX_NAME_BYTES:
            raise UnstorableError(f"Its name is longer than {MAX_NAME_BYTES:,} bytes.")


@dataclass
class StagedProfile:
    """A row of accounts_staged_profile without run and listing. `raw` is JSON."""

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
            if len(identifier.encode()) > MAX_ID_BYTES:
                raise UnstorableError(f"An id in it is longer than {MAX_ID_BYTES} bytes.")
        if len(self.name.encode()) > MAX_NAME_BYTES:
            raise UnstorableError(f"Its name is longer than {MAX_NAME_BYTES:,} bytes.")


@dataclass
class Rows:
    """The result of parsing a page: rows to stage, rejected items, and sentences about omitted parts."""

    accounts: list[StagedAccount] = field(default_factory=list)
    profiles: list[StagedProfile] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    omissions: list[str] = field(default_factory=list)
    # The scopes that show an account, by account id, if they differ from the scope of the listing.
    scopes: dict[str, set[str]] = field(default_factory=dict)

    def reject(self, identifier: str, error: UnstorableError) -> None:
        self.rejected.append(Rejected(identifier, str(error)))

    def limit(self, what: str, identifier: str, value: Mapping[str, Any]) -> str | None:
        """Return the value as JSON; note an omission and return None if it is too long."""
        text = encode_json(value)
        if (size := len(text.encode())) <= MAX_METADATA_BYTES:
            return text
        self.omissions.append(
            f"The {what} of {clean_explanation(identifier)} has {size:,} bytes and was left out."
        )
        return None


def encode_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def parse_ads_accounts(items: Iterable[AdsAccount], scope: str) -> Rows:
    rows = Rows()
    for item in items:
        try:
            rows.accounts.append(_parse_ads_account(item, scope, rows))
        except UnstorableError as error:
            rows.reject(item.ads_account_id, error)
    return rows


def _parse_ads_account(item: AdsAccount, scope: str, rows: Rows) -> StagedAccount:
    profiles = _find_named_profiles(item.alternate_ids)
    countries = item.country_codes or [found.country_code for found in item.alternate_ids]
    return StagedAccount(
        amazon_account_id=item.ads_account_id,
        source=Account.Source.ADS_ACCOUNTS,
        seen_in=[scope],
        name=item.account_name,
        account_type=None,
        status=STATUSES.get(item.status, Account.Status.UNKNOWN),
        amazon_status=item.status or None,
        countries=sorted({show_country(code) for code in countries if code}),
        errors=rows.limit("record of errors", item.ads_account_id, _find_errors(item)) or "{}",
        metadata=rows.limit("metadata", item.ads_account_id, item.raw) or "{}",
        profile_ids=[profile_id for profile_id, _, _ in profiles],
        profile_countries=[show_country(country) for _, country, _ in profiles],
        profile_regions=[find_region_of_country(country) for _, country, _ in profiles],
        profile_entities=[entity for _, _, entity in profiles],
    )


def _find_errors(item: AdsAccount) -> Mapping[str, Any]:
    # Amazon documents errors by country. Errors in any other form are stored under the empty country.
    given = item.raw.get("errors")
    if isinstance(given, dict):
        return given
    return {"": given} if given else {}


def _find_named_profiles(alternate_ids: Sequence[AlternateId]) -> list[tuple[str, str, str]]:
    """Return profile id, country and entity id of each profile that an ads account names."""
    # Amazon sends the profile id and the entity id in one object, or in two objects with the same country.
    separate_entities: dict[str, list[str]] = {}
    for found in alternate_ids:
        if found.entity_id and not found.profile_id:
            separate_entities.setdefault(found.country_code, []).append(found.entity_id)
    profiles: dict[str, tuple[str, str, str]] = {}
    for found in alternate_ids:
        if found.profile_id:
            entities = separate_entities.get(found.country_code, [])
            entity = found.entity_id or (entities[0] if entities else "")
            if not found.entity_id and len(entities) > 1:
                entities.pop(0)
            profiles.setdefault(found.profile_id, (found.profile_id, found.country_code, entity))
    return list(profiles.values())


def parse_profiles(items: Iterable[ProfileAnswer], region: str, access_level: str | None) -> Rows:
    # `access_level` is None if it is unknown whether the profiles can be edited.
    rows = Rows()
    for item in items:
        try:
            rows.profiles.append(_parse_profile(item, region, access_level, rows))
        except UnstorableError as error:
            rows.reject(item.profile_id, error)
    return rows


def _parse_profile(item: ProfileAnswer, region: str, access_level: str | None, rows: Rows) -> StagedProfile:
    info = item.account_info
    return StagedProfile(
        profile_id=item.profile_id,
        region=find_region(item, region),
        country_code=show_country(item.country_code),
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
        raw=rows.limit("metadata", f"profile {item.profile_id}", item.raw),
    )


def find_region(item: ProfileAnswer, asked: str) -> str:
    # A host of Amazon shows the profiles of its own region. A test server may show all regions on every host.
    return find_region_of_country(item.country_code) or asked


def find_agencies(items: Iterable[ProfileAnswer], region: str) -> list[str]:
    # DSP advertisers are listed through agency profiles. Profiles of Amazon Attribution have no DSP
    # advertisers.
    return sorted(
        {
            item.profile_id
            for item in items
            if item.account_info.type == "agency"
            and item.account_info.sub_type != "AMAZON_ATTRIBUTION"
            and find_region(item, region) == region
        }
    )


def parse_dsp_advertisers(items: Iterable[DspAdvertiser], scope: str) -> Rows:
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
                    countries=[show_country(item.country)] if item.country else [],
                    metadata=rows.limit("metadata", item.advertiser_id, item.raw) or "{}",
                )
            )
        except UnstorableError as error:
            rows.reject(item.advertiser_id, error)
    return rows


def parse_manager_accounts(items: Iterable[ManagerAccount], region: str) -> Rows:
    # The links of a manager account are the only place where Amazon shows DSP advertisers of a managed
    # service.
    rows = Rows()
    for item in items:
        try:
            rows.accounts.append(_parse_manager_account(item, region, rows))
        except UnstorableError as error:
            rows.reject(item.manager_account_id, error)
        for link in item.linked_accounts:
            if link.dsp_advertiser_id:
                scope = name_managed_scope(region, item.manager_account_id)
                rows.scopes.setdefault(link.dsp_advertiser_id, set()).add(scope)
                try:
                    rows.accounts.append(
                        _parse_managed_advertiser(link, link.dsp_advertiser_id, scope, region)
                    )
                except UnstorableError as error:
                    rows.reject(link.dsp_advertiser_id, error)
    return rows


def name_managed_scope(region: str, manager_id: str) -> str:
    return f"{Account.Source.MANAGER_ACCOUNTS}:{region}:{manager_id}"


def _parse_manager_account(item: ManagerAccount, region: str, rows: Rows) -> StagedAccount:
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
        metadata=rows.limit("metadata", item.manager_account_id, {region: item.raw}) or "{}",
        links=encode_json(links),
        cut_regions=[region] if item.perhaps_cut else [],
    )


def _parse_managed_advertiser(
    link: LinkedAccount, advertiser_id: str, scope: str, region: str
) -> StagedAccount:
    return StagedAccount(
        amazon_account_id=advertiser_id,
        source=Account.Source.MANAGER_ACCOUNTS,
        seen_in=[scope],
        name=link.account_name,
        account_type=Account.Type.ADVERTISER,
        status=Account.Status.ACTIVE,
        metadata=encode_json({region: msgspec.to_builtins(link)}),
    )
