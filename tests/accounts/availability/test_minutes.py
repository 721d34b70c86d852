"""Each minute is counted once, whatever happened in it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.availability.minutes import (
    FAULTS,
    Facts,
    Period,
    Refresh,
    Span,
    SyncMinute,
    TokenMinute,
    count_minutes,
    divide,
    find_sync_times,
    find_token_times,
)

BEGIN: Final = datetime(2026, 2, 1, tzinfo=UTC)
EXPLAINS: Final = timedelta(minutes=5)
LATE_AFTER: Final = timedelta(hours=2)
OUTCOMES: Final = ["succeeded", "superseded", *(outcome.value for outcome in FAULTS)]


def at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def lasting(first: float, after: float) -> Span:
    return Span(at(first), at(after))


def facts(
    periods: list[Period],
    refreshes: list[Refresh] | None = None,
    *,
    syncs: list[float] | None = None,
    created: float = 0,
    known_since: float = -10_000,
) -> Facts:
    return Facts(
        created_at=at(created),
        periods=periods,
        refreshes=refreshes or [],
        good_syncs=[at(minute) for minute in syncs or []],
        known_since=at(known_since),
    )


def refresh(started: float, finished: float, outcome: str, expires: float | None = None) -> Refresh:
    return Refresh(at(started), at(finished), outcome, None if expires is None else at(expires))


def active(began: float, expires: float | None = None, *, paused: bool = False) -> Period:
    return Period(at(began), "active", paused, None if expires is None else at(expires))


def count_token(known: Facts, until: float = 100, failing: list[Span] | None = None) -> dict[str, int]:
    """Return how many minutes have which word, without the words that none has."""
    times = find_token_times(known, at(until), explains=EXPLAINS)
    counts = count_minutes(times.explain(failing or []), lasting(0, until), TokenMinute)
    assert sum(counts.values()) == until
    return {word: number for word, number in counts.items() if number}


def count_sync(known: Facts, until: float = 300) -> dict[str, int]:
    counts = count_minutes(
        find_sync_times(known, at(until), late_after=LATE_AFTER), lasting(0, until), SyncMinute
    )
    assert sum(counts.values()) == until
    return {word: number for word, number in counts.items() if number}


class TestToken:
    def test_a_token_that_is_replaced_in_time_is_valid_all_the_time(self) -> None:
        known = facts([active(0, 60)], [refresh(50, 50.1, "succeeded", 110)])
        assert count_token(known) == {"token_valid": 100}

    def test_a_minute_in_which_the_token_ended_for_a_moment_is_lost(self) -> None:
        known = facts([active(0, 60.5)], [refresh(60.4, 60.6, "succeeded", 120)])
        assert count_token(known) == {"token_valid": 99, "lost_to_us": 1}

    def test_a_token_that_nobody_refreshed_is_lost_to_us(self) -> None:
        assert count_token(facts([active(0, 60)])) == {"token_valid": 60, "lost_to_us": 40}

    def test_a_failure_of_amazon_explains_the_time_until_the_next_try(self) -> None:
        tries = [refresh(minute, minute + 0.2, "transient") for minute in (55, 59, 63)]
        known = facts([active(0, 60)], [*tries, refresh(66, 66.5, "succeeded", 130)])
        assert count_token(known) == {"token_valid": 93, "lost_to_amazon": 7}

    def test_a_failure_of_amazon_does_not_explain_that_nobody_tried_again(self) -> None:
        known = facts([active(0, 60)], [refresh(59, 60, "throttled"), refresh(90, 90, "succeeded", 150)])
        assert count_token(known) == {"token_valid": 70, "lost_to_amazon": 5, "lost_to_us": 25}

    @pytest.mark.parametrize("outcome", ["config", "permanent", "lost"])
    def test_our_own_failure_is_lost_to_us_while_amazon_fails_for_others(self, outcome: str) -> None:
        known = facts([active(0, 60)], [refresh(61, 61, outcome), refresh(64, 64, "succeeded", 130)])
        assert count_token(known, failing=[lasting(0, 100)]) == {
            "token_valid": 96,
            "lost_to_amazon": 1,
            "lost_to_us": 3,
        }

    def test_the_newest_failure_decides(self) -> None:
        tries = [refresh(60, 60, "transient"), refresh(62, 62, "config")]
        known = facts([active(0, 60)], [*tries, refresh(66, 66, "succeeded", 130)])
        assert count_token(known) == {"token_valid": 94, "lost_to_amazon": 2, "lost_to_us": 4}

    def test_what_no_own_refresh_explains_is_lost_to_amazon_while_it_fails_for_others(self) -> None:
        known = facts([active(0, 60)], [refresh(70, 70, "succeeded", 130)])
        assert count_token(known, failing=[lasting(50, 65)]) == {
            "token_valid": 90,
            "lost_to_amazon": 5,
            "lost_to_us": 5,
        }

    def test_a_refused_login_is_lost_to_consent_also_while_its_token_lives(self) -> None:
        known = facts(
            [active(0, 60), Period(at(50), "reauthorization_required", expires_at=at(60)), active(70, 130)],
            [refresh(49, 50, "reauthorise")],
        )
        assert count_token(known) == {"token_valid": 80, "lost_to_consent": 20}

    def test_the_check_of_a_refusal_is_lost_to_consent_too(self) -> None:
        known = facts(
            [active(0, 60), Period(at(62), "reauthorization_required")], [refresh(60, 62, "reauthorise")]
        )
        assert count_token(known) == {"token_valid": 60, "lost_to_consent": 40}

    def test_a_disconnected_connection_has_no_token_and_loses_none(self) -> None:
        known = facts([active(0, 60), Period(at(20.5), "disconnected"), active(40, 100)])
        assert count_token(known) == {"token_valid": 80, "disconnected": 20}

    def test_a_token_of_before_a_disconnection_is_not_valid_afterwards(self) -> None:
        known = facts([active(0, 60), Period(at(20), "disconnected"), active(40)])
        assert count_token(known) == {"token_valid": 20, "disconnected": 20, "lost_to_us": 60}

    def test_a_pause_changes_nothing(self) -> None:
        known = facts([active(0, 60), active(20, 60, paused=True)], [refresh(50, 50.1, "succeeded", 110)])
        assert count_token(known) == {"token_valid": 100}

    def test_a_token_is_replaced_by_the_next_one_even_if_that_ends_earlier(self) -> None:
        known = facts([active(0, 90)], [refresh(10, 10, "succeeded", 30)])
        assert count_token(known) == {"token_valid": 30, "lost_to_us": 70}

    def test_the_time_before_the_connection_counts_as_disconnected(self) -> None:
        assert count_token(facts([active(30, 90)], created=30), until=60) == {
            "disconnected": 30,
            "token_valid": 30,
        }

    def test_the_time_before_the_first_period_is_not_known(self) -> None:
        known = facts([active(40, 100)], [refresh(1, 1, "succeeded", 61)], created=10)
        assert count_token(known) == {"disconnected": 10, "token_unknown": 30, "token_valid": 60}

    def test_where_refreshes_were_deleted_only_an_active_connection_is_not_known(self) -> None:
        known = facts([active(0, 60), Period(at(20), "disconnected"), active(40, 100)], known_since=50)
        assert count_token(known) == {"token_unknown": 30, "disconnected": 20, "token_valid": 50}

    def test_without_any_period_nothing_is_known(self) -> None:
        assert count_token(facts([], created=10)) == {"disconnected": 10, "token_unknown": 90}


class TestSync:
    def test_the_accounts_are_fresh_until_two_intervals_after_a_good_sync(self) -> None:
        assert count_sync(facts([active(0)], syncs=[-60, 100])) == {"sync_fresh": 180, "sync_late": 120}

    def test_before_the_first_good_sync_they_are_late(self) -> None:
        assert count_sync(facts([active(0)], syncs=[200])) == {"sync_late": 200, "sync_fresh": 100}

    def test_while_paused_or_disconnected_the_sync_is_off(self) -> None:
        known = facts(
            [active(0), active(60, paused=True), Period(at(90), "disconnected"), active(120)], syncs=[0, 120]
        )
        assert count_sync(known) == {"sync_fresh": 180, "sync_off": 60, "sync_late": 60}

    def test_a_refused_login_gets_late(self) -> None:
        known = facts([active(0), Period(at(30), "reauthorization_required")], syncs=[0])
        assert count_sync(known) == {"sync_fresh": 120, "sync_late": 180}

    def test_where_syncs_were_deleted_it_is_not_known(self) -> None:
        assert count_sync(facts([active(0)], syncs=[100], known_since=0)) == {
            "sync_unknown": 120,
            "sync_fresh": 100,
            "sync_late": 80,
        }


moments = st.integers(-200, 400).map(lambda sixths: sixths / 6)
lives = st.integers(1, 400).map(lambda sixths: sixths / 6)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    states = st.sampled_from(["active", "active", "reauthorization_required", "disconnected"])
    periods = [
        Period(at(began), state, paused, at(began + life) if state == "active" and life > 5 else None)
        for began, state, paused, life in sorted(
            draw(st.lists(st.tuples(moments, states, st.booleans(), lives), max_size=5))
        )
    ]
    refreshes = [
        refresh(
            started,
            started + took / 10,
            outcome,
            started + took / 10 + life if outcome == "succeeded" else None,
        )
        for started, took, outcome, life in sorted(
            draw(st.lists(st.tuples(moments, lives, st.sampled_from(OUTCOMES), lives), max_size=12))
        )
    ]
    syncs = sorted(draw(st.lists(moments, max_size=5)))
    return facts(
        periods,
        refreshes,
        syncs=syncs,
        created=draw(moments),
        known_since=draw(st.sampled_from([-500, 0, 20])),
    )


def is_in(moment: datetime, spans: list[Span]) -> bool:
    return any(span.begin <= moment < span.end for span in spans)


@settings(max_examples=40, deadline=None)
@given(any_facts(), st.integers(1, 60))
def test_the_minutes_always_add_up_and_each_moment_has_one_word(known: Facts, until: int) -> None:
    times = find_token_times(known, at(until), explains=EXPLAINS)
    named = times.explain([lasting(10, 20)])
    assert sum(count_minutes(named, lasting(0, until), TokenMinute).values()) == until
    synced = find_sync_times(known, at(until), late_after=LATE_AFTER)
    assert sum(count_minutes(synced, lasting(0, until), SyncMinute).values()) == until
    # Moments before the first period and the making of the connection may overlap: tests make rows that contradict
    # each other, and then the worst word counts.
    first = max([at(0), known.created_at, *(period.began_at for period in known.periods[:1])])
    for second in range(0, until * 60, 7):
        moment = at(second / 60)
        if moment >= first and known.periods:
            assert sum(is_in(moment, [span]) for span, _ in named) == 1
            assert sum(is_in(moment, [span]) for span, _ in synced) == 1


@settings(max_examples=40, deadline=None)
@given(any_facts())
def test_a_valid_minute_has_a_token_in_each_of_its_moments(known: Facts) -> None:
    """Judge each sixth of a minute on its own, by another way than the code."""
    until = 60
    named = find_token_times(known, at(until), explains=EXPLAINS).explain([])
    valid = [span for span, word in named if word == TokenMinute.VALID]
    for sixth in range(until * 6):
        moment = at(sixth / 6)
        assert is_in(moment, valid) == has_token(known, moment)


def has_token(known: Facts, moment: datetime) -> bool:
    begun = [(number, period) for number, period in enumerate(known.periods) if period.began_at <= moment]
    if not begun or begun[-1][1].state != "active" or moment < known.known_since:
        return False
    period = begun[-1][1]
    tokens = [(period.began_at, period.expires_at)]
    tokens += [
        (each.finished_at, each.expires_at)
        for each in known.refreshes
        if each.expires_at and period.began_at <= each.finished_at <= moment
    ]
    newest = max(tokens, key=lambda token: (token[0], token[1] or token[0]))
    return newest[1] is not None and moment < newest[1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(lives, lives), max_size=6), st.lists(st.tuples(lives, lives), max_size=6))
def test_dividing_loses_nothing_and_doubles_nothing(
    spans: list[tuple[float, float]], gaps: list[tuple[float, float]]
) -> None:
    by, end = [], 0.0
    for gap, length in gaps:
        by.append(lasting(end + gap, end + gap + length))
        end += gap + length
    for begin, length in spans:
        inside, outside = divide([lasting(begin, begin + length)], by)
        pieces = sorted([*inside, *outside])
        assert (pieces[0].begin, pieces[-1].end) == (at(begin), at(begin + length))
        assert all(one.end == following.begin for one, following in pairwise(pieces))
        assert all(any(each.begin <= one.begin and one.end <= each.end for each in by) for one in inside)
