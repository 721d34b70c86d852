"""The arithmetic of pacing."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from amazon_accounts.amazon_ads.models import Family
from amazon_accounts.amazon_ads.pacing import pace
from amazon_accounts.amazon_ads.pacing.pace import Bounds, SinceSlowed

paces = st.floats(min_value=pace.MIN_PACE, max_value=1000)
since = st.builds(
    SinceSlowed,
    requests=st.integers(min_value=0, max_value=100_000),
    seconds=st.floats(min_value=0, max_value=1e6),
    idle=st.floats(min_value=0, max_value=1e6),
)


@given(paces, st.booleans(), st.one_of(st.none(), since))
def test_slowing_always_slows_and_never_by_more_than_half(
    before: float,
    growing: bool,
    happened: SinceSlowed | None,
) -> None:
    after = pace.slow_down(before, growing=growing, since=happened)
    assert max(pace.MIN_PACE, 0.5 * before) <= after
    assert after < before or before == after == pace.MIN_PACE


@given(st.floats(min_value=1, max_value=100), st.floats(min_value=1.01, max_value=1.9))
def test_between_two_bursts_it_measures_what_amazon_serves(rate: float, too_fast: float) -> None:
    """A bucket of any size, emptied at the first burst and again at the second."""
    before, served_seconds = rate * too_fast, 30.0
    happened = SinceSlowed(requests=round(rate * served_seconds), seconds=served_seconds, idle=0.0)
    after = pace.slow_down(before, growing=False, since=happened)
    assert after == pytest.approx(min(0.95 * rate, 0.95 * before), rel=0.05)


@pytest.mark.parametrize(
    "happened",
    [
        None,
        SinceSlowed(requests=5, seconds=10, idle=0),
        SinceSlowed(requests=50, seconds=0.5, idle=0),
        SinceSlowed(9999, 500, 0),
        SinceSlowed(50, 5, 9),
    ],
)
def test_where_it_cannot_measure_it_guesses(happened: SinceSlowed | None) -> None:
    assert pace.slow_down(10, growing=False, since=happened) == 9
    assert pace.slow_down(10, growing=True, since=happened) == 7


@given(paces, st.integers(min_value=0, max_value=10_000))
def test_a_probe_is_small(before: float, probes: int) -> None:
    after = pace.probe_faster(before, probes)
    assert before * 1.0199 <= after <= before * 1.1601


@given(paces, paces, st.floats(min_value=0, max_value=1e5))
def test_forgetting_leads_towards_the_start(before: float, start: float, days: float) -> None:
    after = pace.fade(before, Bounds(start, ceiling=1000, burst=1), unused=timedelta(days=days))
    low, high = sorted((before, start))
    assert low * 0.999 <= after <= high * 1.001


def test_forgetting_halves_the_distance_each_day() -> None:
    allowed = Bounds(start=2, ceiling=50, burst=10)
    assert pace.fade(18, allowed, unused=timedelta(days=1)) == 10
    assert pace.fade(18, allowed, unused=timedelta(days=3)) == 4


def test_a_circuit_opens_for_longer_each_time() -> None:
    seconds, opened = 0, []
    for _ in range(7):
        seconds = pace.next_circuit_seconds(Family.ACCOUNTS, seconds)
        opened.append(seconds)
    assert opened == [30, 60, 120, 240, 480, 600, 600]
    assert [pace.next_circuit_seconds(Family.LWA, before) for before in (0, 2, 4, 5)] == [2, 4, 5, 5]


@given(st.integers(min_value=1, max_value=10**6))
def test_the_backoff_doubles_up_to_its_longest(attempt: int) -> None:
    with override_settings(AMAZON_BACKOFF_BASE_SECONDS=1.0, AMAZON_BACKOFF_MAX_SECONDS=60.0):
        assert pace.max_backoff_seconds(attempt) == (2.0 ** (attempt - 1) if attempt <= 6 else 60.0)


def test_the_start_is_never_above_the_ceiling(settings: LazySettings) -> None:
    settings.AMAZON_REQUESTS_PER_SECOND = 10.0
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 2.0
    assert pace.bounds_of(Family.DSP) == Bounds(start=1.9, ceiling=1.9, burst=settings.AMAZON_BURST)


@given(
    st.floats(min_value=0.1, max_value=200),
    st.integers(min_value=1, max_value=50),
    st.lists(
        st.tuples(st.floats(min_value=0, max_value=3), st.floats(min_value=0, max_value=0.5)), max_size=200
    ),
)
def test_late_slots_never_break_the_ceiling_in_ten_seconds(
    ceiling: float, burst: int, calls: list[tuple[float, float]]
) -> None:
    """GCRA as the database does it, and each slot used up to STALE_SLOT_SECONDS late."""
    interval = 1 / (pace.CEILING_SHARE * ceiling)
    clock, slot, sent = 1000.0, 0.0, []
    for pause, late in calls:
        clock += pause
        slot = max(slot + interval, clock - (burst - 1) * interval)
        sent.append(max(slot, clock) + late * pace.STALE_SLOT_SECONDS / 0.5)
    sent.sort()
    for first, moment in enumerate(sent):
        in_window = sum(1 for other in sent[first:] if other <= moment + 10)
        assert in_window <= burst + 10 * ceiling
