"""When a token is refreshed next, for any life and any setting."""

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from tokens.refresh.delays import (
    JITTER,
    MAX_RETRY_SECONDS,
    MIN_DELAY_SECONDS,
    choose_refresh_delay,
    choose_retry_delay,
)

lives = st.floats(min_value=0, max_value=7 * 86400)
leads = st.integers(min_value=1, max_value=86400)


def delay(life: float, *, lead: int = 600) -> float:
    with override_settings(TOKEN_REFRESH_LEAD_SECONDS=lead):
        return choose_refresh_delay(life).total_seconds()


@given(life=lives, lead=leads)
def test_a_token_is_refreshed_before_it_expires(life: float, lead: int) -> None:
    assert delay(life, lead=lead) <= max(life, MIN_DELAY_SECONDS)


@given(life=lives, lead=leads)
def test_a_token_is_never_refreshed_in_the_first_half_of_its_life(life: float, lead: int) -> None:
    # Microseconds are rounded.
    assert delay(life, lead=lead) >= life / 2 - 1e-5 or life / 2 < MIN_DELAY_SECONDS


@given(life=st.floats(min_value=1200, max_value=86400))
def test_jitter_makes_the_refresh_earlier_by_a_tenth_of_the_lead_at_most(life: float) -> None:
    spread = life - 600 - delay(life)
    assert -1e-5 <= spread <= 600 * JITTER + 1e-5


@given(life=lives, lead=leads)
def test_a_refresh_is_never_due_at_once(life: float, lead: int) -> None:
    assert delay(life, lead=lead) >= MIN_DELAY_SECONDS


@pytest.mark.parametrize("life", [0.0, 0.5, 1.0])
def test_a_token_that_expires_at_once_is_refreshed_a_second_later(life: float) -> None:
    assert delay(life) == MIN_DELAY_SECONDS


@pytest.mark.parametrize(("life", "lead", "expected"), [(60, 600, 30), (1200, 600, 600), (10, 600, 5)])
def test_there_is_no_jitter_when_the_lead_is_half_of_the_life(
    life: float, lead: int, expected: float
) -> None:
    assert delay(life, lead=lead) == expected


def test_tokens_that_were_given_at_the_same_time_are_refreshed_at_different_times() -> None:
    assert len({delay(3600) for _ in range(20)}) > 1


@given(check=st.integers(min_value=2, max_value=3600))
def test_a_failed_refresh_is_due_again_before_the_next_check(check: int) -> None:
    with override_settings(TOKEN_REFRESH_CHECK_SECONDS=check):
        seconds = choose_retry_delay().total_seconds()
    assert 0 < seconds <= min(check / 2, MAX_RETRY_SECONDS)


def test_failed_refreshes_are_spread_over_half_of_the_longest_delay() -> None:
    with override_settings(TOKEN_REFRESH_CHECK_SECONDS=300):
        delays = [choose_retry_delay().total_seconds() for _ in range(50)]
    assert min(delays) >= MAX_RETRY_SECONDS / 2
    assert max(delays) <= MAX_RETRY_SECONDS
    assert len(set(delays)) > 1
