from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amazon_accounts.amazon_ads.retry_after import MAX_RETRY_AFTER_SECONDS, parse_retry_after

NOON = datetime(2026, 7, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1", 1.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("3600", 3600.0),
        ("99999999999", MAX_RETRY_AFTER_SECONDS),
        # No wait at all says nothing: our own backoff decides.
        ("0", None),
        ("0.0", None),
        ("-5", None),
        (None, None),
        ("", None),
        ("in a little while", None),
        ("1e9", None),
        ("NaN", None),
        ("inf", None),
        ("1 2", None),
        ("٣", None),
        ("9" * 400, None),
        ("Thu, 30 Jul 2026 12:00:07 GMT", 7.0),
        ("Thu, 30 Jul 2026 11:59:00 GMT", None),
        ("Thu, 30 Jul 2099 12:00:00 GMT", MAX_RETRY_AFTER_SECONDS),
        ("Thu, 99 Jul 2026 12:00:00 GMT", None),
    ],
)
def test_it_reads_the_header(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, format_datetime(NOON, usegmt=True)) == seconds


def test_a_date_is_measured_from_now_where_the_answer_has_none() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    seconds = parse_retry_after(in_a_minute)
    assert seconds is not None
    # The clock that it reads is right to a second.
    assert 55 < seconds < 61


@given(st.one_of(st.none(), st.text()), st.one_of(st.none(), st.text()))
def test_whatever_it_is_given_it_is_none_or_a_sensible_wait(header: str | None, date: str | None) -> None:
    seconds = parse_retry_after(header, date)
    assert seconds is None or 0 < seconds <= MAX_RETRY_AFTER_SECONDS


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_number_is_none_or_a_sensible_wait(number: float) -> None:
    seconds = parse_retry_after(str(number))
    assert seconds is None or 0 < seconds <= MAX_RETRY_AFTER_SECONDS


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_a_date_ahead_is_waited_for(moment: datetime) -> None:
    until = moment.replace(tzinfo=UTC, microsecond=0)
    seconds = parse_retry_after(format_datetime(until, usegmt=True), format_datetime(NOON, usegmt=True))
    ahead = (until - NOON).total_seconds()
    assert seconds == (min(ahead, MAX_RETRY_AFTER_SECONDS) if ahead > 0 else None)
