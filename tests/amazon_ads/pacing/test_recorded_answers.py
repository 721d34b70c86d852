"""What refusals, silence and answers do to the shared limit."""

import logging
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils.timezone import now

from amazon_accounts.amazon_ads.models import Family, ParkedLogin, RateLimit
from amazon_accounts.amazon_ads.pacing.circuit import record_answer, record_failed_probe, record_failure
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, reserve
from amazon_accounts.amazon_ads.pacing.throttling import record_throttled

pytestmark = pytest.mark.django_db

KEY = RateLimitKey("NA", Family.ACCOUNTS)


@pytest.fixture(autouse=True)
def pace_of_twenty(settings: LazySettings) -> None:
    settings.AMAZON_REQUESTS_PER_SECOND = 20.0
    settings.AMAZON_BURST = 8
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 100.0


def get_limit() -> RateLimit:
    return RateLimit.objects.get(region=KEY.region, family=KEY.family)


def throttle(subject: str, seconds: float = 5.0) -> None:
    record_throttled(KEY, subject, reserve(KEY, subject, max_wait=1e6), pause_seconds=seconds)


@pytest.fixture
def two_logins() -> None:
    """Alice and Bob make calls and wait for their slots."""
    for _ in range(6):
        reserve(KEY, "alice", max_wait=60)
        reserve(KEY, "bob", max_wait=60)


@pytest.fixture
def one_login() -> None:
    for _ in range(12):
        reserve(KEY, "alice", max_wait=60)


@pytest.mark.usefixtures("two_logins")
class TestTwoLogins:
    def test_one_refused_login_is_parked_and_the_others_continue(self) -> None:
        before = get_limit().pace
        throttle("alice", seconds=3600)
        assert ParkedLogin.objects.get().until == pytest.approx(
            now() + timedelta(hours=1), abs=timedelta(seconds=5)
        )
        limit = get_limit()
        assert (limit.blocked_until, limit.slowed_at, limit.throttled) == (None, None, 1)
        assert limit.pace >= before
        assert reserve(KEY, "alice", max_wait=1).obstacle == "parked"
        assert reserve(KEY, "bob", max_wait=1e6).obstacle == ""

    def test_a_login_that_is_refused_again_and_again_stays_the_only_one(self) -> None:
        slot = reserve(KEY, "alice", max_wait=60)
        for _ in range(5):
            record_throttled(KEY, "alice", slot, pause_seconds=1)
        assert get_limit().blocked_until is None

    def test_a_second_refused_login_blocks_and_slows_everybody(self) -> None:
        # With a larger burst, a slow machine would get its burst cut instead of its pace.
        RateLimit.objects.update(burst=1)
        before = get_limit().pace
        slot = reserve(KEY, "bob", max_wait=60)
        throttle("alice", seconds=2)
        record_throttled(KEY, "bob", slot, pause_seconds=7)
        limit = get_limit()
        assert limit.pace == pytest.approx(0.7 * before, rel=0.05)
        assert not limit.growing
        assert limit.blocked_until == pytest.approx(now() + timedelta(seconds=7), abs=timedelta(seconds=1))

    def test_refusals_more_than_ten_seconds_apart_do_not_count_together(self) -> None:
        throttle("alice")
        RateLimit.objects.update(refused_at=now() - timedelta(seconds=11))
        throttle("bob")
        assert get_limit().blocked_until is None

    def test_a_burst_of_refusals_slows_once(self) -> None:
        # With a larger burst, a slow machine would get its burst cut instead of its pace.
        RateLimit.objects.update(burst=1)
        under_way = [reserve(KEY, name, max_wait=60) for name in ("alice", "bob") * 4]
        for slot in under_way:
            record_throttled(KEY, "alice", slot, pause_seconds=1)
            record_throttled(KEY, "bob", slot, pause_seconds=1)
        once = get_limit()
        assert once.throttled == 16
        assert once.pace == pytest.approx(0.7 * 20, rel=0.3)
        # A request that took its slot afterwards slows the pace again.
        RateLimit.objects.update(blocked_until=None)
        ParkedLogin.objects.all().delete()
        throttle("alice", seconds=1)
        assert get_limit().pace < once.pace

    def test_a_block_lasts_an_hour_at_most_and_a_parked_login_a_day(self) -> None:
        slot = reserve(KEY, "bob", max_wait=60)
        throttle("alice", seconds=86400)
        record_throttled(KEY, "bob", slot, pause_seconds=86400)
        blocked_until = get_limit().blocked_until
        assert blocked_until is not None
        assert blocked_until < now() + timedelta(seconds=3601)
        assert ParkedLogin.objects.filter(until__gt=now() + timedelta(hours=23)).count() == 2

    def test_a_shorter_wait_does_not_shorten_a_longer_one(self) -> None:
        slot = reserve(KEY, "alice", max_wait=60)
        record_throttled(KEY, "alice", slot, pause_seconds=100)
        record_throttled(KEY, "alice", slot, pause_seconds=1)
        assert ParkedLogin.objects.get().until > now() + timedelta(seconds=90)

    def test_parked_logins_are_deleted_afterwards(self) -> None:
        throttle("alice", seconds=1)
        ParkedLogin.objects.update(until=now() - timedelta(seconds=1))
        throttle("bob", seconds=1)
        assert [parked.subject for parked in ParkedLogin.objects.all()] == ["bob"]


@pytest.mark.usefixtures("one_login")
class TestOneLogin:
    def test_its_refusal_blocks_everybody(self) -> None:
        throttle("alice", seconds=5)
        limit = get_limit()
        assert limit.blocked_until is not None
        assert limit.slowed_at is not None

    def test_a_login_that_left_long_ago_does_not_count(self) -> None:
        RateLimit.objects.update(other_login_at=now() - timedelta(minutes=11))
        throttle("alice", seconds=5)
        assert get_limit().blocked_until is not None

    def test_after_a_block_there_is_no_burst(self) -> None:
        throttle("alice", seconds=0.001)
        waits = [reserve(KEY, "bob", max_wait=60).seconds for _ in range(3)]
        assert waits[2] > waits[1] > waits[0] > 0

    def test_a_refused_burst_halves_the_burst_and_keeps_the_pace(self) -> None:
        RateLimit.objects.update(slot_at=now() - timedelta(seconds=30), growing=False)
        before = get_limit().pace
        throttle("alice", seconds=1)
        limit = get_limit()
        assert (limit.burst, limit.pace) == (4, before)

    def test_without_a_burst_the_pace_slows(self) -> None:
        RateLimit.objects.update(slot_at=now() - timedelta(seconds=30), growing=False, burst=1)
        before = get_limit().pace
        throttle("alice", seconds=1)
        assert get_limit().pace == 0.9 * before

    def test_the_second_burst_of_refusals_measures_the_limit(self) -> None:
        slowed_at = now() - timedelta(seconds=10)
        RateLimit.objects.update(
            slowed_at=slowed_at, growing=False, burst=1, requests_since_slowed=150, pace=19.0
        )
        throttle("alice", seconds=1)
        assert get_limit().pace == pytest.approx(0.95 * 15, rel=0.1)

    def test_a_slower_pace_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        throttle("alice")
        (record,) = [each for each in caplog.records if getattr(each, "action", "") == "pace_slowed"]
        assert record.levelno == logging.WARNING
        assert "requests a second" in record.getMessage()


def fail(*subjects: str) -> None:
    for subject in subjects:
        record_failure(KEY, subject)


class TestCircuit:
    @pytest.mark.usefixtures("two_logins")
    def test_five_failures_of_two_logins_open_it(self) -> None:
        fail("alice", "alice", "alice", "bob")
        assert get_limit().circuit_open_until is None
        fail("alice")
        limit = get_limit()
        assert limit.circuit_open_until == pytest.approx(
            now() + timedelta(seconds=30), abs=timedelta(seconds=2)
        )
        assert limit.failures == 5

    @pytest.mark.usefixtures("two_logins")
    def test_failures_of_one_login_do_not_open_it(self) -> None:
        fail(*["alice"] * 20)
        assert get_limit().circuit_open_until is None
        fail("bob")
        assert get_limit().circuit_open_until is not None

    @pytest.mark.usefixtures("one_login")
    def test_failures_of_the_only_login_open_it(self) -> None:
        fail(*["alice"] * 5)
        assert get_limit().circuit_open_until is not None

    @pytest.mark.usefixtures("two_logins")
    def test_an_answer_between_starts_the_count_again(self) -> None:
        fail("alice", "bob", "alice", "bob")
        record_answer(KEY, is_probe=False)
        fail("alice", "bob", "alice", "bob")
        limit = get_limit()
        assert (limit.circuit_open_until, limit.failures_in_a_row) == (None, 4)

    @pytest.mark.usefixtures("one_login")
    def test_a_failed_probe_opens_it_for_twice_as_long_up_to_ten_minutes(self) -> None:
        fail(*["alice"] * 5)
        opened = []
        for _ in range(6):
            record_failed_probe(KEY)
            opened.append(get_limit().circuit_seconds)
        assert opened == [60, 120, 240, 480, 600, 600]

    @pytest.mark.usefixtures("one_login")
    def test_a_good_probe_closes_it(self, caplog: pytest.LogCaptureFixture) -> None:
        fail(*["alice"] * 5)
        record_answer(KEY, is_probe=True)
        limit = get_limit()
        assert (limit.circuit_open_until, limit.circuit_seconds, limit.failures_in_a_row) == (None, 0, 0)
        actions = [getattr(record, "action", "") for record in caplog.records]
        assert actions == ["circuit_opened", "circuit_closed"]

    @pytest.mark.usefixtures("one_login")
    def test_a_late_answer_does_not_close_it(self) -> None:
        fail(*["alice"] * 5)
        record_answer(KEY, is_probe=False)
        assert get_limit().circuit_open_until is not None

    def test_the_circuit_of_login_with_amazon_is_open_for_a_few_seconds_at_most(self) -> None:
        key = RateLimitKey("", Family.LWA)
        reserve(key, "alice", max_wait=60)
        for _ in range(5):
            record_failure(key, "alice")
        for _ in range(4):
            record_failed_probe(key)
        assert RateLimit.objects.get(family=Family.LWA).circuit_seconds == 5


def test_without_the_rate_limit_nothing_is_recorded() -> None:
    record_failure(KEY, "alice")
    record_failed_probe(KEY)
    record_answer(KEY, is_probe=True)
    slot = reserve(KEY, "alice", max_wait=1)
    RateLimit.objects.all().delete()
    record_throttled(KEY, "alice", slot, pause_seconds=1)
    assert not RateLimit.objects.exists()
