"""`/v2/profiles`: the profiles of one region, and the daily budget of a seller."""

import json
from collections.abc import Callable
from typing import Any

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.ads_api.context import NUMBER, BadQueryError, Context, read_choice
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.world import Profile

MAX_PROFILES = 5000
MIN_BUDGET = 1.0
API_PROGRAMS = ("billing", "campaign", "paymentMethod", "store", "report", "account", "posts")
PROFILE_TYPES = ("seller", "vendor", "agency")


def list_profiles(context: Context) -> Answer:
    try:
        wanted = _read_filter(context)
    except BadQueryError as error:
        return answers.classic(400, "INVALID_ARGUMENT", f"Invalid value for {error.name}", context.call.rid)
    found = [each for each in context.login.profiles if wanted(each)][:MAX_PROFILES]
    return Answer(200, [write_profile(context.world.profiles[each], context.choices) for each in found])


def _read_filter(context: Context) -> Callable[[int], bool]:
    query = context.call.query
    read_choice(query, "apiProgram", API_PROGRAMS, "campaign")
    level = read_choice(query, "accessLevel", ("edit", "view"), context.choices.default_access_level)
    paid = read_choice(query, "validPaymentMethodFilter", ("true", "false"), "")
    types = set(query["profileTypeFilter"].split(",")) if "profileTypeFilter" in query else set(PROFILE_TYPES)
    if not types <= set(PROFILE_TYPES):
        raise BadQueryError("profileTypeFilter")
    all_types = "profileTypeFilter" not in query

    def is_wanted(profile_id: int) -> bool:
        found = context.world.profiles[profile_id]
        return (
            found.region == context.call.region
            and found.has_campaigns
            and (level == "view" or context.login.profiles[profile_id] == "edit")
            and (all_types or found.type in types)
            and (paid != "true" or found.valid_payment_method is not False)
            and (paid != "false" or found.valid_payment_method is False)
        )

    return is_wanted


def get_profile(context: Context) -> Answer:
    text = context.call.path.removeprefix("/v2/profiles/")
    not_found = answers.classic(404, "NOT_FOUND", "HTTP 404 Not Found", context.call.rid)
    if not NUMBER.fullmatch(text):
        if context.choices.bad_profile_id == 404:
            return not_found
        return answers.classic(400, "INVALID_ARGUMENT", "Invalid value for profileId", context.call.rid)
    found = _find_visible_profile(context, int(text))
    return not_found if found is None else Answer(200, write_profile(found, context.choices))


def _find_visible_profile(context: Context, profile_id: object) -> Profile | None:
    if not isinstance(profile_id, int) or profile_id not in context.login.profiles:
        return None
    found = context.world.profiles[profile_id]
    return found if found.region == context.call.region else None


def put_profiles(context: Context) -> Answer:
    try:
        items = json.loads(context.call.body)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        return answers.classic(400, "INVALID_ARGUMENT", "Request body is not valid.", context.call.rid)
    return Answer(context.choices.put_profiles, [_put_profile(context, item) for item in items])


def _put_profile(context: Context, item: object) -> dict[str, Any]:
    if not isinstance(item, dict):
        return {"profileId": None, "code": "INVALID_ARGUMENT", "details": "Not a profile"}
    wanted_id = item.get("profileId")
    number = int(wanted_id) if isinstance(wanted_id, str) and NUMBER.fullmatch(wanted_id) else wanted_id
    found = _find_visible_profile(context, number)
    if found is None:
        return {"profileId": wanted_id, "code": "NOT_FOUND", "details": "Profile not found"}
    refusal = _refuse_budget(context, found, item)
    if refusal:
        return {"profileId": wanted_id, "code": "INVALID_ARGUMENT", "details": refusal}
    found.daily_budget = float(item["dailyBudget"])
    return {"profileId": wanted_id, "code": "SUCCESS"}


def _refuse_budget(context: Context, found: Profile, item: dict[str, Any]) -> str:
    """Amazon's reason not to change the profile, or an empty string."""
    if found.type != "seller":
        return f"Cannot modify daily budget of a {found.type} profile"
    if context.login.profiles[found.profile_id] != "edit":
        return "Not authorized to modify profile"
    budget = item.get("dailyBudget")
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not budget >= MIN_BUDGET:
        return "dailyBudget must be at least 1.00"
    shown = write_profile(found, context.choices)
    for name, value in item.items():
        if name not in {"profileId", "dailyBudget"} and shown.get(name) != value:
            return f'Cannot modify "{name}" for profile'
    return ""


def write_profile(found: Profile, choices: Choices) -> dict[str, Any]:
    info: dict[str, Any] = {
        "marketplaceStringId": found.marketplace_id,
        "id": found.account_id,
        "type": found.type,
    }
    optional = {
        "name": found.name,
        "subType": found.sub_type,
        "validPaymentMethod": found.valid_payment_method,
    }
    info |= {name: value for name, value in optional.items() if value is not None}
    record: dict[str, Any] = {
        "profileId": write_profile_id(found.profile_id, choices),
        "countryCode": found.country_code,
        "currencyCode": found.currency_code,
    }
    if found.daily_budget is not None:
        record["dailyBudget"] = found.daily_budget
    record |= {"timezone": found.timezone, "accountInfo": info}
    return record | found.extra


def write_profile_id(profile_id: int, choices: Choices) -> int | str:
    return str(profile_id) if choices.profile_id == "string" else profile_id
