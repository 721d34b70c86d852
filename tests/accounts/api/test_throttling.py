"""How many requests one person may make."""

import pytest

from accounts.api.throttling import READING, WRITING, RequestClocks
from tokens.people.hand_out_pace import Pace

SLOW = Pace("slow", per_second=1, burst=5)


@pytest.mark.parametrize("pace", [READING, WRITING])
def test_after_the_burst_a_person_waits_for_each_request(pace: Pace) -> None:
    clocks = RequestClocks()
    assert not any(clocks.seconds_to_wait("alice", pace, 1_000.0) for _ in range(pace.burst))
    seconds = clocks.seconds_to_wait("alice", pace, 1_000.0)
    assert seconds == pytest.approx(1 / pace.per_second)
    later = 1_000.0 + seconds + 0.001
    assert not clocks.seconds_to_wait("alice", pace, later)
    assert clocks.seconds_to_wait("alice", pace, later)


def test_another_person_does_not_wait() -> None:
    clocks = RequestClocks()
    for _ in range(6):
        clocks.seconds_to_wait("alice", SLOW, 0.0)
    assert clocks.seconds_to_wait("alice", SLOW, 0.0)
    assert not clocks.seconds_to_wait("bob", SLOW, 0.0)


def test_a_full_table_forgets_the_person_who_asked_least_recently() -> None:
    clocks = RequestClocks(max_clocks=2)
    for person in ("alice", "bob"):
        for _ in range(5):
            clocks.seconds_to_wait(person, SLOW, 0.0)
    clocks.seconds_to_wait("charlie", SLOW, 0.0)
    assert clocks.seconds_to_wait("bob", SLOW, 0.0)
    assert not clocks.seconds_to_wait("alice", SLOW, 0.0)


def test_many_people_give_nobody_a_fresh_burst() -> None:
    clocks = RequestClocks(max_clocks=100)
    for number in range(500):
        clocks.seconds_to_wait("alice", SLOW, number * 0.0001)
        clocks.seconds_to_wait(number, SLOW, number * 0.0001)
    assert clocks.seconds_to_wait(499, SLOW, 0.05) == 0
    assert len([None for _ in range(20) if not clocks.seconds_to_wait("new", SLOW, 0.05)]) == 5


def test_a_cleared_table_begins_again() -> None:
    clocks = RequestClocks()
    for _ in range(5):
        clocks.seconds_to_wait("alice", SLOW, 0.0)
    clocks.clear()
    assert not clocks.seconds_to_wait("alice", SLOW, 0.0)
