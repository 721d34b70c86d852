"""A listing: what a sync run reports about one of Amazon's lists."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from accounts.models import Account, SyncRun
from amazon_accounts.amazon_ads import foreign_text
from amazon_accounts.amazon_ads.answers import Rejected
from amazon_accounts.amazon_ads.causes import Cause, find_cause_of
from amazon_accounts.amazon_ads.errors import AmazonError, ForbiddenError, PostponedError
from amazon_accounts.amazon_ads.pacing.slots import CallStats

# A listing names only its first bad items: there may be thousands.
MAX_NAMED = 50

PROFILES_EDIT = "profiles_edit"
# Not a list: the answers of Amazon's billing in one region. `seen` counts the pairs that were answered.
BILLING = "billing"
# The kinds of errors that are no failures: the list may have missed accounts; it misses the same accounts for longer.
UNCONFIRMED = "unconfirmed"
HELD = "held"
# Amazon does not tell this login everything.
NOT_TOLD = "not_told"


class Outcome(StrEnum):
    COMPLETE = "complete"
    CUT = "cut"  # there may be more than Amazon shows
    FORBIDDEN = "forbidden"
    FAILED = "failed"


@dataclass
class Listing:
    """One reading of one of Amazon's lists, in one region if the list is regional.

    `seen` counts the items of the list. `created`, `changed`, `unchanged` and `gone` count accounts. A
    listing of profiles counts only the accounts that no other list shows.
    """

    number: int
    source: str
    region: str = ""
    # The agency profile whose DSP advertisers are listed.
    profile_id: str = ""
    outcome: Outcome | None = None
    pages: int = 0
    seen: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    rejected: int = 0
    rejected_items: list[Rejected] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    calls: list[CallStats] = field(default_factory=list)
    postponed_until: datetime | None = None
    is_unconfirmed: bool = False
    # Another sync should read the list soon, because this reading may have missed accounts.
    is_doubtful: bool = False
    # The list has an item that could not be identified. It may be any stored account, so the list cannot
    # prove that an account is gone.
    is_incomplete: bool = False
    # The number of staged rows, and how many of them are merged.
    staged: int = 0
    merged: int = 0
    _began: float = field(default_factory=time.monotonic)
    _seconds: float | None = None

    @property
    def scope(self) -> str:
        # AccountAccess.seen_in names the lists that show an account by this.
        return ":".join(part for part in (self.source, self.region, self.profile_id) if part)

    @property
    def is_ads_accounts(self) -> bool:
        return self.source == Account.Source.ADS_ACCOUNTS

    @property
    def proves_absence(self) -> bool:
        """Whether an account that is missing from this list is really gone."""
        return self.outcome == Outcome.COMPLETE and not self.is_incomplete

    @property
    def is_unread(self) -> bool:
        return self.outcome in {Outcome.FAILED, Outcome.FORBIDDEN} and not self.is_unconfirmed

    @property
    def has_failed(self) -> bool:
        # A login may lack the right to a regional list. Every login has the right to the list of ads accounts.
        is_refused = self.is_ads_accounts and self.outcome == Outcome.FORBIDDEN
        return is_refused or self.outcome == Outcome.FAILED

    @property
    def is_usable(self) -> bool:
        return self.outcome in {Outcome.COMPLETE, Outcome.CUT}

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began if self._seconds is None else self._seconds

    def end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self._seconds = self.seconds

    def fail(self, error: AmazonError | PostponedError) -> None:
        self.note(error)
        if isinstance(error, PostponedError):
            self.postponed_until = error.until
        self.end(Outcome.FORBIDDEN if isinstance(error, ForbiddenError) else Outcome.FAILED)

    def note(self, error: AmazonError | PostponedError) -> None:
        details: dict[str, Any] = {"kind": error.kind, "message": str(error)}
        if isinstance(error, AmazonError):
            details |= {"status": error.status, "code": error.code, "request_id": error.request_id}
        self.errors.append(details)

    def note_omissions(self, sentences: Sequence[str]) -> None:
        for sentence in sentences[: max(0, MAX_NAMED - len(self.errors))]:
            self.errors.append({"kind": "left_out", "message": sentence})

    def note_missed(self, count: int) -> None:
        stay = "It stays" if count == 1 else "They stay"
        self._doubt(f"It does not show {_name_accounts(count)}. {stay} until another sync confirms it.")

    def note_held(self, count: int, *, is_new: bool) -> None:
        """Note that the profiles show accounts which the list of ads accounts does not show."""
        sentence = f"It does not show {_name_accounts(count)} whose profiles Amazon shows."
        if is_new:
            self._doubt(sentence)
        else:
            self.errors.append({"kind": HELD, "message": sentence})

    def note_refused(self, count: int) -> None:
        if count:
            what = "1 advertiser" if count == 1 else f"{count:,} advertisers"
            note = {"kind": NOT_TOLD, "message": f"Amazon does not tell this login about {what}."}
            # The last error is the reason for the outcome of the listing.
            self.errors.insert(0, note)

    def mark_unconfirmed(self, count: int) -> None:
        self.is_unconfirmed = True
        self._doubt(
            f"It no longer shows {_name_accounts(count)}. All lists together miss "
            "more than half of the accounts, so nothing is removed until another sync confirms it."
        )
        self.outcome = Outcome.FAILED

    def _doubt(self, sentence: str) -> None:
        self.is_doubtful = True
        self.errors.append({"kind": UNCONFIRMED, "message": sentence})

    def reject(self, items: Sequence[Rejected]) -> None:
        self.rejected += len(items)
        self.rejected_items.extend(items[: MAX_NAMED - len(self.rejected_items)])
        # The parser names an item without a readable id "item 3". Such an item may be any account.
        self.is_incomplete = self.is_incomplete or any(item.identifier.startswith("item ") for item in items)

    def as_data(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "region": self.region or None,
            **({"profile_id": self.profile_id} if self.profile_id else {}),
            "outcome": self.outcome,
            "requests": sum(stats.requests for stats in self.calls),
            "pages": self.pages,
            "seen": self.seen,
            "created": self.created,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "gone": self.gone,
            "rejected": self.rejected,
            "rejected_items": [
                {"identifier": foreign_text.clean_explanation(item.identifier), "reason": item.reason}
                for item in self.rejected_items
            ],
            "throttled": sum(stats.throttled for stats in self.calls),
            "waited_seconds": round(sum(stats.waited_seconds for stats in self.calls), 3),
            "seconds": round(self.seconds, 3),
            "errors": self.errors,
        }


def _name_accounts(count: int) -> str:
    return f"{count:,} account{'' if count == 1 else 's'}"


def totals(listings: Sequence[Listing]) -> dict[str, int]:
    # `seen` of a run counts accounts, while `seen` of a listing counts items.
    created = sum(listing.created for listing in listings)
    changed = sum(listing.changed for listing in listings)
    unchanged = sum(listing.unchanged for listing in listings)
    return {
        "seen": created + changed + unchanged,
        "created": created,
        "changed": changed,
        "unchanged": unchanged,
        "gone": sum(listing.gone for listing in listings),
        "rejected": sum(listing.rejected for listing in listings),
        "requests": sum(stats.requests for listing in listings for stats in listing.calls),
        "throttled": sum(stats.throttled for listing in listings for stats in listing.calls),
    }


def without_billing(listings: Sequence[Listing]) -> list[Listing]:
    """Return the listings of accounts. What billing answers says nothing about how well they were read."""
    return [listing for listing in listings if listing.source != BILLING]


def state_of(listings: Sequence[Listing]) -> SyncRun.State:
    # "Forbidden" is a complete answer of a regional list: a connection without permission for it can still succeed.
    if not any(listing.is_usable for listing in without_billing(listings)):
        return SyncRun.State.FAILED
    if any(listing.has_failed for listing in listings):
        return SyncRun.State.PARTIAL
    return SyncRun.State.SUCCEEDED


def is_application_refused(listings: Sequence[Listing]) -> bool:
    failed = [listing for listing in listings if listing.has_failed]
    return bool(failed) and all(
        listing.errors and listing.errors[-1]["kind"] == "config" for listing in failed
    )


def is_unauthorized(sources: Sequence[Mapping[str, Any]]) -> bool:
    # Amazon refuses an access token that it has just issued.
    return bool(sources) and all(
        source["outcome"] == Outcome.FORBIDDEN
        and source["errors"]
        and source["errors"][-1].get("status") == 401
        for source in sources
    )


def is_doubtful(sources: Sequence[Mapping[str, Any]]) -> bool:
    # The lists may have missed accounts.
    return any(error.get("kind") == UNCONFIRMED for source in sources for error in source.get("errors", ()))


def is_only_postponed(listings: Sequence[Listing]) -> bool:
    failed = [listing for listing in listings if listing.has_failed]
    return bool(failed) and all(listing.postponed_until for listing in failed)


def _find_wrong(listings: Sequence[Listing]) -> list[Listing]:
    """Return the listings that say why the run did not read all."""
    wrong = [listing for listing in listings if listing.errors and listing.has_failed]
    if not any(listing.outcome == Outcome.FAILED for listing in wrong) and (
        state_of(listings) == SyncRun.State.FAILED
    ):
        wrong = [listing for listing in listings if listing.errors]
    return wrong


def find_cause(listings: Sequence[Listing]) -> Cause:
    """Return the worst cause of what could not be read."""
    found = {find_cause_of(listing.errors[-1]["kind"]) for listing in _find_wrong(listings)}
    return next((cause for cause in Cause if cause in found), Cause.OTHER)


def explanation(listings: Sequence[Listing]) -> str:
    wrong = _find_wrong(listings)
    sentences: dict[str, list[str]] = {}
    for listing in wrong:
        name = f"{listing.source} {listing.region}".strip().replace("_", " ")
        sentences.setdefault(str(listing.errors[-1]["message"]), []).append(name)
    return " ".join(f"{', '.join(dict.fromkeys(names))}: {text}" for text, names in sentences.items())
