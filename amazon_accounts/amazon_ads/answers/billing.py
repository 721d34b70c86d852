"""What Amazon answers about billing: one result for each pair that was asked about, whatever the answer contains.

A result is what Amazon said about the pair, or a BillingItemError. Its code is Amazon's word, or one of ours when the
answer says nothing about the pair that can be relied on.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from amazon_accounts.amazon_ads.answers.entries import find_id
from amazon_accounts.amazon_ads.answers.items import Json
from amazon_accounts.amazon_ads.errors import UnreadableAnswerError
from amazon_accounts.amazon_ads.foreign_text import clean_text

logger = logging.getLogger(__name__)

CAMPAIGNS_SUSPENDED = "CAMPAIGNS_SUSPENDED"
ALERT = "ALERT"
# Severities that we do not know come after ALERT.
SEVERITY_RANKS = {ALERT: 0, "WARNING": 2, "INFO": 3}
UNKNOWN_SEVERITY_RANK = 1

# Codes of ours, beside Amazon's BAD_REQUEST, INTERNAL_ERROR, NOT_AUTHORIZED and NOT_FOUND.
NOT_ANSWERED = "NOT_ANSWERED"
CONTRADICTED = "CONTRADICTED"
UNREADABLE = "UNREADABLE"

# In characters; longer texts are cut.
MAX_WORD = 100
MAX_MESSAGE = 500
MAX_TITLE = 300
MAX_DESCRIPTION = 2000
# A text may be mostly markup: at most MARKUP_SHARE times its longest kept length is read.
MARKUP_SHARE = 20
MAX_DATE_CHARACTERS = 64
# A moment nearer to the ends of the calendar has no local time in some zones.
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC, microsecond=0) - timedelta(days=1)
# Of one pair. A pair with more is refused.
MAX_LISTED_NOTICES = 1000
# Of one pair. Notices that tell of a suspension are all kept; they may be more.
MAX_NOTICES = 100


class AdvertiserMarketplace(NamedTuple):
    """One advertiser in one marketplace: what Amazon's billing is asked about."""

    advertiser_id: str
    marketplace_id: str
    # SELLER, VENDOR, AGENCY or DSP_ADVERTISING_ACCOUNT. Other words are not sent.
    advertiser_type: str = ""


@dataclass(frozen=True)
class BillingStatus:
    code: str
    message: str = ""


@dataclass(frozen=True)
class BillingNotice:
    name: str
    severity: str = ""
    impact: str = ""
    title: str = ""
    description: str = ""
    due_at: datetime | None = None
    suspension_at: datetime | None = None

    @property
    def is_urgent(self) -> bool:
        return self.impact == CAMPAIGNS_SUSPENDED or self.suspension_at is not None


@dataclass(frozen=True)
class BillingItemError:
    """One pair has no answer, and why: a code of Amazon's, of ours above, or of a request that was not made."""

    code: str
    description: str = ""


Said = TypeVar("Said")


def read_billing_statuses(
    value: object, asked: Sequence[AdvertiserMarketplace]
) -> dict[AdvertiserMarketplace, BillingStatus | BillingItemError]:
    return _read_results(value, asked, _read_status)


def read_billing_notices(
    value: object, asked: Sequence[AdvertiserMarketplace]
) -> dict[AdvertiserMarketplace, list[BillingNotice] | BillingItemError]:
    """Read the notices of each pair, the worst first, in an order that does not depend on Amazon's."""
    return _read_results(value, asked, _read_notices)


class _UnreadableItemError(Exception):
    """Says what is wrong with one item of an answer."""


def _read_results(
    value: object, asked: Sequence[AdvertiserMarketplace], read: Callable[[Json], Said]
) -> dict[AdvertiserMarketplace, Said | BillingItemError]:
    found: defaultdict[AdvertiserMarketplace, list[Said | BillingItemError]] = defaultdict(list)
    places = _Places(asked)
    unplaced = 0
    for entry, reader in _find_entries(value, read):
        if not isinstance(entry, dict):
            unplaced += 1
            continue
        pairs, is_certain = places.find(entry)
        if not is_certain:
            unplaced += not pairs
            for pair in pairs:
                found[pair].append(_contradict("Amazon's answer does not say for certain whom it is about"))
            continue
        found[pairs[0]].append(_read_item(entry, reader))
    if unplaced:
        logger.warning(
            "An answer about billing has %d items that belong to no pair that was asked about.",
            unplaced,
            extra={"action": "billing_items_unplaced", "number": unplaced},
        )
    return {pair: _decide(found[pair]) for pair in asked}


def _find_entries(
    value: object, read: Callable[[Json], Said]
) -> Iterable[tuple[object, Callable[[Json], Said | BillingItemError]]]:
    if not isinstance(value, dict) or not value.keys() & {"success", "error"}:
        raise UnreadableAnswerError("The answer about billing has neither `success` nor `error`")
    found: list[tuple[object, Callable[[Json], Said | BillingItemError]]] = []
    readers: Mapping[str, Callable[[Json], Said | BillingItemError]] = {
        "success": read,
        "error": _read_error,
    }
    for name, reader in readers.items():
        entries = value.get(name)
        if entries is not None and not isinstance(entries, list):
            raise UnreadableAnswerError(f"`{name}` in the answer about billing is not a list")
        found += [(entry, reader) for entry in entries or []]
    return found


class _Places:
    """Finds the pair that an item is about, by the item's index and by the pair that the item names."""

    def __init__(self, asked: Sequence[AdvertiserMarketplace]) -> None:
        self._asked = asked
        self._by_name: defaultdict[tuple[str, str], list[AdvertiserMarketplace]] = defaultdict(list)
        for pair in asked:
            self._by_name[_name(pair)].append(pair)

    def find(self, entry: Json) -> tuple[list[AdvertiserMarketplace], bool]:
        """Return the pairs that the item may be about, and whether it is certainly about the first.

        Index and name must agree; either alone is enough. An item that names one pair under the index of another
        could be about either.
        """
        index = _read_index(entry.get("index"))
        named = entry.get("advertiserMarketplace")
        name = (find_id(named, "advertiserId"), find_id(named, "marketplaceId"))
        by_name = self._by_name.get(name, [])
        if index is None:
            return by_name, len(by_name) == 1
        if not 0 <= index < len(self._asked):
            return by_name, False
        pair = self._asked[index]
        if all(said in {"", own} for said, own in zip(name, _name(pair), strict=True)):
            return [pair], True
        return [pair, *by_name], False


def _name(pair: AdvertiserMarketplace) -> tuple[str, str]:
    # In the form in which ids are read from answers.
    return find_id({"": pair.advertiser_id}, ""), find_id({"": pair.marketplace_id}, "")


def _read_index(value: object) -> int | None:
    # -1 is the place of nothing.
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _read_item(entry: Json, read: Callable[[Json], Said | BillingItemError]) -> Said | BillingItemError:
    try:
        return read(entry)
    except _UnreadableItemError as error:
        return BillingItemError(UNREADABLE, str(error))


def _decide(found: Sequence[Said | BillingItemError]) -> Said | BillingItemError:
    if not found:
        return BillingItemError(NOT_ANSWERED, "Amazon's answer does not mention this advertiser")
    if any(other != found[0] for other in found):
        return _contradict("Amazon's answer says different things about this advertiser")
    return found[0]


def _contradict(description: str) -> BillingItemError:
    return BillingItemError(CONTRADICTED, description)


def _read_error(entry: Json) -> BillingItemError:
    code = _clean(entry.get("errorCode"), MAX_WORD)
    description = _clean(entry.get("description"), MAX_MESSAGE)
    return BillingItemError(code or UNREADABLE, description or "Amazon names no reason")


def _read_status(entry: Json) -> BillingStatus:
    status = entry.get("billingStatus")
    code = _clean(status.get("billingStatusCode"), MAX_WORD) if isinstance(status, dict) else ""
    if not isinstance(status, dict) or not code:
        raise _UnreadableItemError("Amazon's answer has no billing status code")
    return BillingStatus(code, _clean(status.get("message"), MAX_MESSAGE))


def _read_notices(entry: Json) -> list[BillingNotice]:
    # null is an empty list, as in Amazon's other answers. Without the field, nobody said that there is no notice.
    listed = entry.get("billingNotifications", "absent")
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise _UnreadableItemError("Amazon's answer has no list of billing notifications")
    if len(listed) > MAX_LISTED_NOTICES:
        raise _UnreadableItemError(
            f"Amazon's answer has more than {MAX_LISTED_NOTICES:,} billing notifications"
        )
    notices = sorted({_read_notice(notice) for notice in listed}, key=_rank)
    urgent = [notice for notice in notices if notice.is_urgent]
    others = [notice for notice in notices if not notice.is_urgent]
    return urgent + others[: max(0, MAX_NOTICES - len(urgent))]


def _rank(notice: BillingNotice) -> tuple[object, ...]:
    latest = datetime.max.replace(tzinfo=UTC)
    return (
        notice.impact != CAMPAIGNS_SUSPENDED,
        notice.suspension_at or latest,
        SEVERITY_RANKS.get(notice.severity, UNKNOWN_SEVERITY_RANK),
        notice.due_at or latest,
        notice.name,
        notice.severity,
        notice.impact,
        notice.title,
        notice.description,
        notice.suspension_at is None,
        notice.due_at is None,
    )


def _read_notice(entry: object) -> BillingNotice:
    if not isinstance(entry, dict):
        raise _UnreadableItemError("One of Amazon's billing notifications is not an object")
    severity = _read_word(entry, "severity")
    impact = _read_word(entry, "impact")
    suspension_at, is_readable = _read_date(entry.get("suspensionDate"))
    if not is_readable and impact != CAMPAIGNS_SUSPENDED and severity != ALERT:
        # Without its date this notice would look harmless although it announces a suspension.
        raise _UnreadableItemError(
            "The suspension date of one of Amazon's billing notifications is not a date"
        )
    # No standing depends on the due date, so a notice is worth more without it than no notice.
    due_at, _ = _read_date(entry.get("paymentDueDate"))
    return BillingNotice(
        name=_clean(entry.get("notificationName"), MAX_WORD),
        severity=severity,
        impact=impact,
        title=_clean(entry.get("title"), MAX_TITLE),
        description=_clean(entry.get("description"), MAX_DESCRIPTION),
        due_at=due_at,
        suspension_at=suspension_at,
    )


def _read_word(entry: Json, name: str) -> str:
    word = entry.get(name)
    if word is not None and not isinstance(word, str):
        raise _UnreadableItemError(f"`{name}` of one of Amazon's billing notifications is not text")
    return _clean(word, MAX_WORD)


def _read_date(value: object) -> tuple[datetime | None, bool]:
    """Return the moment, if any, and whether the value could be read. A date without a time zone is in UTC."""
    if value is None or value == "":
        return None, True
    if not isinstance(value, str) or len(value) > MAX_DATE_CHARACTERS:
        return None, False
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None, False
    return min(max(moment, FIRST_MOMENT), LAST_MOMENT), True


def _clean(text: object, max_characters: int) -> str:
    return clean_text(text[: MARKUP_SHARE * max_characters], max_characters) if isinstance(text, str) else ""
