"""The accounts that the tables should contain, computed from the sandbox's data, and the accounts that they
contain.

This code shares nothing with the product, so that an error in one of them shows up as a difference.
"""

import re
from collections import Counter
from decimal import Decimal
from typing import Any

from accounts.models import Account, AccountAccess, AccountManager, Profile
from tokens.models import Connection

AccountsById = dict[str, dict[str, Any]]

STATUSES = {
    None: "active",
    "CREATED": "active",
    "PENDING": "pending",
    "PARTIALLY_CREATED": "pending",
    "DISABLED": "inactive",
    "SUSPENDED": "suspended",
}


def show_country(code: str | None) -> str:
    return {"GB": "UK", None: ""}.get(code, code or "")


def replace_unstorable(value: Any) -> Any:
    # PostgreSQL stores neither NUL nor half a surrogate pair.
    if isinstance(value, str):
        return re.sub("[\x00\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict):
        return {replace_unstorable(key): replace_unstorable(entry) for key, entry in value.items()}
    return [replace_unstorable(entry) for entry in value] if isinstance(value, list) else value


def build_expected(truth: dict[str, Any]) -> AccountsById:
    """Return the accounts of one login by their Amazon id."""
    truth = replace_unstorable(truth)
    reported = {
        str(profile["profileId"]): (region, profile)
        for region, profiles in truth["profiles"].items()
        for profile in profiles
    }
    accounts: AccountsById = {}
    for listed in truth["ads_accounts"]:
        accounts[listed["adsAccountId"]] = _make_ads_account(listed, reported)
    named = {profile_id for account in accounts.values() for profile_id in account["profiles"]}
    unclaimed: dict[str, list[str]] = {}
    for profile_id, (_, profile) in reported.items():
        if profile_id not in named:
            unclaimed.setdefault(profile["accountInfo"]["id"], []).append(profile_id)
    for key, profile_ids in unclaimed.items():
        accounts[key] = _make_profile_account(sorted(profile_ids), reported)
    owners: dict[str, set[str]] = {}
    for key, account in accounts.items():
        for profile_id in account["profiles"]:
            owners.setdefault(profile_id, set()).add(key)
    for agency_profile, advertisers in truth["dsp_advertisers"].items():
        # An agency that is not among the profiles cannot be asked.
        for advertiser in advertisers if agency_profile in reported else []:
            entry = accounts.setdefault(
                advertiser["advertiserId"],
                _make_account("dsp_advertisers", "advertiser", advertiser["name"])
                | {"countries": [show_country(advertiser["country"])]},
            )
            entry["parents"] |= owners.get(agency_profile, set())
    for region, managers in truth["manager_accounts"].items():
        for manager in managers:
            _add_manager(accounts, manager, region, owners)
    _add_billing(accounts, truth["billing"], owners)
    return accounts


def _add_billing(accounts: AccountsById, billing: dict[str, Any], owners: dict[str, set[str]]) -> None:
    for told in (told for region in billing.values() for told in region):
        for key in owners.get(str(told["profileId"]), ()):
            _apply_billing(accounts[key], told)


def _apply_billing(account: dict[str, Any], told: dict[str, Any]) -> None:
    notices = told.get("billingNotifications", [])
    code = told.get("billingStatus", {}).get("billingStatusCode", "")
    if account["status"] in {"inactive", "suspended"}:
        return
    if any(notice.get("impact") == "CAMPAIGNS_SUSPENDED" for notice in notices):
        account["status"] = "suspended"
    elif code.startswith("PENDING_") and not any(
        notice.get("severity") == "ALERT" or notice.get("suspensionDate") for notice in notices
    ):
        account["status"] = "pending"


def _make_account(source: str, account_type: str, name: str) -> dict[str, Any]:
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


def _make_ads_account(listed: dict[str, Any], reported: dict[str, Any]) -> dict[str, Any]:
    status = listed.get("status")
    account = _make_account("ads_accounts", "unknown", listed.get("accountName") or "")
    account |= {
        "status": STATUSES.get(status, "unknown"),
        "amazon_status": status,
        "countries": sorted({show_country(code) for code in listed.get("countryCodes", [])}),
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
            region, profile = reported.get(profile_id, (None, None))
            account["profiles"][profile_id] = _make_profile(
                region, profile, show_country(found["countryCode"]), entities.get(found["countryCode"], "")
            )
    account["type"] = _choose_type(account["profiles"])
    return account


def _make_profile_account(profile_ids: list[str], reported: dict[str, Any]) -> dict[str, Any]:
    names = [reported[profile_id][1]["accountInfo"].get("name") for profile_id in profile_ids]
    account = _make_account("profiles", "unknown", next((name for name in names if name), ""))
    for profile_id in profile_ids:
        region, profile = reported[profile_id]
        account["profiles"][profile_id] = _make_profile(region, profile, "", "")
    account["countries"] = sorted({profile["country"] for profile in account["profiles"].values()})
    account["type"] = _choose_type(account["profiles"])
    return account


def _make_profile(
    region: str | None, profile: dict[str, Any] | None, code: str, entity: str
) -> dict[str, Any]:
    if profile is None:
        return {"country": code, "ads_entity": entity, "details": None}
    info = profile["accountInfo"]
    budget = profile.get("dailyBudget")
    return {
        "country": show_country(profile["countryCode"]),
        "ads_entity": entity,
        "details": (
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


def _choose_type(profiles: dict[str, Any]) -> str:
    types = Counter(
        profile["details"][4]
        for profile in profiles.values()
        if profile["details"] and profile["details"][4] in {"seller", "vendor", "agency"}
    )
    most = max(types.values(), default=0)
    return min((name for name, count in types.items() if count == most), default="unknown")


def _add_manager(
    accounts: AccountsById, manager: dict[str, Any], region: str, owners: dict[str, set[str]]
) -> None:
    key = manager["managerAccountId"]
    accounts.setdefault(key, _make_account("manager_accounts", "manager", manager["managerAccountName"]))
    for link in manager["linkedAccounts"]:
        advertiser_id, profile_id = link.get("dspAdvertiserId"), link.get("profileId")
        if advertiser_id:
            accounts.setdefault(
                advertiser_id, _make_account("manager_accounts", "advertiser", link["accountName"])
            )
        targets = {advertiser_id} if advertiser_id else set()
        if profile_id:
            targets |= owners.get(str(profile_id), set())
        elif not advertiser_id and link["accountId"] in accounts:
            targets.add(link["accountId"])
        for target in targets - {key}:
            accounts[target]["managers"].add(key)


def read_stored(connection: Connection) -> AccountsById:
    """Return the accounts that this connection sees according to the tables, by their Amazon id."""
    seen = AccountAccess.objects.filter(connection=connection).values("account")
    accounts = {}
    for account in Account.objects.filter(pk__in=seen).select_related("parent"):
        parent = account.parent.amazon_account_id if account.parent else None
        accounts[account.amazon_account_id] = {
            "source": account.source,
            "type": account.account_type,
            "name": account.name,
            "status": account.status,
            "amazon_status": account.amazon_status,
            "countries": account.countries,
            "errors": account.errors,
            "profiles": {profile.profile_id: _read_profile(profile) for profile in account.profiles.all()},
            "parents": {parent} - {None},
            "managers": set(
                AccountManager.objects.filter(account=account).values_list(
                    "manager__amazon_account_id", flat=True
                )
            ),
        }
    return accounts


def _read_profile(profile: Profile) -> dict[str, Any]:
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
        "details": details if profile.entity_id else None,
    }


def find_differences(truth: dict[str, Any], connection: Connection) -> list[str]:
    """Return one line for each difference between the tables and what Amazon shows."""
    should, actual_accounts = build_expected(truth), read_stored(connection)
    found = [f"{key} is missing" for key in should.keys() - actual_accounts.keys()]
    found += [f"{key} is not at Amazon" for key in actual_accounts.keys() - should.keys()]
    for key in should.keys() & actual_accounts.keys():
        for name, value in should[key].items():
            actual = actual_accounts[key][name]
            # If several agencies show an advertiser, its parent is one of them.
            agrees = bool(actual) == bool(value) and actual <= value if name == "parents" else actual == value
            if not agrees:
                found.append(f"{key}: {name} should be {value!r}, is {actual!r}")
    return sorted(found)
