"""The shared slots, on the real database."""

import threading
from datetime import timedelta
from itertools import pairwise

import pytest
from django.conf import LazySettings
from django.db import connection
from django.utils.timezone import now

from amazon_accounts.amazon_ads.models import Family, ParkedLogin, RateLimit, RateLimitHour
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.amazon_ads.pacing.reservation import RateLimitKey, Reservation, is_still_open, reserve

pytestmark = pytest.mark.django_db

KEY = RateLimitKey("EU", Family.ACCOUNTS)


@pytest.fixture(autouse=True)
def pace_of_ten(settings: LazySettings) -> None:
    settings.AMAZON_REQUESTS_PER_SECOND = 10.0
    settings.AMAZON_BURST = 5
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 100.0
    settings.LWA_REQUESTS_PER_SECOND = 20.0


def get_limit() -> RateLimit:
    return RateLimit.objects.get(region=KEY.region, family=KEY.family)


def change_limit(**values: object) -> None:
    reserve(KEY, "alice", max_wait=60)
    RateLimit.objects.update(**values)


def reserve_slot(subject: str = "alice", max_wait: float = MAX_WAIT_SECONDS) -> Reservation:
    return reserve(KEY, subject, max_wait=max_wait)


def test_the_first_reservation_creates_the_rate_limit() -> None:
    slot = reserve_slot()
    assert (slot.obstacle, slot.seconds, slot.is_probe, slot.had_failures) == ("", 0.0, False, False)
    limit = get_limit()
    assert (limit.pace, limit.burst, limit.requests, limit.growing, limit.last_subject) == (
        10.0,
        5,
        1,
        True,
        "alice",
    )


def test_a_burst_comes_at_once_and_the_rest_at_the_pace() -> None:
    change_limit(growing=False, pace=0.5, slot_at=now() - timedelta(hours=1))
    slots = [reserve_slot() for _ in range(8)]
    assert [slot.seconds == 0.0 for slot in slots] == [True] * 5 + [False] * 3
    assert slots[5].seconds == pytest.approx(2, abs=1)
    assert [later.until - earlier.until for earlier, later in pairwise(slots[4:])] == [
        timedelta(seconds=2)
    ] * 3


def test_every_slot_is_given_away_once() -> None:
    change_limit(growing=False)
    slots = [reserve_slot().until for _ in range(50)]
    assert len(set(slots)) == 50
    assert {later - earlier for earlier, later in pairwise(slots[5:])} == {timedelta(milliseconds=100)}


def test_a_slot_further_away_than_the_caller_can_wait_is_not_taken() -> None:
    change_limit(growing=False, slot_at=now() + timedelta(seconds=30))
    before = get_limit()
    slot = reserve_slot(max_wait=10)
    assert slot.obstacle == "far"
    assert slot.seconds == pytest.approx(30.1, abs=2)
    after = get_limit()
    assert (after.slot_at, after.requests) == (before.slot_at, before.requests)
    assert reserve_slot(max_wait=60).obstacle == ""


def test_a_block_ends_the_burst() -> None:
    change_limit(blocked_until=now() + timedelta(seconds=5), growing=False)
    first, second = reserve_slot(), reserve_slot()
    assert first.seconds == pytest.approx(5, abs=1)
    assert second.until - first.until == timedelta(milliseconds=100)
    assert reserve_slot(max_wait=1).obstacle == "blocked"


def test_the_pace_grows_only_while_callers_wait() -> None:
    change_limit(pace=0.5, slot_at=now() - timedelta(hours=1))
    for _ in range(5):
        reserve_slot()
    assert get_limit().pace == 0.5
    for _ in range(4):
        reserve_slot()
    assert get_limit().pace == 1.5


def test_the_pace_never_passes_its_share_of_the_ceiling(settings: LazySettings) -> None:
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 11.0
    for _ in range(20):
        reserve_slot()
    assert get_limit().pace == pytest.approx(0.95 * 11.0)


def test_a_lower_ceiling_applies_at_once(settings: LazySettings) -> None:
    reserve_slot()
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 2.0
    settings.AMAZON_BURST = 1
    reserve_slot()
    limit = get_limit()
    assert (limit.pace, limit.burst) == (1.9, 1)


def test_a_parked_login_gets_no_slot_and_the_others_do() -> None:
    reserve_slot()
    ParkedLogin.objects.create(rate_limit=get_limit(), subject="alice", until=now() + timedelta(hours=3))
    slot = reserve_slot("alice")
    assert slot.obstacle == "parked"
    assert slot.seconds == pytest.approx(3 * 3600, abs=5)
    assert reserve_slot("bob").obstacle == ""
    ParkedLogin.objects.update(until=now() - timedelta(seconds=1))
    assert reserve_slot("alice").obstacle == ""


def test_an_open_circuit_gives_no_slot_and_then_one_probe() -> None:
    change_limit(circuit_open_until=now() + timedelta(seconds=20), circuit_seconds=30)
    slot = reserve_slot()
    assert (slot.obstacle, slot.is_probe) == ("circuit", False)
    assert slot.seconds == pytest.approx(20, abs=1)
    RateLimit.objects.update(circuit_open_until=now() - timedelta(seconds=1))
    probe = reserve_slot("alice")
    assert (probe.obstacle, probe.is_probe, probe.had_failures) == ("", True, True)
    other = reserve_slot("bob")
    assert other.obstacle == "probing"
    assert other.seconds == 1.0


def test_a_probe_that_never_reports_is_followed_by_another() -> None:
    change_limit(circuit_open_until=now() - timedelta(minutes=5), probe_until=now() - timedelta(minutes=2))
    assert reserve_slot().is_probe


def test_a_probe_of_login_with_amazon_counts_as_lost_after_its_timeout(settings: LazySettings) -> None:
    settings.LWA_TIMEOUT_SECONDS = 10.0
    key = RateLimitKey("", Family.LWA)
    reserve(key, "alice", max_wait=1)
    RateLimit.objects.filter(**key._asdict()).update(circuit_open_until=now() - timedelta(seconds=1))
    assert reserve(key, "alice", max_wait=1).is_probe
    probe_until = RateLimit.objects.get(**key._asdict()).probe_until
    assert probe_until is not None
    assert probe_until - now() < timedelta(seconds=16)


def test_a_pace_that_was_used_is_raised_after_thirty_seconds() -> None:
    long_ago = now() - timedelta(seconds=31)
    change_limit(
        growing=False, probed_at=long_ago, requests_since_probed=200, slot_at=now() + timedelta(seconds=1)
    )
    reserve_slot()
    assert get_limit().pace == pytest.approx(10.2)
    reserve_slot()
    assert get_limit().pace == pytest.approx(10.2)
    RateLimit.objects.update(probed_at=long_ago, requests_since_probed=200)
    reserve_slot()
    assert get_limit().pace == pytest.approx(10.2 * 1.04)


@pytest.mark.parametrize(
    "unproven", [{"requests_since_probed": 20}, {"slot_at": now() - timedelta(seconds=9)}]
)
def test_a_pace_that_was_hardly_used_is_not_raised(unproven: dict[str, object]) -> None:
    values = {"requests_since_probed": 200, "slot_at": now() + timedelta(seconds=1), **unproven}
    change_limit(growing=False, probed_at=now() - timedelta(seconds=31), **values)
    reserve_slot()
    assert get_limit().pace == 10.0


def test_the_learned_pace_is_kept_for_a_day() -> None:
    change_limit(growing=False, pace=40.0, used_at=now() - timedelta(hours=23))
    reserve_slot()
    assert (get_limit().pace, get_limit().growing) == (40.0, False)


def test_a_learned_pace_that_is_not_used_fades() -> None:
    change_limit(growing=False, pace=40.0, burst=1, used_at=now() - timedelta(days=2))
    reserve_slot()
    limit = get_limit()
    assert limit.pace == pytest.approx(10 + 30 / 4, rel=0.01)
    assert (limit.growing, limit.burst) == (True, 5)


def test_hours_are_counted_and_closed() -> None:
    last_hour = now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    change_limit(hour=last_hour, requests=40, throttled=3, failures=2, waited_seconds=7.5)
    reserve_slot()
    reserve_slot()
    (counted,) = RateLimitHour.objects.all()
    assert (counted.hour, counted.requests, counted.throttled, counted.failures) == (last_hour, 40, 3, 2)
    assert (counted.waited_seconds, counted.pace) == (7.5, 10.0)
    limit = get_limit()
    assert (limit.requests, limit.throttled, limit.failures) == (2, 0, 0)


def test_waiting_is_counted() -> None:
    change_limit(growing=False, pace=0.5, slot_at=now() - timedelta(hours=1), waited_seconds=0)
    for _ in range(7):
        reserve_slot()
    assert get_limit().waited_seconds == pytest.approx(2 + 4, abs=1)


def test_pauses_are_measured_beyond_a_second() -> None:
    change_limit(growing=False, slot_at=now() - timedelta(seconds=9), used_at=now() - timedelta(seconds=9))
    reserve_slot()
    assert get_limit().idle_since_slowed == pytest.approx(8, abs=0.9)
    reserve_slot()
    assert get_limit().idle_since_slowed == pytest.approx(8, abs=0.9)


def test_a_slow_pace_is_not_a_pause() -> None:
    change_limit(growing=False, pace=0.2, burst=1, slot_at=now())
    reserve_slot(max_wait=60)
    reserve_slot(max_wait=60)
    assert get_limit().idle_since_slowed == pytest.approx(0, abs=0.1)


def test_a_second_login_is_noticed() -> None:
    reserve_slot("alice")
    reserve_slot("alice")
    assert get_limit().other_login_at is None
    reserve_slot("bob")
    assert get_limit().other_login_at is not None


def test_login_with_amazon_has_its_own_start() -> None:
    reserve(RateLimitKey("", Family.LWA), "alice", max_wait=60)
    assert RateLimit.objects.get(family=Family.LWA).pace == 20.0


def test_a_reservation_is_one_statement(django_assert_num_queries: object) -> None:
    reserve_slot()
    with django_assert_num_queries(1):  # type: ignore[operator]
        reserve_slot()


class TestIsStillOpen:
    @pytest.fixture(autouse=True)
    def limit(self) -> None:
        reserve_slot()

    def test_without_a_pause_it_is_open(self) -> None:
        assert is_still_open(KEY, "alice", is_probe=False)

    def test_it_sees_a_block(self) -> None:
        RateLimit.objects.update(blocked_until=now() + timedelta(seconds=5))
        assert not is_still_open(KEY, "alice", is_probe=False)

    def test_a_block_that_is_over_does_not_matter(self) -> None:
        RateLimit.objects.update(blocked_until=now() - timedelta(seconds=5))
        assert is_still_open(KEY, "alice", is_probe=False)

    def test_it_sees_that_the_login_was_parked(self) -> None:
        ParkedLogin.objects.create(
            rate_limit=get_limit(), subject="alice", until=now() + timedelta(seconds=5)
        )
        assert not is_still_open(KEY, "alice", is_probe=False)
        assert is_still_open(KEY, "bob", is_probe=False)

    def test_it_sees_an_open_circuit_unless_it_is_the_probe(self) -> None:
        RateLimit.objects.update(circuit_open_until=now() + timedelta(seconds=5))
        assert not is_still_open(KEY, "alice", is_probe=False)
        assert is_still_open(KEY, "alice", is_probe=True)


@pytest.fixture
def four_threads() -> list[list[Reservation]]:
    found: list[list[Reservation]] = [[] for _ in range(4)]

    def run(mine: list[Reservation]) -> None:
        try:
            mine.extend(reserve(KEY, "alice", max_wait=1e6) for _ in range(60))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.django_db(transaction=True)
def test_four_threads_never_get_the_same_slot(four_threads: list[list[Reservation]]) -> None:
    slots = sorted(slot.until for mine in four_threads for slot in mine)
    assert len(slots) == len(set(slots)) == 240
    assert get_limit().requests == 240
    intervals = [later - earlier for earlier, later in pairwise(slots[5:])]
    assert min(intervals) >= timedelta(seconds=1 / 100)
