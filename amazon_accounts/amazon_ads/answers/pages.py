"""How one answer becomes a page of items.

An item that cannot be understood is rejected with its reason, and the other items pass. An answer that is not a list
at all is an UnreadableAnswerError.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from amazon_accounts.amazon_ads.answers import entries
from amazon_accounts.amazon_ads.answers.items import (
    AdsAccount,
    Answer,
    DspAdvertiser,
    Json,
    ManagerAccount,
    ProfileAnswer,
)
from amazon_accounts.amazon_ads.errors import UnreadableAnswerError
from amazon_accounts.amazon_ads.foreign_text import clean_explanation

# Amazon shows no more profiles of a region, and does not say that it left some out.
MAX_PROFILES = 5000

Item = TypeVar("Item", bound=Answer)


@dataclass(frozen=True)
class Rejected:
    """An item that could not be understood."""

    # The id that Amazon sent, which may contain anything; without an id the item's position on the page.
    identifier: str
    reason: str


@dataclass
class Page(Generic[Item]):
    items: list[Item]
    rejected: list[Rejected] = field(default_factory=list)
    # The list may be incomplete: it reached a limit of Amazon's, or changed while it was read.
    cut: bool = False


def split_ads_accounts(value: object) -> tuple[list[object], str]:
    """Return the entries of a page of ads accounts, unread, and the token of the next page ("" after the last)."""
    found: object = value.get("adsAccounts") if isinstance(value, dict) else value
    if found is None and isinstance(value, dict) and "adsAccounts" in value:
        found = []
    token = value.get("nextToken") if isinstance(value, dict) else None
    if token is not None and not isinstance(token, str):
        raise UnreadableAnswerError("The token of the next page of ads accounts is not text")
    return _check_list(found, "ads accounts"), token or ""


def read_ads_accounts(found: list[object]) -> Page[AdsAccount]:
    return _read_page(AdsAccount, found, "adsAccountId", entries.prepare_ads_account)


def read_profiles(value: object) -> Page[ProfileAnswer]:
    found = _check_list(value, "profiles")
    page = _read_page(ProfileAnswer, found, "profileId", entries.prepare_profile)
    page.cut = len(found) >= MAX_PROFILES
    return page


def read_manager_accounts(value: object) -> Page[ManagerAccount]:
    found = value.get("managerAccounts") if isinstance(value, dict) else None
    found = _check_list(found, "manager accounts")
    return _read_page(ManagerAccount, found, "managerAccountId", entries.prepare_manager_account)


def read_dsp_advertisers(value: object) -> tuple[Page[DspAdvertiser], int | None]:
    # The second value is the number of all advertisers that Amazon counts, or None if it does not say.
    found = _check_list(value.get("response") if isinstance(value, dict) else None, "DSP advertisers")
    total = value.get("totalResults") if isinstance(value, dict) else None
    if isinstance(total, str) and total.isdigit():
        total = int(total)
    if total is not None and (not isinstance(total, int) or isinstance(total, bool)):
        raise UnreadableAnswerError(
            "The list of DSP advertisers counts its advertisers in another way than by a number"
        )
    return _read_page(DspAdvertiser, found, "advertiserId", entries.prepare_dsp_advertiser), total


def _check_list(value: object, of_what: str) -> list[object]:
    if not isinstance(value, list):
        raise UnreadableAnswerError(f"The list of {of_what} is not a list")
    return value


def _read_page(
    item_type: type[Item], found: Iterable[object], id_field: str, prepare: Callable[[Json], Json]
) -> Page[Item]:
    page: Page[Item] = Page(items=[])
    for number, entry in enumerate(found, start=1):
        unwrapped = entries.unwrap(entry)
        try:
            page.items.append(_read_item(item_type, unwrapped, id_field, prepare))
        except msgspec.ValidationError as error:
            identifier = entries.find_id(unwrapped, id_field) or f"item {number}"
            page.rejected.append(Rejected(identifier, reason=clean_explanation(str(error))))
    return page


def _read_item(item_type: type[Item], entry: object, id_field: str, prepare: Callable[[Json], Json]) -> Item:
    if not isinstance(entry, dict):
        raise msgspec.ValidationError("It is not an object")
    prepared = prepare(entry)
    if prepared.get(id_field) == "":
        raise msgspec.ValidationError(f"Its `{id_field}` is empty")
    item = msgspec.convert(prepared, item_type)
    item.raw = entry
    return item
