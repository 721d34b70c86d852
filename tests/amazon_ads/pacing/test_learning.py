"""What refusals, silence and answers do to the shared row."""

import logging
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils.timezone import now

from amazon_accounts.amazon_ads.models import Family, ParkedLogin, RateLimit
from amazon_accounts.amazon_ads.pacing.learning import (
    record_answer,
    record_failed_probe,
    record_failure,
    record_throttled,
)
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, reserve

pytestmark = pytest.mark.django_db

ROW = RateLimitKey("NA", Family.ACCOUNTS)


@pytest.fixture(autouse=True)
def pace_of_twenty(settings: LazySettings) -> None:
    settings.AMAZON_REQUESTS_PER_SECOND = 20.0
    settings.AMAZON_BURST = 8
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 100.0


def the_row() -> RateLimit:
    return RateLimit.objects.get(region=ROW.region, family=ROW.family)


def throttle(subject: str, seconds: float = 5.0) -> None:
    record_throttled(ROW, subject, reserve(ROW, subject, max_wait=1e6), seconds=seconds)


@pytest.fixture
def two_logins() -> None:
    """alice and bob both call here, and wait for their slots."""
    for _ in range(6):
        reserve(ROW, "alice", max_wait=60)
        reserve(ROW, "bob", max_wait=60)


@pytest.fixture
def one_login() -> None:
    for _ in range(12):
        reserve(ROW, "alice", max_wait=60)


@pytest.mark.usefixtures("two_logins")
class TestTwoLogins:
    def test_one_refused_login_is_parked_and_the_others_go_on(self) -> None:
        before = the_row().pace
        throttle("alice", seconds=3600)
        assert ParkedLogin.objects.get().until == pytest.approx(
            now() + timedelta(hours=1), abs=timedelta(seconds=5)
        )
        row = the_row()
        assert (row.blocked_until, row.slowed_at, row.throttled) == (None, None, 1)
        assert row.pace >= before
        assert reserve(ROW, "alice", max_wait=1).obstacle == "parked"
        assert reserve(ROW, "bob", max_wait=1e6).obstacle == ""

    def test_a_login_that_is_refused_again_and_again_stays_the_only_one(self) -> None:
        slot = reserve(ROW, "alice", max_wait=60)
        for _ in range(5):
            record_throttled(ROW, "alice", slot, seconds=1)
        assert the_row().blocked_until is None

    def test_a_second_refused_login_blocks_and_slows_everybody(self) -> None:
        before = the_row().pace
        slot = reserve(ROW, "bob", max_wait=60)
        throttle("alice", seconds=2)
        record_throttled(ROW, "bob", slot, seconds=7)
        row = the_row()
        assert row.pace == pytest.approx(0.7 * before, rel=0.05)
        assert not row.growing
        assert row.blocked_until == pytest.approx(now() + timedelta(seconds=7), abs=timedelta(seconds=1))

    def test_refusals_ten_seconds_apart_are_two_matters(self) -> None:
        throttle("alice")
        RateLimit.objects.update(refused_at=now() - timedelta(seconds=11))
        throttle("bob")
        assert the_row().blocked_until is None

    def test_a_burst_of_refusals_slows_once(self) -> None:
        # Where slots may be saved up, a slow machine would have the burst cut instead of the pace.
        RateLimit.objects.update(burst=1)
        under_way = [reserve(ROW, name, max_wait=60) for name in ("alice", "bob") * 4]
        for slot in under_way:
            record_throttled(ROW, "alice", slot, seconds=1)
            record_throttled(ROW, "bob", slot, seconds=1)
        once = the_row()
        assert once.throttled == 16
        assert once.pace == pytest.approx(0.7 * 20, rel=0.3)
        # A request that took its slot after that slows once more.
        RateLimit.objects.update(blocked_until=None)
        ParkedLogin.objects.all().delete()
        throttle("alice", seconds=1)
        assert the_row().pace < once.pace

    def test_no_block_lasts_longer_than_an_hour_though_a_login_may_be_parked_for_a_day(self) -> None:
        slot = reserve(ROW, "bob", max_wait=60)
        throttle("alice", seconds=86400)
        record_throttled(ROW, "bob", slot, seconds=86400)
        blocked_until = the_row().blocked_until
        assert blocked_until is not None
        assert blocked_until < now() + timedelta(seconds=3601)
        assert ParkedLogin.objects.filter(until__gt=now() + timedelta(hours=23)).count() == 2

    def test_a_shorter_wait_does_not_shorten_a_longer_one(self) -> None:
        slot = reserve(ROW, "alice", max_wait=60)
        record_throttled(ROW, "alice", slot, seconds=100)
        record_throttled(ROW, "alice", slot, seconds=1)
        assert ParkedLogin.objects.get().until > now() + timedelta(seconds=90)

    def test_parked_logins_are_forgotten_afterwards(self) -> None:
        throttle("alice", seconds=1)
        ParkedLogin.objects.update(until=now() - timedelta(seconds=1))
        throttle("bob", seconds=1)
        assert [parked.subject for parked in ParkedLogin.objects.all()] == ["bob"]


@pytest.mark.usefixtures("one_login")
class TestOneLogin:
    def test_its_refusal_blocks_the_row(self) -> None:
        throttle("alice", seconds=5)
        row = the_row()
        assert row.blocked_until is not None
        assert row.slowed_at is not None

    def test_a_login_that_left_long_ago_does_not_count(self) -> None:
        RateLimit.objects.update(other_login_at=now() - timedelta(minutes=11))
        throttle("alice", seconds=5)
        assert the_row().blocked_until is not None

    def test_after_a_block_there_is_no_burst(self) -> None:
        throttle("alice", seconds=0.001)
        waits = [reserve(ROW, "bob", max_wait=60).seconds for _ in range(3)]
        assert waits[2] > waits[1] > waits[0] > 0

    def test_a_refused_burst_makes_the_burst_smaller_and_leaves_the_pace(self) -> None:
        RateLimit.objects.update(slot_at=now() - timedelta(seconds=30), growing=False)
        before = the_row().pace
        throttle("alice", seconds=1)
        row = the_row()
        assert (row.burst, row.pace) == (4, before)

    def test_without_a_burst_the_pace_slows(self) -> None:
        RateLimit.objects.update(slot_at=now() - timedelta(seconds=30), growing=False, burst=1)
        before = the_row().pace
        throttle("alice", seconds=1)
        assert the_row().pace == 0.9 * before

    def test_the_second_burst_of_refusals_measures_the_limit(self) -> None:
        slowed_at = now() - timedelta(seconds=10)
        RateLimit.objects.update(slowed_at=slowed_at, growing=False, requests_since_slowed=150, pace=19.0)
        throttle("alice", seconds=1)
        assert the_row().pace == pytest.approx(0.95 * 15, rel=0.02)

    def test_it_says_that_it_slowed(self, caplog: pytest.LogCaptureFixture) -> None:
        throttle("alice")
        (record,) = [each for each in caplog.records if getattr(each, "action", "") == "pace_slowed"]
        assert record.levelno == logging.WARNING
        assert "requests a second" in record.getMessage()


def fail(*subjects: str) -> None:
    for subject in subjects:
        record_failure(ROW, subject)


class TestCircuit:
    @pytest.mark.usefixtures("two_logins")
    def test_five_failures_of_two_logins_open_it(self) -> None:
        fail("alice", "alice", "alice", "bob")
        assert the_row().circuit_open_until is None
        fail("alice")
        row = the_row()
        assert row.circuit_open_until == pytest.approx(
            now() + timedelta(seconds=30), abs=timedelta(seconds=2)
        )
        assert row.failures == 5

    @pytest.mark.usefixtures("two_logins")
    def test_a_poisoned_login_alone_does_not(self) -> None:
        fail(*["alice"] * 20)
        assert the_row().circuit_open_until is None
        fail("bob")
        assert the_row().circuit_open_until is not None

    @pytest.mark.usefixtures("one_login")
    def test_the_only_login_does(self) -> None:
        fail(*["alice"] * 5)
        assert the_row().circuit_open_until is not None

    @pytest.mark.usefixtures("two_logins")
    def test_an_answer_between_starts_the_count_again(self) -> None:
        fail("alice", "bob", "alice", "bob")
        record_answer(ROW, is_probe=False)
        fail("alice", "bob", "alice", "bob")
        row = the_row()
        assert (row.circuit_open_until, row.failures_in_a_row) == (None, 4)

    @pytest.mark.usefixtures("one_login")
    def test_a_failed_probe_opens_it_for_twice_as_long_up_to_ten_minutes(self) -> None:
        fail(*["alice"] * 5)
        opened = []
        for _ in range(6):
            record_failed_probe(ROW)
            opened.append(the_row().circuit_seconds)
        assert opened == [60, 120, 240, 480, 600, 600]

    @pytest.mark.usefixtures("one_login")
    def test_a_good_probe_closes_it(self, caplog: pytest.LogCaptureFixture) -> None:
        fail(*["alice"] * 5)
        record_answer(ROW, is_probe=True)
        row = the_row()
        assert (row.circuit_open_until, row.circuit_seconds, row.failures_in_a_row) == (None, 0, 0)
        actions = [getattr(record, "action", "") for record in caplog.records]
        assert actions == ["circuit_opened", "circuit_closed"]

    @pytest.mark.usefixtures("one_login")
    def test_a_late_answer_does_not_close_it(self) -> None:
        fail(*["alice"] * 5)
        record_answer(ROW, is_probe=False)
        assert the_row().circuit_open_until is not None

    def test_login_with_amazon_is_left_alone_for_a_minute_at_most(self) -> None:
        row = RateLimitKey("", Family.LWA)
        reserve(row, "alice", max_wait=60)
        for _ in range(5):
            record_failure(row, "alice")
        for _ in range(4):
            record_failed_probe(row)
        assert RateLimit.objects.get(family=Family.LWA).circuit_seconds == 60


def test_a_row_that_is_gone_teaches_nothing() -> None:
    record_failure(ROW, "alice")
    record_failed_probe(ROW)
    record_answer(ROW, is_probe=True)
    slot = reserve(ROW, "alice", max_wait=1)
    RateLimit.objects.all().delete()
    record_throttled(ROW, "alice", slot, seconds=1)
    assert not RateLimit.objects.exists()
