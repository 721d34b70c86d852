"""Counting minutes: each minute gets one word, also when it had several.

Nothing here reads the database or a clock.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise, zip_longest
from typing import Final, NamedTuple

from tokens.models import Connection, TokenRefresh

MINUTE: Final = timedelta(minutes=1)
Outcome = TokenRefresh.Outcome


class TokenMinute(StrEnum):
    """A minute that had several of these is counted as the last of them."""

    VALID = "token_valid"
    DISCONNECTED = "disconnected"
    UNKNOWN = "token_unknown"
    CONSENT = "lost_to_consent"
    AMAZON = "lost_to_amazon"
    US = "lost_to_us"


class SyncMinute(StrEnum):
    """A minute that had several of these is counted as the last of them."""

    FRESH = "sync_fresh"
    OFF = "sync_off"
    UNKNOWN = "sync_unknown"
    LATE = "sync_late"


# Whose fault a refresh without a token is. A refresh that was overtaken by another one says nothing.
FAULTS: Final = {
    Outcome.TRANSIENT: TokenMinute.AMAZON,
    Outcome.THROTTLED: TokenMinute.AMAZON,
    Outcome.POSTPONED: TokenMinute.AMAZON,
    Outcome.REAUTHORIZATION_REQUIRED: TokenMinute.CONSENT,
    Outcome.CONFIG: TokenMinute.US,
    Outcome.PERMANENT: TokenMinute.US,
    Outcome.LOST: TokenMinute.US,
}


class Span(NamedTuple):
    """From a moment up to another one, which does not belong to it."""

    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Period:
    began_at: datetime
    state: str
    paused: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Refresh:
    """A refresh that has ended. `expires_at` is the end of the token that it brought."""

    started_at: datetime
    finished_at: datetime
    outcome: str
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Facts:
    """What is stored about one connection; every sequence is in the order of time.

    Refreshes and syncs before `known_since` may have been deleted.
    """

    created_at: datetime
    periods: Sequence[Period]
    refreshes: Sequence[Refresh]
    good_syncs: Sequence[datetime]
    known_since: datetime


Named = tuple[Span, str]


@dataclass
class TokenTimes:
    """What the token was, without gaps; `unexplained` are the times without a token that no refresh explains."""

    named: list[Named]
    unexplained: list[Span]

    def explain(self, failing: Sequence[Span]) -> list[Named]:
        """Return all times. What Login with Amazon's failures do not explain either is our fault."""
        taken, left = divide(self.unexplained, failing)
        return [
            *self.named,
            *((span, TokenMinute.AMAZON) for span in taken),
            *((span, TokenMinute.US) for span in left),
        ]


def count_minutes(named: Iterable[Named], whole: Span, words: type[StrEnum]) -> dict[str, int]:
    """Count the minutes of `whole` by word. A minute that no time covers is not known."""
    order = [word.value for word in words]
    total = int((whole.end - whole.begin) / MINUTE)
    minutes = bytearray([order.index(words["UNKNOWN"].value)]) * total
    for span, word in sorted(named, key=lambda each: order.index(each[1])):
        first = max(0, (span.begin - whole.begin) // MINUTE)
        # A minute that is not over counts as a whole minute.
        after = min(total, -((whole.begin - span.end) // MINUTE))
        if span.begin < span.end and first < after:
            minutes[first:after] = bytes([order.index(word)]) * (after - first)
    return {word: minutes.count(place) for place, word in enumerate(order)}


def find_token_times(facts: Facts, until: datetime, *, explains: timedelta) -> TokenTimes:
    """Find what the token was. A failed refresh explains the time until the next one, `explains` at most."""
    times = TokenTimes(_before_the_first_period(facts, TokenMinute.DISCONNECTED, TokenMinute.UNKNOWN), [])
    faults = _find_faults(facts.refreshes, explains)
    for period, span in _periods(facts, until):
        if period.state == Connection.State.DISCONNECTED:
            times.named.append((span, TokenMinute.DISCONNECTED))
        elif period.state == Connection.State.REAUTHORIZATION_REQUIRED:
            times.named.append((span, TokenMinute.CONSENT))
        else:
            known = Span(max(span.begin, min(facts.known_since, span.end)), span.end)
            times.named.append((Span(span.begin, known.begin), TokenMinute.UNKNOWN))
            valid, left = divide([known], _find_tokens(period, span, facts.refreshes))
            times.named += [(each, TokenMinute.VALID) for each in valid]
            for fault, explained in faults.items():
                taken, left = divide(left, explained)
                times.named += [(each, fault) for each in taken]
            times.unexplained += left
    return times


def find_sync_times(facts: Facts, until: datetime, *, late_after: timedelta) -> list[Named]:
    named = _before_the_first_period(facts, SyncMinute.OFF, SyncMinute.UNKNOWN)
    fresh = [
        Span(synced, min(synced + late_after, following))
        for synced, following in pairwise([*facts.good_syncs, until])
        if synced < until
    ]
    for period, span in _periods(facts, until):
        if period.paused or period.state == Connection.State.DISCONNECTED:
            named.append((span, SyncMinute.OFF))
            continue
        # What was synced before that moment could still be fresh.
        known_since = min(facts.known_since + late_after, span.end)
        known = Span(max(span.begin, known_since), span.end)
        named.append((Span(span.begin, known.begin), SyncMinute.UNKNOWN))
        taken, left = divide([known], fresh)
        named += [(each, SyncMinute.FRESH) for each in taken]
        named += [(each, SyncMinute.LATE) for each in left]
    return named


def divide(spans: Iterable[Span], by: Sequence[Span]) -> tuple[list[Span], list[Span]]:
    """Divide the spans into what lies in one of `by` and what does not. `by` is in order and does not overlap."""
    inside, outside = [], []
    begins = [each.begin for each in by]
    for span in spans:
        begin = span.begin
        for each in by[max(0, bisect_right(begins, begin) - 1) :]:
            if each.begin >= span.end:
                break
            if each.end <= begin:
                continue
            if each.begin > begin:
                outside.append(Span(begin, each.begin))
            inside.append(Span(max(begin, each.begin), min(each.end, span.end)))
            begin = inside[-1].end
        if begin < span.end:
            outside.append(Span(begin, span.end))
    return inside, outside


def _before_the_first_period(facts: Facts, before: str, unknown: str) -> list[Named]:
    first = (
        facts.periods[0].began_at if facts.periods else datetime.max.replace(tzinfo=facts.created_at.tzinfo)
    )
    long_ago = datetime.min.replace(tzinfo=facts.created_at.tzinfo)
    return [(Span(long_ago, facts.created_at), before), (Span(facts.created_at, first), unknown)]


def _periods(facts: Facts, until: datetime) -> Iterable[tuple[Period, Span]]:
    ends = [*(period.began_at for period in facts.periods[1:]), until]
    for period, end in zip(facts.periods, ends, strict=False):
        if period.began_at < min(end, until):
            yield period, Span(period.began_at, min(end, until))


def _find_tokens(period: Period, span: Span, refreshes: Sequence[Refresh]) -> list[Span]:
    """Return when the period had a valid token. Each token was replaced by the next one."""
    tokens = [Span(span.begin, period.expires_at)] if period.expires_at else []
    tokens += [
        Span(refresh.finished_at, refresh.expires_at)
        for refresh in refreshes
        if refresh.expires_at and span.begin <= refresh.finished_at < span.end
    ]
    tokens.sort()
    last = Span(span.end, span.end)
    valid = [
        Span(token.begin, min(token.end, following.begin)) for token, following in pairwise([*tokens, last])
    ]
    return [each for each in valid if each.begin < each.end]


def _find_faults(refreshes: Sequence[Refresh], explains: timedelta) -> dict[str, list[Span]]:
    faults: dict[str, list[Span]] = {}
    failed = [refresh for refresh in refreshes if refresh.outcome in FAULTS]
    for refresh, following in zip_longest(failed, failed[1:]):
        end = refresh.finished_at + explains
        if following is not None:
            end = min(end, following.started_at)
        if refresh.started_at < end:
            faults.setdefault(FAULTS[Outcome(refresh.outcome)], []).append(Span(refresh.started_at, end))
    return faults
