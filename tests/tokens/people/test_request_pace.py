"""How many requests one caller may make, however many processes serve them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models import F

from tests.sick_database import full_disk, read_only
from tokens.models import RequestClock
from tokens.people.hand_out_pace import Pace
from tokens.people.request_pace import READS, WRITES, take_request
from tokens.processes.pruning import prune_tokens_histories

# So slow that none comes back while a test runs.
SLOW = Pace("slow", per_second=1 / 3600, burst=20)


def is_taken(caller: str, pace: Pace = SLOW) -> bool:
    turn = take_request(caller, pace)
    assert turn is not None
    return turn.is_taken


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_parallel_requests_at_the_limit_pass_exactly_the_limit(self) -> None:
        def take(_number: int) -> bool:
            try:
                return is_taken("alice")
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(take, range(40))) == 20

    @pytest.mark.parametrize("sick", [read_only, lambda: full_disk("tokens_requestclock")])
    def test_nothing_is_counted_while_the_database_takes_no_changes(self, sick: object) -> None:
        with sick():  # type: ignore[operator]
            assert take_request("alice", SLOW) is None
        assert is_taken("alice")


@pytest.mark.django_db
class TestTurns:
    def test_after_the_burst_a_caller_waits_for_each_request(self) -> None:
        assert all(is_taken("alice") for _ in range(20))
        refused = take_request("alice", SLOW)
        assert refused is not None
        assert not refused.is_taken
        assert SLOW.seconds_to_wait(refused.seconds_ahead) == pytest.approx(3600, abs=60)
        # An hour later one more may come.
        RequestClock.objects.update(ahead_until=F("ahead_until") - timedelta(hours=1))
        assert [is_taken("alice"), is_taken("alice")] == [True, False]

    def test_a_refusal_counts_nothing(self) -> None:
        for _ in range(20):
            is_taken("alice")
        before = RequestClock.objects.get().ahead_until
        assert not is_taken("alice")
        assert RequestClock.objects.get().ahead_until == before

    def test_callers_and_limits_are_counted_apart(self) -> None:
        for _ in range(20):
            is_taken("alice")
        assert not is_taken("alice")
        assert is_taken("bob")
        assert is_taken("alice", READS)
        assert is_taken("alice", WRITES)

    def test_a_pause_gives_the_burst_back_and_no_more(self) -> None:
        RequestClock.objects.create(key="slow alice", ahead_until="2026-01-01T00:00:00Z")
        assert [is_taken("alice") for _ in range(21)] == [True] * 20 + [False]

    def test_clocks_that_limit_nobody_are_deleted(self) -> None:
        is_taken("alice")
        is_taken("bob")
        RequestClock.objects.filter(key="slow bob").update(ahead_until="2026-01-01T00:00:00Z")
        assert prune_tokens_histories() == 1
        assert RequestClock.objects.get().key == "slow alice"
