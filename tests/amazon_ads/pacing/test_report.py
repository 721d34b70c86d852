from datetime import timedelta

import pytest
from django.utils.timezone import now

from amazon_accounts.amazon_ads.models import Family, ParkedLogin, RateLimit, RateLimitHour
from amazon_accounts.amazon_ads.pacing.report import PacingReport, pacing_report
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, reserve

pytestmark = pytest.mark.django_db

ROW = RateLimitKey("NA", Family.ACCOUNTS)


def the_report(**values: object) -> PacingReport:
    RateLimit.objects.update(**values)
    (report,) = pacing_report()
    return report


@pytest.fixture(autouse=True)
def a_row() -> RateLimit:
    reserve(ROW, "alice", max_wait=1)
    return RateLimit.objects.get()


def test_it_tells_the_pace_of_each_row(a_row: RateLimit) -> None:
    reserve(RateLimitKey("EU", Family.DSP), "alice", max_wait=1)
    reserve(RateLimitKey("", Family.LWA), "alice", max_wait=1)
    assert [(each.region, each.family) for each in pacing_report()] == [
        ("", Family.LWA),
        ("EU", Family.DSP),
        ("NA", Family.ACCOUNTS),
    ]
    assert pacing_report()[2].pace == a_row.pace
    assert pacing_report()[2].name == "Accounts and profiles NA"


def test_a_row_at_rest_is_open() -> None:
    report = the_report(blocked_until=now() - timedelta(seconds=1), growing=True)
    assert (report.blocked_until, report.circuit, report.is_learned, report.parked_logins) == (
        None,
        "closed",
        False,
        0,
    )


def test_it_tells_who_has_to_wait(a_row: RateLimit) -> None:
    ParkedLogin.objects.create(rate_limit=a_row, subject="alice", until=now() + timedelta(hours=1))
    ParkedLogin.objects.create(rate_limit=a_row, subject="bob", until=now() - timedelta(hours=1))
    until = now() + timedelta(seconds=30)
    report = the_report(blocked_until=until, growing=False)
    assert (report.blocked_until, report.is_learned, report.parked_logins) == (until, True, 1)


@pytest.mark.parametrize(
    ("ahead", "circuit"), [(timedelta(seconds=9), "open"), (-timedelta(seconds=9), "probing")]
)
def test_it_tells_the_circuit(ahead: timedelta, circuit: str) -> None:
    assert the_report(circuit_open_until=now() + ahead).circuit == circuit


def test_it_counts_the_last_sixty_minutes(a_row: RateLimit) -> None:
    moment = now()
    hour = moment.replace(minute=0, second=0, microsecond=0)
    before = {"rate_limit": a_row, "pace": 2.0}
    RateLimitHour.objects.create(**before, hour=hour - timedelta(hours=1), requests=3600, throttled=60)
    RateLimitHour.objects.create(**before, hour=hour - timedelta(hours=2), requests=9999)
    report = the_report(hour=hour, requests=10, throttled=1, failures=2, waited_seconds=1.5)
    seconds_before = 3600 - (moment - hour).total_seconds()
    assert report.requests == pytest.approx(10 + seconds_before, abs=20)
    assert report.throttled == pytest.approx(1 + seconds_before / 60, abs=2)
    assert (report.failures, report.waited_seconds) == (2, 1.5)


def test_a_row_that_rests_since_hours_counts_nothing() -> None:
    long_ago = now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    assert the_report(hour=long_ago, requests=1000).requests == 0


def test_it_costs_three_queries(django_assert_num_queries: object) -> None:
    reserve(RateLimitKey("EU", Family.DSP), "alice", max_wait=1)
    with django_assert_num_queries(3):  # type: ignore[operator]
        pacing_report()
