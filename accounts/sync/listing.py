"""What a sync run tells about each list of Amazon's that it walked."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from accounts.models import Account, SyncRun
from amazon_accounts.amazon_ads import foreign_text
from amazon_accounts.amazon_ads.answers import Rejected
from amazon_accounts.amazon_ads.errors import AmazonError, ForbiddenError, PostponedError

# A run that meets ten thousand bad items names the first of them.
MAX_NAMED = 50

PROFILES_EDIT = "profiles_edit"


class Outcome(StrEnum):
    """How the listing of one list ended."""

    COMPLETE = "complete"
    CUT = "cut"  # there may be more than Amazon shows
    FORBIDDEN = "forbidden"
    FAILED = "failed"


class CallStats(Protocol):
    """What the client counts for one login."""

    requests: int
    throttled: int
    waited_seconds: float


@dataclass
class Listing:
    """One list of Amazon's, in one region where it is regional, walked once.

    `seen` counts what the list shows; `created`, `changed`, `unchanged` and `gone` are accounts. For profiles they
    are the accounts that only profiles show.
    """

    number: int
    source: str
    region: str = ""
    # The agency whose DSP advertisers these are.
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
    # It shows something that cannot be told from what we have.
    is_incomplete: bool = False
    # Rows that wait to be merged lie between the two.
    staged: int = 0
    merged: int = 0
    _began: float = field(default_factory=time.monotonic)
    _seconds: float | None = None

    @property
    def scope(self) -> str:
        """What an access row remembers of this list: see AccountAccess.seen_in."""
        return ":".join(part for part in (self.source, self.region, self.profile_id) if part)

    @property
    def is_list(self) -> bool:
        return self.source == Account.Source.ADS_ACCOUNTS

    @property
    def proves_absence(self) -> bool:
        """Whether what this list does not show is not there."""
        return self.outcome == Outcome.COMPLETE and not self.is_incomplete

    @property
    def is_unread(self) -> bool:
        """Whether Amazon did not show the list, or not all of it."""
        return self.outcome in {Outcome.FAILED, Outcome.FORBIDDEN} and not self.is_unconfirmed

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
        """Keep an error as data, whether it ended the listing or not."""
        details: dict[str, Any] = {"kind": error.kind, "message": str(error)}
        if isinstance(error, AmazonError):
            details |= {"status": error.status, "code": error.code, "request_id": error.request_id}
        self.errors.append(details)

    def note_omissions(self, sentences: Sequence[str]) -> None:
        """Keep what was stored less than whole."""
        for sentence in sentences[: max(0, MAX_NAMED - len(self.errors))]:
            self.errors.append({"kind": "left_out", "message": sentence})

    def mark_unconfirmed(self, count: int) -> None:
        """Take the listing for failed: with others it misses more than half of all, which another must confirm."""
        self.is_unconfirmed = True
        self.errors.append(
            {
                "kind": "unconfirmed",
                "message": f"It no longer shows {count:,} account{'' if count == 1 else 's'}, with other lists more than half of all; "
                "they stay until another sync agrees.",
            }
        )
        self.outcome = Outcome.FAILED

    def reject(self, items: Sequence[Rejected]) -> None:
        """Name items that cannot be understood or stored. One without a name could be any that we have."""
        self.rejected += len(items)
        self.rejected_items.extend(items[: MAX_NAMED - len(self.rejected_items)])
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


def totals(listings: Sequence[Listing]) -> dict[str, int]:
    """The counts of a whole run; `seen` are accounts."""
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


def state_of(listings: Sequence[Listing]) -> SyncRun.State:
    """How a run ended whose listings ended so: `forbidden` is an answer, and makes nothing partial."""
    if not any(listing.is_usable for listing in listings):
        return SyncRun.State.FAILED
    if any(listing.outcome == Outcome.FAILED for listing in listings):
        return SyncRun.State.PARTIAL
    return SyncRun.State.SUCCEEDED


def is_application_refused(listings: Sequence[Listing]) -> bool:
    """Say whether a run fell short for no other reason than that Amazon refuses our application."""
    failed = [listing for listing in listings if listing.outcome == Outcome.FAILED]
    return bool(failed) and all(
        listing.errors and listing.errors[-1]["kind"] == "config" for listing in failed
    )


def is_unauthorized(sources: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether Amazon answered 401 wherever this run asked, with an access token that it had just issued."""
    return bool(sources) and all(
        source["outcome"] == Outcome.FORBIDDEN
        and source["errors"]
        and source["errors"][-1].get("status") == 401
        for source in sources
    )


def is_only_postponed(listings: Sequence[Listing]) -> bool:
    """Say whether a run fell short for no other reason than that Amazon asked us to wait."""
    failed = [listing for listing in listings if listing.outcome == Outcome.FAILED]
    return bool(failed) and all(listing.postponed_until for listing in failed)


def explanation(listings: Sequence[Listing]) -> str:
    """One line that says what is wrong, or nothing."""
    wrong = [listing for listing in listings if listing.errors and listing.outcome == Outcome.FAILED]
    if not wrong and state_of(listings) == SyncRun.State.FAILED:
        wrong = [listing for listing in listings if listing.errors]
    sentences: dict[str, list[str]] = {}
    for listing in wrong:
        name = f"{listing.source} {listing.region}".strip().replace("_", " ")
        sentences.setdefault(str(listing.errors[-1]["message"]), []).append(name)
    return " ".join(f"{', '.join(dict.fromkeys(names))}: {text}" for text, names in sentences.items())
