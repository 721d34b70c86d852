"""How the entries of Amazon's lists are prepared for validation.

Ids become text: Amazon's are unsigned 64-bit numbers, sent as a number in one place and as text in another. Unknown
fields and unknown values pass.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from amazon_accounts.amazon_ads.answers.items import Json

# Amazon writes 999,999,999 for "no cap". A much larger number is not a budget.
MAX_BUDGET = Decimal(10) ** 12
# Of 2^64. A text of digits is the same id as the number, whatever zeros it begins with.
MAX_DIGITS = 20


def unwrap(entry: object) -> object:
    # Amazon's guide prints each ads account inside an object of its own.
    if isinstance(entry, dict) and len(entry) == 1 and isinstance(entry.get("adsAccount"), dict):
        return entry["adsAccount"]
    return entry


def find_id(entry: object, id_field: str) -> str:
    found = _text_of_id(entry.get(id_field)) if isinstance(entry, dict) else None
    return found if isinstance(found, str) else ""


def prepare_ads_account(entry: Json) -> Json:
    prepared = _with_ids(entry, "adsAccountId")
    if "alternateIds" in prepared:
        prepared["alternateIds"] = _prepare_each(
            prepared["alternateIds"], lambda found: _with_optional_ids(found, "profileId", "entityId")
        )
    return prepared


def prepare_profile(entry: Json) -> Json:
    prepared = _with_ids(entry, "profileId")
    prepared["dailyBudget"] = _read_budget(prepared.get("dailyBudget"))
    if isinstance(prepared.get("accountInfo"), dict):
        info = _with_ids(prepared["accountInfo"], "id")
        if not isinstance(info.get("validPaymentMethod"), bool):
            info.pop("validPaymentMethod", None)
        prepared["accountInfo"] = info
    return prepared


def prepare_manager_account(entry: Json) -> Json:
    prepared = _with_ids(entry, "managerAccountId")
    if "linkedAccounts" in prepared:
        prepared["linkedAccounts"] = _prepare_each(
            prepared["linkedAccounts"],
            lambda link: _with_optional_ids(_with_ids(link, "accountId"), "profileId", "dspAdvertiserId"),
        )
    return prepared


def prepare_dsp_advertiser(entry: Json) -> Json:
    return _with_ids(entry, "advertiserId")


def _with_ids(entry: Mapping[str, Any], *names: str) -> Json:
    # Amazon makes no difference between null and absent, and mostly none between these and "".
    prepared = {name: value for name, value in entry.items() if value is not None}
    for name in names:
        if name in prepared:
            prepared[name] = _text_of_id(prepared[name])
    return prepared


def _with_optional_ids(entry: Mapping[str, Any], *names: str) -> Json:
    prepared = _with_ids(entry, *names)
    return {name: value for name, value in prepared.items() if not (name in names and value == "")}


def _text_of_id(value: object) -> object:
    # A value that cannot be an id is returned as it is. The validation names it.
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        value = value.strip()
        if len(value) <= MAX_DIGITS and value.isascii() and value.isdigit():
            value = int(value)
    return str(value) if isinstance(value, int) else value


def _prepare_each(value: object, prepare: Callable[[Json], Json]) -> object:
    if not isinstance(value, list):
        return value
    return [prepare(entry) if isinstance(entry, dict) else entry for entry in value]


def _read_budget(value: object) -> Decimal | None:
    # A budget that is not a number must not cost us the profile.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < MAX_BUDGET else None
