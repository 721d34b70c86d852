"""Which processes count as alive."""

import socket
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone

from amazon_accounts.postgresql.base import DatabaseWrapper
from tests.database_outage import DatabaseOutage
from tests.processes import eventually
from tokens.models import Heartbeat
from tokens.processes.heartbeats import BEAT_SECONDS, RETRY_SECONDS, Beats, Pulse, count_beats

pytestmark = pytest.mark.django_db

WORKER = Heartbeat.Kind.WORKER
SCHEDULER = Heartbeat.Kind.SCHEDULER


def test_nobody_is_alive_at_first() -> None:
    assert count_beats() == Beats(workers=0, schedulers=0, leaders=0)
    assert not count_beats().worker_is_alive
    assert not count_beats().scheduler_is_alive


def test_a_worker_is_alive_after_its_first_beat() -> None:
    assert Pulse(WORKER).beat() == BEAT_SECONDS
    assert count_beats() == Beats(workers=1, schedulers=0, leaders=0)
    assert count_beats().worker_is_alive


def test_each_process_has_one_row() -> None:
    first, second = Pulse(WORKER), Pulse(WORKER)
    for _ in range(3):
        first.beat()
        second.beat()
    assert count_beats().workers == 2
    assert Heartbeat.objects.count() == 2


def test_schedulers_count_as_alive_when_one_of_them_leads() -> None:
    scheduler = Pulse(SCHEDULER)
    scheduler.beat()
    assert count_beats() == Beats(workers=0, schedulers=1, leaders=0)
    assert not count_beats().scheduler_is_alive
    scheduler.beat(leads=True)
    assert count_beats().scheduler_is_alive
    scheduler.beat(leads=False)
    assert not count_beats().scheduler_is_alive


@pytest.mark.parametrize(("seconds", "is_alive"), [(29, True), (31, False)])
def test_a_process_counts_as_alive_for_half_a_minute(seconds: int, is_alive: bool) -> None:
    Pulse(WORKER).beat()
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(seconds=seconds))
    assert count_beats().worker_is_alive is is_alive


def test_a_process_that_ends_is_gone_at_once() -> None:
    pulse = Pulse(WORKER)
    pulse.beat()
    pulse.end()
    assert count_beats().workers == 0


def test_a_pulse_survives_an_outage_of_the_database(database_outage: DatabaseOutage) -> None:
    pulse = Pulse(WORKER)
    with database_outage:
        assert pulse.beat() == RETRY_SECONDS
        pulse.end()
    assert pulse.beat() == BEAT_SECONDS
    with database_outage:
        assert pulse.beat() == BEAT_SECONDS
        pulse.end()
    assert Heartbeat.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_process_that_lost_all_connections_of_its_pool_opens_new_connections(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pulse = Pulse(WORKER, patience=timedelta(seconds=0.5))
    pulse.beat()
    Heartbeat.objects.update(beat_at=timezone.now() - timedelta(minutes=1))
    wrapper = connections["default"]
    assert isinstance(wrapper, DatabaseWrapper)
    pool = wrapper.pool
    assert pool is not None
    wrapper.close()
    pool.timeout = 0.2
    lost = [pool.getconn() for _ in range(pool.max_size)]
    try:
        eventually(lambda: pulse.beat() and "All connections are opened anew" in caplog.text, 20)
        pulse.beat()
    finally:
        for session in lost:
            pool.putconn(session)
    assert count_beats().workers == 1


class TestProbe:
    @pytest.mark.parametrize(("host", "seconds", "code"), [("", 5, 0), ("", 40, 1), ("another", 5, 1)])
    def test_a_process_of_this_host_must_have_written(self, host: str, seconds: int, code: int) -> None:
        row = Heartbeat.objects.create(kind="worker", host=host or socket.gethostname(), pid=1)
        Heartbeat.objects.filter(pk=row.pk).update(beat_at=Now() - timedelta(seconds=seconds))
        if code:
            with pytest.raises(CommandError, match="No worker of this host"):
                call_command("probe", "worker")
        else:
            call_command("probe", "worker")
        with pytest.raises(CommandError, match="No scheduler of this host"):
            call_command("probe", "scheduler")
