"""What the tables should hold, worked out from what the made-up Amazon shows; and what they do hold.

Written without a look at the product: an ads account and its profiles, profiles that no ads account names, advertisers
under their agencies, manager accounts with their links.
"""

import re
from collections import Counter
from decimal import Decimal
from typing import Any

from accounts.models import Account, AccountAccess, AccountManager, Profile
from tokens.models import Connection

Picture = dict[str, dict[str, Any]]

STATUSES = {None: "active", "CREATED": "active", "DISABLED": "suspended"}


def country(code: str | None) -> str:
    return {"GB": "UK", None: ""}.get(code, code or "")


def storable(value: Any) -> Any:
    """PostgreSQL keeps neither NUL nor half a surrogate pair."""
    if isinstance(value, str):
        return re.sub("[\x00\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict):
        return {storable(key): storable(entry) for key, entry in value.items()}
    return [storable(entry) for entry in value] if isinstance(value, list) else value


def expected(truth: dict[str, Any]) -> Picture:
    """The accounts behind one login, by Amazon's id."""
    truth = storable(truth)
    told = {
        str(profile["profileId"]): (region, profile)
        for region, profiles in truth["profiles"].items()
        for profile in profiles
    }
    picture: Picture = {}
    for listed in truth["ads_accounts"]:
        picture[listed["adsAccountId"]] = _ads_account(listed, told)
    named = {profile_id for account in picture.values() for profile_id in account["profiles"]}
    alone: dict[str, list[str]] = {}
    for profile_id, (_, profile) in told.items():
        if profile_id not in named:
            alone.setdefault(profile["accountInfo"]["id"], []).append(profile_id)
    for key, profile_ids in alone.items():
        picture[key] = _profile_account(sorted(profile_ids), told)
    owners: dict[str, set[str]] = {}
    for key, account in picture.items():
        for profile_id in account["profiles"]:
            owners.setdefault(profile_id, set()).add(key)
    for agency_profile, advertisers in truth["dsp_advertisers"].items():
        # An agency that is not among the profiles cannot be asked.
        for advertiser in advertisers if agency_profile in told else []:
            entry = picture.setdefault(
                advertiser["advertiserId"],
                _plain("dsp_advertisers", "advertiser", advertiser["name"])
                | {"countries": [country(advertiser["country"])]},
            )
            entry["parents"] |= owners.get(agency_profile, set())
    for region, managers in truth["manager_accounts"].items():
        for manager in managers:
            _add_manager(picture, manager, region, owners)
    return picture


def _plain(source: str, account_type: str, name: str) -> dict[str, Any]:
    return {
        "source": source,
        "type": account_type,
        "name": name,
        "status": "active",
        "amazon_status": None,
        "countries": [],
        "errors": {},
        "profiles": {},
        "parents": set(),
        "managers": set(),
    }


def _ads_account(listed: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    status = listed.get("status")
    account = _plain("ads_accounts", "unknown", listed.get("accountName") or "")
    account |= {
        "status": STATUSES.get(status, "pending"),
        "amazon_status": status,
        "countries": sorted({country(code) for code in listed.get("countryCodes", [])}),
        "errors": listed.get("errors") or {},
    }
    entities = {
        found["countryCode"]: found["entityId"]
        for found in listed.get("alternateIds", [])
        if found.get("entityId")
    }
    for found in listed.get("alternateIds", []):
        if found.get("profileId"):
            profile_id = str(found["profileId"])
            region, profile = told.get(profile_id, (None, None))
            account["profiles"][profile_id] = _profile(
                region, profile, country(found["countryCode"]), entities.get(found["countryCode"], "")
            )
    account["type"] = _type(account["profiles"])
    return account


def _profile_account(profile_ids: list[str], told: dict[str, Any]) -> dict[str, Any]:
    names = [told[profile_id][1]["accountInfo"].get("name") for profile_id in profile_ids]
    account = _plain("profiles", "unknown", next((name for name in names if name), ""))
    for profile_id in profile_ids:
        region, profile = told[profile_id]
        account["profiles"][profile_id] = _profile(region, profile, "", "")
    account["countries"] = sorted({profile["country"] for profile in account["profiles"].values()})
    account["type"] = _type(account["profiles"])
    return account


def _profile(region: str | None, profile: dict[str, Any] | None, code: str, entity: str) -> dict[str, Any]:
    if profile is None:
        return {"country": code, "ads_entity": entity, "told": None}
    info = profile["accountInfo"]
    budget = profile.get("dailyBudget")
    return {
        "country": country(profile["countryCode"]),
        "ads_entity": entity,
        "told": (
            region,
            profile["currencyCode"],
            profile["timezone"],
            info["marketplaceStringId"],
            info["type"],
            info.get("subType") or "",
            info.get("name") or "",
            info["id"],
            profile["accessLevel"],
            info.get("validPaymentMethod"),
            None if budget is None else Decimal(str(budget)).quantize(Decimal("0.01")),
        ),
    }


def _type(profiles: dict[str, Any]) -> str:
    types = Counter(
        profile["told"][4]
        for profile in profiles.values()
        if profile["told"] and profile["told"][4] in {"seller", "vendor", "agency"}
    )
    most = max(types.values(), default=0)
    return min((name for name, count in types.items() if count == most), default="unknown")


def _add_manager(picture: Picture, manager: dict[str, Any], region: str, owners: dict[str, set[str]]) -> None:
    key = manager["managerAccountId"]
    picture.setdefault(key, _plain("manager_accounts", "manager", manager["managerAccountName"]))
    for link in manager["linkedAccounts"]:
        advertiser_id, profile_id = link.get("dspAdvertiserId"), link.get("profileId")
        if advertiser_id:
            picture.setdefault(advertiser_id, _plain("manager_accounts", "advertiser", link["accountName"]))
        targets = {advertiser_id} if advertiser_id else set()
        if profile_id:
            targets |= owners.get(str(profile_id), set())
        elif not advertiser_id and link["accountId"] in picture:
            targets.add(link["accountId"])
        for target in targets - {key}:
            picture[target]["managers"].add(key)


def stored(connection: Connection) -> Picture:
    """The accounts that this connection is said to see."""
    seen = AccountAccess.objects.filter(connection=connection).values("account")
    accounts = Account.objects.filter(pk__in=seen).select_related("parent")
    picture = {}
    for account in accounts:
        parent = account.parent.amazon_account_id if account.parent else None
        picture[account.amazon_account_id] = {
            "source": account.source,
            "type": account.account_type,
            "name": account.name,
            "status": account.status,
            "amazon_status": account.amazon_status,
            "countries": account.countries,
            "errors": account.errors,
            "profiles": {profile.profile_id: _stored_profile(profile) for profile in account.profiles.all()},
            "parents": {parent} - {None},
            "managers": set(
                AccountManager.objects.filter(account=account).values_list(
                    "manager__amazon_account_id", flat=True
                )
            ),
        }
    return picture


def _stored_profile(profile: Profile) -> dict[str, Any]:
    details = (
        profile.region,
        profile.currency_code,
        profile.timezone,
        profile.marketplace_id,
        profile.type,
        profile.subtype,
        profile.name,
        profile.entity_id,
        profile.access_level,
        profile.valid_payment_method,
        profile.daily_budget,
    )
    return {
        "country": profile.country_code,
        "ads_entity": profile.ads_entity_id,
        "told": details if profile.entity_id else None,
    }


def differences(truth: dict[str, Any], connection: Connection) -> list[str]:
    """What the tables tell otherwise than Amazon, a line each; nothing if they equal it."""
    should, is_there = expected(truth), stored(connection)
    found = [f"{key} is missing" for key in should.keys() - is_there.keys()]
    found += [f"{key} is not at Amazon" for key in is_there.keys() - should.keys()]
    for key in should.keys() & is_there.keys():
        for name, value in should[key].items():
            told = is_there[key][name]
            # Of several agencies that show an advertiser, one is its parent.
            agrees = (bool(told) == bool(value) and told <= value) if name == "parents" else told == value
            if not agrees:
                found.append(f"{key}: {name} should be {value!r}, is {told!r}")
    return sorted(found)
