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

ROW = RateLimitKey("EU", Family.ACCOUNTS)


@pytest.fixture(autouse=True)
def pace_of_ten(settings: LazySettings) -> None:
    settings.AMAZON_REQUESTS_PER_SECOND = 10.0
    settings.AMAZON_BURST = 5
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 100.0
    settings.LWA_REQUESTS_PER_SECOND = 20.0


def the_row() -> RateLimit:
    return RateLimit.objects.get(region=ROW.region, family=ROW.family)


def change(**values: object) -> None:
    reserve(ROW, "alice", max_wait=60)
    RateLimit.objects.update(**values)


def reserved(subject: str = "alice", max_wait: float = MAX_WAIT_SECONDS) -> Reservation:
    return reserve(ROW, subject, max_wait=max_wait)


def test_the_first_reservation_makes_the_row() -> None:
    slot = reserved()
    assert (slot.obstacle, slot.seconds, slot.is_probe, slot.is_ailing) == ("", 0.0, False, False)
    row = the_row()
    assert (row.pace, row.burst, row.requests, row.growing, row.last_subject) == (10.0, 5, 1, True, "alice")


def test_a_burst_goes_at_once_and_the_rest_at_the_pace() -> None:
    change(growing=False, pace=0.5, slot_at=now() - timedelta(hours=1))
    slots = [reserved() for _ in range(8)]
    assert [slot.seconds == 0.0 for slot in slots] == [True] * 5 + [False] * 3
    assert slots[5].seconds == pytest.approx(2, abs=1)
    assert [later.until - earlier.until for earlier, later in pairwise(slots[4:])] == [
        timedelta(seconds=2)
    ] * 3


def test_every_slot_is_given_away_once() -> None:
    change(growing=False)
    slots = [reserved().until for _ in range(50)]
    assert len(set(slots)) == 50
    assert {later - earlier for earlier, later in pairwise(slots[5:])} == {timedelta(milliseconds=100)}


def test_a_slot_further_away_than_the_caller_can_wait_is_not_taken() -> None:
    change(growing=False, slot_at=now() + timedelta(seconds=30))
    before = the_row()
    slot = reserved(max_wait=10)
    assert slot.obstacle == "far"
    assert slot.seconds == pytest.approx(30.1, abs=2)
    after = the_row()
    assert (after.slot_at, after.requests) == (before.slot_at, before.requests)
    assert reserved(max_wait=60).obstacle == ""


def test_a_block_ends_the_burst() -> None:
    change(blocked_until=now() + timedelta(seconds=5), growing=False)
    first, second = reserved(), reserved()
    assert first.seconds == pytest.approx(5, abs=1)
    assert second.until - first.until == timedelta(milliseconds=100)
    assert reserved(max_wait=1).obstacle == "blocked"


def test_the_pace_grows_only_while_callers_wait() -> None:
    change(pace=0.5, slot_at=now() - timedelta(hours=1))
    for _ in range(5):
        reserved()
    assert the_row().pace == 0.5
    for _ in range(4):
        reserved()
    assert the_row().pace == 1.5


def test_the_pace_never_passes_its_share_of_the_ceiling(settings: LazySettings) -> None:
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 11.0
    for _ in range(20):
        reserved()
    assert the_row().pace == pytest.approx(0.95 * 11.0)


def test_a_lower_ceiling_counts_at_once(settings: LazySettings) -> None:
    reserved()
    settings.AMAZON_MAX_REQUESTS_PER_SECOND = 2.0
    settings.AMAZON_BURST = 1
    reserved()
    row = the_row()
    assert (row.pace, row.burst) == (1.9, 1)


def test_a_parked_login_gets_no_slot_and_the_others_do() -> None:
    reserved()
    ParkedLogin.objects.create(rate_limit=the_row(), subject="alice", until=now() + timedelta(hours=3))
    slot = reserved("alice")
    assert slot.obstacle == "parked"
    assert slot.seconds == pytest.approx(3 * 3600, abs=5)
    assert reserved("bob").obstacle == ""
    ParkedLogin.objects.update(until=now() - timedelta(seconds=1))
    assert reserved("alice").obstacle == ""


def test_an_open_circuit_gives_no_slot_and_then_one_probe() -> None:
    change(circuit_open_until=now() + timedelta(seconds=20), circuit_seconds=30)
    slot = reserved()
    assert (slot.obstacle, slot.is_probe) == ("circuit", False)
    assert slot.seconds == pytest.approx(20, abs=1)
    RateLimit.objects.update(circuit_open_until=now() - timedelta(seconds=1))
    probe = reserved("alice")
    assert (probe.obstacle, probe.is_probe, probe.is_ailing) == ("", True, True)
    other = reserved("bob")
    assert other.obstacle == "probing"
    assert other.seconds == 1.0


def test_a_probe_that_never_reports_is_followed_by_another() -> None:
    change(circuit_open_until=now() - timedelta(minutes=5), probe_until=now() - timedelta(minutes=2))
    assert reserved().is_probe


def test_a_pace_that_proved_itself_is_raised_now_and_then() -> None:
    long_ago = now() - timedelta(seconds=31)
    change(growing=False, probed_at=long_ago, requests_since_probed=200, slot_at=now() + timedelta(seconds=1))
    reserved()
    assert the_row().pace == pytest.approx(10.2)
    reserved()
    assert the_row().pace == pytest.approx(10.2)
    RateLimit.objects.update(probed_at=long_ago, requests_since_probed=200)
    reserved()
    assert the_row().pace == pytest.approx(10.2 * 1.04)


@pytest.mark.parametrize(
    "unproven", [{"requests_since_probed": 20}, {"slot_at": now() - timedelta(seconds=9)}]
)
def test_a_pace_that_was_hardly_used_is_not_raised(unproven: dict[str, object]) -> None:
    values = {"requests_since_probed": 200, "slot_at": now() + timedelta(seconds=1), **unproven}
    change(growing=False, probed_at=now() - timedelta(seconds=31), **values)
    reserved()
    assert the_row().pace == 10.0


def test_what_was_learned_is_kept_over_night() -> None:
    change(growing=False, pace=40.0, used_at=now() - timedelta(hours=23))
    reserved()
    assert (the_row().pace, the_row().growing) == (40.0, False)


def test_what_was_learned_fades_when_unused() -> None:
    change(growing=False, pace=40.0, burst=1, used_at=now() - timedelta(days=2))
    reserved()
    row = the_row()
    assert row.pace == pytest.approx(10 + 30 / 4, rel=0.01)
    assert (row.growing, row.burst) == (True, 5)


def test_hours_are_counted_and_closed() -> None:
    last_hour = now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    old = last_hour - timedelta(days=100)
    change(hour=last_hour, requests=40, throttled=3, failures=2, waited_seconds=7.5)
    RateLimitHour.objects.create(rate_limit=the_row(), hour=old, pace=1)
    reserved()
    reserved()
    (counted,) = RateLimitHour.objects.all()
    assert (counted.hour, counted.requests, counted.throttled, counted.failures) == (last_hour, 40, 3, 2)
    assert (counted.waited_seconds, counted.pace) == (7.5, 10.0)
    row = the_row()
    assert (row.requests, row.throttled, row.failures) == (2, 0, 0)


def test_waiting_is_counted() -> None:
    change(growing=False, pace=0.5, slot_at=now() - timedelta(hours=1), waited_seconds=0)
    for _ in range(7):
        reserved()
    assert the_row().waited_seconds == pytest.approx(2 + 4, abs=1)


def test_pauses_are_measured_beyond_a_second() -> None:
    change(growing=False, slot_at=now() - timedelta(seconds=9), used_at=now() - timedelta(seconds=9))
    reserved()
    assert the_row().idle_since_slowed == pytest.approx(8, abs=0.9)
    reserved()
    assert the_row().idle_since_slowed == pytest.approx(8, abs=0.9)


def test_a_slow_pace_is_no_pause() -> None:
    change(growing=False, pace=0.2, burst=1, slot_at=now())
    reserved(max_wait=60)
    reserved(max_wait=60)
    assert the_row().idle_since_slowed == pytest.approx(0, abs=0.1)


def test_it_knows_when_logins_take_turns() -> None:
    reserved("alice")
    reserved("alice")
    assert the_row().other_login_at is None
    reserved("bob")
    assert the_row().other_login_at is not None


def test_login_with_amazon_has_its_own_start() -> None:
    reserve(RateLimitKey("", Family.LWA), "alice", max_wait=60)
    assert RateLimit.objects.get(family=Family.LWA).pace == 20.0


def test_a_reservation_is_one_statement(django_assert_num_queries: object) -> None:
    reserved()
    with django_assert_num_queries(1):  # type: ignore[operator]
        reserved()


class TestLook:
    @pytest.fixture(autouse=True)
    def a_row(self) -> None:
        reserved()

    def test_an_open_row_stays_open(self) -> None:
        assert is_still_open(ROW, "alice", is_probe=False)

    def test_it_sees_a_block(self) -> None:
        RateLimit.objects.update(blocked_until=now() + timedelta(seconds=5))
        assert not is_still_open(ROW, "alice", is_probe=False)

    def test_a_block_that_is_over_does_not_matter(self) -> None:
        RateLimit.objects.update(blocked_until=now() - timedelta(seconds=5))
        assert is_still_open(ROW, "alice", is_probe=False)

    def test_it_sees_that_the_login_was_parked(self) -> None:
        ParkedLogin.objects.create(rate_limit=the_row(), subject="alice", until=now() + timedelta(seconds=5))
        assert not is_still_open(ROW, "alice", is_probe=False)
        assert is_still_open(ROW, "bob", is_probe=False)

    def test_it_sees_an_open_circuit_unless_it_is_the_probe(self) -> None:
        RateLimit.objects.update(circuit_open_until=now() + timedelta(seconds=5))
        assert not is_still_open(ROW, "alice", is_probe=False)
        assert is_still_open(ROW, "alice", is_probe=True)


@pytest.fixture
def four_threads() -> list[list[Reservation]]:
    found: list[list[Reservation]] = [[] for _ in range(4)]

    def run(mine: list[Reservation]) -> None:
        try:
            mine.extend(reserve(ROW, "alice", max_wait=1e6) for _ in range(60))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.django_db(transaction=True)
def test_no_slot_is_given_twice_to_many_at_once(four_threads: list[list[Reservation]]) -> None:
    """Also the row itself is made once."""
    slots = sorted(slot.until for mine in four_threads for slot in mine)
    assert len(slots) == len(set(slots)) == 240
    assert the_row().requests == 240
    intervals = [later - earlier for earlier, later in pairwise(slots[5:])]
    assert min(intervals) >= timedelta(seconds=1 / 100)
