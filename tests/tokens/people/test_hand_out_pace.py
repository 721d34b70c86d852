"""How many access tokens one key may ask for, however many processes ask at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.db.models.functions import Now

from tests.api_keys import new_key
from tokens.models import ApiKey
from tokens.people.hand_out_pace import HAND_OUTS, Pace, take_hand_outs

# So slow that none comes back while a test runs.
SLOW = Pace("slow", per_second=1 / 3600, burst=50)


@pytest.fixture
def key(alice: User) -> ApiKey:
    new_key(alice)
    return ApiKey.objects.get()


@pytest.mark.django_db(transaction=True)
def test_parallel_requests_at_the_limit_pass_exactly_the_limit(key: ApiKey) -> None:
    def take(_number: int) -> bool:
        try:
            return take_hand_outs(key.pk, 1, SLOW).is_taken
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(90))) == 50


@pytest.mark.django_db
class TestTurns:
    def test_as_many_as_are_left_are_taken_together(self, key: ApiKey) -> None:
        assert take_hand_outs(key.pk, 30, SLOW).is_taken
        assert not take_hand_outs(key.pk, 21, SLOW).is_taken
        assert take_hand_outs(key.pk, 20, SLOW).is_taken
        assert not take_hand_outs(key.pk, 1, SLOW).is_taken

    def test_a_refusal_counts_nothing_and_says_how_far_the_clock_is(self, key: ApiKey) -> None:
        taken, refused = take_hand_outs(key.pk, 50, SLOW), take_hand_outs(key.pk, 1, SLOW)
        assert refused.seconds_ahead == pytest.approx(taken.seconds_ahead, abs=60)
        assert SLOW.seconds_to_wait(refused.seconds_ahead) == pytest.approx(3600, abs=60)

    def test_they_come_back_with_time(self, key: ApiKey) -> None:
        take_hand_outs(key.pk, 50, SLOW)
        ApiKey.objects.update(hand_out_clock=Now() + timedelta(hours=40))
        assert take_hand_outs(key.pk, 9, SLOW).is_taken
        assert not take_hand_outs(key.pk, 2, SLOW).is_taken

    def test_a_pause_gives_no_more_than_the_burst(self, key: ApiKey) -> None:
        ApiKey.objects.update(hand_out_clock=Now() - timedelta(days=9))
        assert take_hand_outs(key.pk, 50, SLOW).is_taken
        assert not take_hand_outs(key.pk, 1, SLOW).is_taken

    def test_another_key_does_not_wait(self, key: ApiKey, alice: User) -> None:
        take_hand_outs(key.pk, 50, SLOW)
        new_key(alice)
        assert take_hand_outs(ApiKey.objects.exclude(pk=key.pk).get().pk, 50, SLOW).is_taken

    def test_a_key_that_was_revoked_meanwhile_gets_none(self, db: None) -> None:
        assert not take_hand_outs(uuid4(), 1).is_taken

    def test_five_thousand_come_at_once_and_again_within_a_minute(self, key: ApiKey) -> None:
        assert all(take_hand_outs(key.pk, 500).is_taken for _ in range(10))
        left = HAND_OUTS.window - take_hand_outs(key.pk, 1).seconds_ahead
        assert 5_000 - left * HAND_OUTS.per_second < 60 * HAND_OUTS.per_second
