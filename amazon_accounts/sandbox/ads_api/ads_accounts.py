"""`/adsAccounts`: the global list of ads accounts, and one of them."""

import bisect
import json
import re
from typing import Any

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.ads_api.context import Context
from amazon_accounts.sandbox.ads_api.profiles import write_profile_id
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.world import AdsAccount, Alternate

MAX_PAGE_SIZE = 100
ACCOUNT_ID = re.compile(r"[A-Za-z0-9.-]+")
INVALID_PARAMETERS = "Request failed because invalid parameters were provided. Ensure that all required parameters are provided."
NO_ACCESS = "User does not have sufficient access to perform this action."


def list_ads_accounts(context: Context) -> Answer:
    try:
        request = json.loads(context.call.body) if context.call.body.strip() else {}
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        return _refuse_input("Request body is not valid.")
    size = request.get("maxResults", MAX_PAGE_SIZE)
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MAX_PAGE_SIZE:
        return _refuse_input("maxResults must be between 1 and 100.")
    ids = context.login.ads_accounts
    if context.choices.paging == "cursor":
        ids = sorted(ids)
    start = _read_page_start(context, request.get("nextToken"), ids)
    if start is None:
        return _refuse_input("nextToken is not valid.")
    if context.login.barred:
        return answers.account_list_error(403, "ACCESS_DENIED", NO_ACCESS)
    return _write_page(context, ids, start, min(size, context.choices.max_page_size))


def _refuse_input(text: str) -> Answer:
    return answers.account_list_error(400, "INVALID_INPUT", text)


def _read_page_start(context: Context, token: object, ids: list[str]) -> int | None:
    """The index of the page's first record, or None if the token is not valid."""
    if token is None or token == "":
        return 0
    if not isinstance(token, str):
        return None
    context.call.page_token = token
    position = context.grants.read_page_token(token, context.login.login_id)
    return bisect.bisect_right(ids, position) if isinstance(position, str) else position


def _write_page(context: Context, ids: list[str], start: int, size: int) -> Answer:
    if context.choices.list_shape == "array":
        # An array has no room for a token, so it holds all records.
        size = len(ids)
    end = min(start + size, len(ids))
    records = [
        write_ads_account(context.world.ads_accounts[each], context.choices, context.clock.now())
        for each in ids[start:end]
    ]
    if context.choices.list_shape == "array":
        return Answer(200, [{"adsAccount": record} for record in records])
    context.call.page_range = (start, end)
    payload: dict[str, Any] = {"adsAccounts": records}
    if end < len(ids):
        position = ids[end - 1] if context.choices.paging == "cursor" else end
        payload["nextToken"] = context.grants.sign_page_token(context.login.login_id, position)
    elif context.choices.end_of_list != "absent":
        payload["nextToken"] = "" if context.choices.end_of_list == "empty" else None
    return Answer(200, payload)


def get_ads_account(context: Context) -> Answer:
    ads_account_id = context.call.path.removeprefix("/adsAccounts/")
    if not ACCOUNT_ID.fullmatch(ads_account_id):
        return answers.message(400, INVALID_PARAMETERS)
    if context.login.barred:
        return answers.message(403, NO_ACCESS)
    if ads_account_id not in context.login.ads_accounts:
        return answers.message(404, "Advertising Account not found.")
    account = context.world.ads_accounts[ads_account_id]
    return Answer(200, {"adsAccount": write_ads_account(account, context.choices, context.clock.now())})


def register_ads_account(_context: Context) -> Answer:
    return answers.account_list_error(403, "ACCESS_DENIED", NO_ACCESS)


def write_ads_account(account: AdsAccount, choices: Choices, now: float) -> dict[str, Any]:
    record: dict[str, Any] = {"adsAccountId": account.ads_account_id}
    if account.account_name is not None:
        record["accountName"] = account.account_name
    if account.status is not None:
        record["status"] = account.status
    record["countryCodes"] = [_write_country(code, choices) for code in account.country_codes]
    shows_profiles = now >= account.created_at + choices.profile_id_delay_seconds
    merged = choices.alternate_ids == "merged" or (choices.alternate_ids == "mixed" and _is_even(account))
    record["alternateIds"] = [
        each
        for alternate in account.alternates
        for each in _write_alternate_ids(alternate, choices, merged=merged, shows_profiles=shows_profiles)
    ]
    if account.errors is not None:
        record["errors"] = account.errors
    return record | account.extra


def _is_even(account: AdsAccount) -> bool:
    return sum(account.ads_account_id.encode()) % 2 == 0


def _write_country(code: str, choices: Choices) -> str:
    return choices.united_kingdom if code == "UK" else code


def _write_alternate_ids(
    alternate: Alternate, choices: Choices, *, merged: bool, shows_profiles: bool
) -> list[dict[str, Any]]:
    country = {"countryCode": _write_country(alternate.country_code, choices)}
    parts: list[dict[str, Any]] = []
    if alternate.profile_id is not None and shows_profiles:
        parts.append({"profileId": write_profile_id(alternate.profile_id, choices)})
    if alternate.entity_id is not None:
        parts.append({"entityId": alternate.entity_id})
    if merged:
        return [country | {name: value for part in parts for name, value in part.items()}] if parts else []
    return [country | part for part in parts]
