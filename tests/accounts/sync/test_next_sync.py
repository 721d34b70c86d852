"""When a connection is synced next."""

from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.sync.next_sync import CONFIRMATION, MAX_RETRY, next_sync_at, sync_soon
from tests.accounts.sync.conftest import ConnectionFactory
from tokens.models import Connection

INTERVALS = st.integers(1, 7 * 24 * 3600)
FAILURES = st.integers(1, 10_000)
MARGIN = timedelta(seconds=2)

pytestmark = pytest.mark.django_db


def wait(connection_id: UUID, *, failures: int = 0, soon: bool = False) -> timedelta:
    now = timezone.now()
    return next_sync_at(connection_id, failures=failures, soon=soon) - now


@given(st.uuids(), INTERVALS)
def test_a_connection_never_waits_longer_than_the_interval(connection_id: UUID, interval: int) -> None:
    with override_settings(SYNC_INTERVAL_SECONDS=interval):
        assert timedelta(0) < wait(connection_id) <= timedelta(seconds=interval) + MARGIN


@given(st.uuids(), INTERVALS, FAILURES)
def test_a_failed_connection_is_synced_again_within_a_day(
    connection_id: UUID, interval: int, failures: int
) -> None:
    with override_settings(SYNC_INTERVAL_SECONDS=interval):
        assert timedelta(0) < wait(connection_id, failures=failures) <= MAX_RETRY + MARGIN


@given(st.uuids(), st.integers(1, 100))
def test_more_failures_never_shorten_the_wait(connection_id: UUID, failures: int) -> None:
    fewer, more = (wait(connection_id, failures=count) for count in (failures, failures + 1))
    assert fewer <= more + MARGIN


@given(st.uuids(), INTERVALS, st.integers(0, 100))
def test_a_confirmation_is_due_within_a_minute(connection_id: UUID, interval: int, failures: int) -> None:
    with override_settings(SYNC_INTERVAL_SECONDS=interval):
        assert wait(connection_id, failures=failures, soon=True) <= CONFIRMATION + MARGIN


def test_the_wait_after_a_failure_starts_at_five_minutes_and_doubles() -> None:
    waits = [wait(uuid4(), failures=count) for count in (1, 2, 3, 4)]
    assert abs(waits[0] - timedelta(minutes=5)) < MARGIN
    assert all(abs(later - 2 * earlier) < 2 * MARGIN for earlier, later in pairwise(waits))


@override_settings(SYNC_INTERVAL_SECONDS=60)
def test_a_short_interval_shortens_the_first_wait_too() -> None:
    assert wait(uuid4(), failures=1) <= timedelta(seconds=60) + MARGIN


@override_settings(SYNC_INTERVAL_SECONDS=3600)
def test_connections_are_spread_over_the_interval() -> None:
    moments = [wait(UUID(int=number)).total_seconds() for number in range(400)]
    quarters = [sum(first <= moment < first + 900 for moment in moments) for first in range(0, 3600, 900)]
    assert min(quarters) > 60, quarters


@override_settings(SYNC_INTERVAL_SECONDS=3600)
def test_a_connection_keeps_its_place_in_the_interval() -> None:
    connection_id = uuid4()
    first, second = (next_sync_at(connection_id, failures=0) for _ in range(2))
    assert abs(second - first) < MARGIN or abs(second - first) > timedelta(seconds=3598)


@override_settings(SYNC_INTERVAL_SECONDS=3600)
def test_a_slow_clock_of_the_process_brings_no_sync_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    right = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: right - timedelta(hours=10))
    assert next_sync_at(uuid4(), failures=0) >= right - MARGIN


@pytest.fixture
def later() -> datetime:
    return timezone.now() + timedelta(minutes=30)


def test_connections_that_received_accounts_are_synced_next(
    connect: ConnectionFactory, later: datetime
) -> None:
    chosen, other = connect("alice", next_sync_at=later), connect("bob", next_sync_at=later)
    sync_soon([chosen.pk])
    due = Connection.objects.filter(next_sync_at__lte=timezone.now() + MARGIN)
    assert list(due) == [chosen]
    other.refresh_from_db()
    assert other.next_sync_at == later


def test_an_unusable_connection_is_not_synced_sooner(connect: ConnectionFactory, later: datetime) -> None:
    broken = connect(state=Connection.State.REAUTHORIZATION_REQUIRED, next_sync_at=later)
    sync_soon([broken.pk])
    sync_soon([])
    broken.refresh_from_db()
    assert broken.next_sync_at == later
