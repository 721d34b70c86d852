"""What Amazon answers, validated where it enters.

Unknown fields and unknown values pass. An item that cannot be understood is set aside with its reason, and the
others pass; an answer that is no answer at all is an UnreadableAnswerError. Ids are text always: Amazon's are unsigned
64-bit numbers, sent as a number here and as text there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar

import msgspec

from amazon_accounts.amazon_ads.errors import UnreadableAnswerError
from amazon_accounts.amazon_ads.foreign_text import clean_explanation

#: Amazon's caps: what lies beyond them is left out without a word.
MAX_PROFILES = 5000
MAX_LINKED_ACCOUNTS = 50
MOST_DSP_ADVERTISERS = 30_000

#: Amazon writes 999,999,999 for "no cap"; a number far beyond is no budget.
MAX_BUDGET = Decimal(10) ** 12

Json = dict[str, Any]


class Answer(msgspec.Struct, rename="camel", kw_only=True):
    """One item of an answer, and beside it what Amazon sent, word for word."""

    raw: Json = msgspec.field(default_factory=dict, name="(raw)")


class AlternateId(msgspec.Struct, rename="camel", kw_only=True):
    country_code: str = ""
    profile_id: str | None = None
    entity_id: str | None = None


class AccountError(msgspec.Struct, rename="camel", kw_only=True):
    error_id: str = ""
    error_code: str = ""
    error_message: str = ""


class AdsAccount(Answer, kw_only=True):
    ads_account_id: str
    account_name: str = ""
    status: str = ""
    country_codes: list[str] = []
    alternate_ids: list[AlternateId] = []
    errors: dict[str, list[AccountError]] = {}


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
        """Amazon shows fifty links at most: with exactly fifty there may be more."""
        return len(self.linked_accounts) >= MAX_LINKED_ACCOUNTS


class DspAdvertiser(Answer, kw_only=True):
    advertiser_id: str
    name: str = ""
    url: str = ""
    currency: str = ""
    country: str = ""
    timezone: str = ""


Item = TypeVar("Item", bound=Answer)


@dataclass(frozen=True)
class Rejected:
    """An item that could not be understood."""

    #: Its id as Amazon sent it, however hostile; or its place on the page.
    identifier: str
    reason: str


@dataclass
class Page(Generic[Item]):
    items: list[Item]
    rejected: list[Rejected] = field(default_factory=list)
    #: There may be more than it shows: Amazon's own cap was reached, or the list changed while it was read.
    cut: bool = False


# --- The lists ---------------------------------------------------------------------------------------------


def ads_accounts_list(value: object) -> tuple[list[object], str]:
    """The entries of a page of ads accounts as they came, and the token of the next page ("" at the end)."""
    entries: object = value.get("adsAccounts") if isinstance(value, dict) else value
    if entries is None and isinstance(value, dict) and "adsAccounts" in value:
        entries = []
    token = value.get("nextToken") if isinstance(value, dict) else None
    if token is not None and not isinstance(token, str):
        raise UnreadableAnswerError(
            "The list of ads accounts names its next page by something that is no text"
        )
    return _list(entries, "ads accounts"), token or ""


def ads_accounts_page(entries: list[object]) -> Page[AdsAccount]:
    return _page(AdsAccount, entries, "adsAccountId", _ads_account)


def one_ads_account(value: object) -> AdsAccount:
    entry = value.get("adsAccount") if isinstance(value, dict) else None
    page = _page(AdsAccount, [entry], "adsAccountId", _ads_account)
    if page.rejected:
        raise UnreadableAnswerError(f"The ads account could not be understood: {page.rejected[0].reason}")
    return page.items[0]


def profiles_page(value: object) -> Page[ProfileAnswer]:
    entries = _list(value, "profiles")
    page = _page(ProfileAnswer, entries, "profileId", _profile)
    page.cut = len(entries) >= MAX_PROFILES
    return page


def manager_accounts_page(value: object) -> Page[ManagerAccount]:
    entries = value.get("managerAccounts") if isinstance(value, dict) else None
    return _page(ManagerAccount, _list(entries, "manager accounts"), "managerAccountId", _manager_account)


def dsp_advertisers_page(value: object) -> tuple[Page[DspAdvertiser], int]:
    """A page of DSP advertisers, and how many there are in all."""
    entries = _list(value.get("response") if isinstance(value, dict) else None, "DSP advertisers")
    total = value.get("totalResults") if isinstance(value, dict) else None
    if isinstance(total, str) and total.isdigit():
        total = int(total)
    if not isinstance(total, int) or isinstance(total, bool):
        raise UnreadableAnswerError("The list of DSP advertisers does not say how many there are")
    return _page(DspAdvertiser, entries, "advertiserId", _with_text_id("advertiserId")), total


# --- Their items -------------------------------------------------------------------------------------------


def _list(value: object, of_what: str) -> list[object]:
    if not isinstance(value, list):
        raise UnreadableAnswerError(f"The list of {of_what} is no list")
    return value


def _page(
    item_type: type[Item], entries: Iterable[object], id_field: str, prepared: Callable[[Json], Json]
) -> Page[Item]:
    page: Page[Item] = Page(items=[])
    for number, entry in enumerate(entries, start=1):
        unwrapped = _unwrapped(entry)
        try:
            page.items.append(_understood(item_type, unwrapped, id_field, prepared))
        except msgspec.ValidationError as error:
            page.rejected.append(
                Rejected(
                    identifier=_name(unwrapped, id_field) or f"item {number}",
                    reason=clean_explanation(str(error)),
                )
            )
    return page


def _understood(
    item_type: type[Item], entry: object, id_field: str, prepared: Callable[[Json], Json]
) -> Item:
    if not isinstance(entry, dict):
        raise msgspec.ValidationError("It is no object")
    given = prepared(entry)
    if given.get(id_field) == "":
        raise msgspec.ValidationError(f"Its `{id_field}` is empty")
    item = msgspec.convert(given, item_type)
    item.raw = entry
    return item


def _name(entry: object, id_field: str) -> str:
    found = _text_id(entry.get(id_field)) if isinstance(entry, dict) else None
    return found if isinstance(found, str) else ""


def _unwrapped(entry: object) -> object:
    """Amazon's guide prints each ads account inside an object of its own."""
    if isinstance(entry, dict) and len(entry) == 1 and isinstance(entry.get("adsAccount"), dict):
        return entry["adsAccount"]
    return entry


def _given(entry: Mapping[str, Any]) -> Json:
    """Without nulls: to Amazon null, absent and mostly "" are the same."""
    return {name: value for name, value in entry.items() if value is not None}


def _text_id(value: object) -> object:
    """An id as text, if it can be one; anything else as it is, for the validation to name."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) else value


def _with_ids(entry: Mapping[str, Any], *names: str) -> Json:
    given = _given(entry)
    for name in names:
        if name in given:
            given[name] = _text_id(given[name])
    return given


def _optional_ids(entry: Mapping[str, Any], *names: str) -> Json:
    given = _with_ids(entry, *names)
    return {name: value for name, value in given.items() if not (name in names and value == "")}


def _with_text_id(name: str) -> Callable[[Json], Json]:
    return lambda entry: _with_ids(entry, name)


def _objects(value: object, prepared: Callable[[Json], Json]) -> object:
    if not isinstance(value, list):
        return value
    return [prepared(entry) if isinstance(entry, dict) else entry for entry in value]


def _ads_account(entry: Json) -> Json:
    given = _with_ids(entry, "adsAccountId")
    if "alternateIds" in given:
        given["alternateIds"] = _objects(
            given["alternateIds"], lambda found: _optional_ids(found, "profileId", "entityId")
        )
    given["errors"] = _errors_by_country(given.get("errors"))
    return given


def _errors_by_country(value: object) -> dict[str, list[Json]]:
    """The errors of an account by country, whatever shape they came in; what has none is left to `raw`."""
    if isinstance(value, list):
        value = {"": value}
    if not isinstance(value, dict):
        return {}
    by_country = {}
    for country, found in value.items():
        errors = found if isinstance(found, list) else [found]
        readable = [read for error in errors if (read := _account_error(error))]
        if readable:
            by_country[country] = readable
    return by_country


def _account_error(value: object) -> Json:
    if isinstance(value, str):
        return {"errorMessage": value}
    if not isinstance(value, dict):
        return {}
    names = ("errorId", "errorCode", "errorMessage")
    return {name: text for name in names if isinstance(text := _text_id(value.get(name)), str)}


def _profile(entry: Json) -> Json:
    given = _with_ids(entry, "profileId")
    given["dailyBudget"] = _decimal(given.get("dailyBudget"))
    if isinstance(given.get("accountInfo"), dict):
        info = _with_ids(given["accountInfo"], "id")
        if not isinstance(info.get("validPaymentMethod"), bool):
            info.pop("validPaymentMethod", None)
        given["accountInfo"] = info
    return given


def _decimal(value: object) -> Decimal | None:
    """A budget, if it is a number: an odd one must not cost us the profile."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < MAX_BUDGET else None


def _manager_account(entry: Json) -> Json:
    given = _with_ids(entry, "managerAccountId")
    if "linkedAccounts" in given:
        given["linkedAccounts"] = _objects(
            given["linkedAccounts"],
            lambda link: _optional_ids(_with_ids(link, "accountId"), "profileId", "dspAdvertiserId"),
        )
    return given
