"""What health, overview and /metrics read about the pace and the calls."""

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils.timezone import now
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries

from amazon_accounts.amazon_ads.models import Family, RateLimit, RateLimitHour
from amazon_accounts.amazon_ads.pacing.circuit import record_failure
from amazon_accounts.amazon_ads.pacing.report import CallTotals, PacingReport, count_calls, report_pacing
from amazon_accounts.amazon_ads.pacing.reservation import HOURS_KEPT, RateLimitKey, reserve
from amazon_accounts.amazon_ads.pacing.throttling import record_throttled

pytestmark = pytest.mark.django_db

KEY = RateLimitKey("NA", Family.ACCOUNTS)
HOUR = timedelta(hours=1)


def this_hour() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


def make_limit(**values: object) -> RateLimit:
    return RateLimit.objects.create(
        **{"region": "NA", "family": "accounts", "pace": 5.0, "burst": 5, "slot_at": now(), **values}
    )


def get_report() -> PacingReport:
    (report,) = report_pacing()
    return report


def get_totals() -> CallTotals:
    (totals,) = count_calls()
    return totals


class TestState:
    def test_rate_limits_come_by_family_and_region(self) -> None:
        for region, family in (("NA", "accounts"), ("EU", "dsp"), ("", "lwa"), ("EU", "accounts")):
            make_limit(region=region, family=family, hour=this_hour())
        order = [("EU", "accounts"), ("NA", "accounts"), ("EU", "dsp"), ("", "lwa")]
        assert [(report.region, report.family) for report in report_pacing()] == order
        assert [(totals.region, totals.family) for totals in count_calls()] == order

    def test_pauses_in_the_future_are_reported(self) -> None:
        blocked, circuit = now() + timedelta(seconds=30), now() + timedelta(seconds=60)
        make_limit(hour=this_hour(), blocked_until=blocked, circuit_open_until=circuit)
        report = get_report()
        assert (report.requests_per_second, report.blocked_until, report.circuit_open_until) == (
            5.0,
            blocked,
            circuit,
        )

    def test_pauses_in_the_past_are_not_reported(self) -> None:
        past = now() - timedelta(seconds=1)
        make_limit(hour=this_hour(), blocked_until=past, circuit_open_until=past)
        assert (get_report().blocked_until, get_report().circuit_open_until) == (None, None)

    def test_each_report_costs_one_query(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        for region in ("NA", "EU", "FE"):
            make_limit(region=region, hour=this_hour())
        with django_assert_num_queries(1):
            report_pacing()
        with django_assert_num_queries(1):
            count_calls()


class TestLastHour:
    def test_this_hour_counts_whole_and_the_hour_before_by_its_share(self) -> None:
        hour, moment = this_hour(), now()
        limit = make_limit(hour=hour, throttled=3)
        RateLimitHour.objects.create(rate_limit=limit, hour=hour - HOUR, throttled=60, pace=5)
        RateLimitHour.objects.create(rate_limit=limit, hour=hour - 2 * HOUR, throttled=1000, pace=5)
        share = 1 - (moment - hour) / HOUR
        assert get_report().throttled_last_hour == pytest.approx(3 + 60 * share, abs=1.1)

    def test_a_region_without_calls_for_hours_reports_nothing(self) -> None:
        make_limit(hour=this_hour() - 5 * HOUR, throttled=40)
        assert get_report().throttled_last_hour == 0

    def test_a_region_without_calls_in_this_hour_reports_the_share_of_the_hour_before(self) -> None:
        hour, moment = this_hour(), now()
        make_limit(hour=hour - HOUR, throttled=60)
        share = 1 - (moment - hour) / HOUR
        assert get_report().throttled_last_hour == pytest.approx(60 * share, abs=1.1)


class TestTotals:
    def test_requests_refusals_and_failures_are_counted(self) -> None:
        slot = reserve(KEY, "alice", max_wait=1)
        record_throttled(KEY, "alice", slot, pause_seconds=0)
        record_failure(KEY, "alice")
        totals = get_totals()
        assert (totals.requests, totals.throttled, totals.failures) == (1, 1, 1)

    def test_closed_hours_count_too(self) -> None:
        limit = make_limit(hour=this_hour(), requests=1, throttled=2, failures=3, waited_seconds=0.5)
        for hours in (1, 2):
            RateLimitHour.objects.create(
                rate_limit=limit, hour=limit.hour - hours * HOUR, pace=5, requests=10, throttled=20, failures=30,
                waited_seconds=1.25,
            )  # fmt: skip
        totals = get_totals()
        assert (totals.requests, totals.throttled, totals.failures, totals.waited_seconds) == (
            21,
            42,
            63,
            3.0,
        )

    def test_no_total_falls_when_the_hour_changes(self) -> None:
        for _ in range(3):
            reserve(KEY, "alice", max_wait=60)
        RateLimit.objects.update(
            hour=this_hour() - 7 * HOUR, throttled=2, failures=1, waited_seconds=0.1 + 0.2
        )
        before = get_totals()
        reserve(KEY, "alice", max_wait=60)
        after = get_totals()
        assert RateLimitHour.objects.count() == 1
        assert after.requests == before.requests + 1 == 4
        assert (after.throttled, after.failures) == (before.throttled, before.failures) == (2, 1)
        assert after.waited_seconds >= before.waited_seconds

    def test_no_total_falls_when_old_hours_are_combined(self) -> None:
        limit = make_limit(hour=this_hour() - HOUR, requests=1)
        oldest = this_hour() - HOURS_KEPT - timedelta(days=70)
        RateLimitHour.objects.bulk_create(
            RateLimitHour(
                rate_limit=limit, hour=oldest + number * HOUR, requests=1, throttled=2, failures=3, waited_seconds=0.1,
                pace=number + 1,
            )
            for number in range(0, 70 * 24, 7)
        )  # fmt: skip
        before = get_totals()
        reserve(KEY, "alice", max_wait=60)
        after = get_totals()
        assert after == CallTotals(
            region="NA",
            family=Family.ACCOUNTS,
            requests=before.requests + 1,
            throttled=before.throttled,
            failures=before.failures,
            waited_seconds=after.waited_seconds,
        )
        assert before.waited_seconds <= after.waited_seconds < before.waited_seconds + 60
        old = RateLimitHour.objects.filter(hour__lt=now() - HOURS_KEPT).order_by("hour")
        assert 3 <= len(old) <= 4
        assert all(hour.hour.day == 1 and hour.hour.hour == 0 for hour in old)

    def test_an_hour_that_passes_ninety_days_joins_its_month(self) -> None:
        limit = make_limit(hour=this_hour() - HOUR, requests=1)
        passed = this_hour() - HOURS_KEPT - HOUR
        month = passed.replace(day=1, hour=0)
        RateLimitHour.objects.create(rate_limit=limit, hour=month, requests=5, waited_seconds=0.0004, pace=1)
        if passed != month:
            RateLimitHour.objects.create(
                rate_limit=limit, hour=passed, requests=7, waited_seconds=1.5, pace=2
            )
        before = get_totals()
        reserve(KEY, "alice", max_wait=60)
        combined = RateLimitHour.objects.get(hour=month)
        assert (combined.requests, combined.pace) == ((12, 2) if passed != month else (5, 1))
        assert RateLimitHour.objects.filter(hour__lt=now() - HOURS_KEPT).count() == 1
        assert get_totals().requests == before.requests + 1

    def test_hours_of_another_rate_limit_are_left_as_they_are(self) -> None:
        make_limit(hour=this_hour() - HOUR, requests=1)
        other = make_limit(region="EU", hour=this_hour(), requests=1)
        old = this_hour() - timedelta(days=200)
        for number in range(3):
            RateLimitHour.objects.create(rate_limit=other, hour=old + number * HOUR, requests=1, pace=1)
        reserve(KEY, "alice", max_wait=60)
        assert other.hours.count() == 3


class TestWaitedSeconds(TestCase):
    @settings(deadline=None, max_examples=25)
    @given(st.lists(st.floats(min_value=0, max_value=1e5), min_size=1, max_size=20), st.integers(0, 20))
    def test_their_total_is_exact_in_any_order(self, waits: list[float], combined: int) -> None:
        """Prometheus takes the smallest fall for a restart, so sums must not depend on the order of floats."""
        RateLimit.objects.all().delete()
        limit = make_limit(hour=this_hour() - HOUR, waited_seconds=waits[0])
        recent, old = this_hour() - 2 * HOUR, this_hour() - HOURS_KEPT - 2 * HOUR
        RateLimitHour.objects.bulk_create(
            RateLimitHour(
                rate_limit=limit,
                hour=(old if number < combined else recent) - number * HOUR,
                waited_seconds=seconds,
                pace=1,
            )
            for number, seconds in enumerate(waits[1:])
        )
        before = get_totals().waited_seconds
        reserve(KEY, "alice", max_wait=0)
        assert get_totals().waited_seconds == before


@pytest.fixture
def four_threads_across_an_hour() -> list[int]:
    """The totals that a reader sees while four threads reserve slots and the hour changes again and again."""
    reserve(KEY, "alice", max_wait=1)
    seen: list[int] = []
    is_over = threading.Event()

    def call() -> None:
        try:
            for _ in range(40):
                reserve(KEY, "alice", max_wait=1e6)
        finally:
            connection.close()

    def change_hours() -> None:
        try:
            for hours in range(30, 0, -1):
                RateLimit.objects.update(hour=this_hour() - hours * HOUR)
                reserve(KEY, "alice", max_wait=1e6)
        finally:
            connection.close()

    def read() -> None:
        try:
            while not is_over.is_set():
                seen.append(get_totals().requests)
        finally:
            connection.close()

    reader = threading.Thread(target=read)
    writers = [*(threading.Thread(target=call) for _ in range(4)), threading.Thread(target=change_hours)]
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    is_over.set()
    reader.join()
    return [*seen, get_totals().requests]


@pytest.mark.django_db(transaction=True)
def test_no_total_ever_falls_while_many_call(four_threads_across_an_hour: list[int]) -> None:
    assert four_threads_across_an_hour == sorted(four_threads_across_an_hour)
    assert four_threads_across_an_hour[-1] == 1 + 4 * 40 + 30
    assert RateLimitHour.objects.count() > 1
