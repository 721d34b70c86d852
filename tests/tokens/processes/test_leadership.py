"""One scheduler leads, for a term of its own. A frozen one is replaced, and its term is over when it wakes."""

import contextlib
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django_apscheduler.models import DjangoJobExecution
from procrastinate.contrib.django.models import ProcrastinateJob

from amazon_accounts.postgresql.base import DatabaseWrapper
from tests.database_outage import DatabaseOutage
from tests.processes import Process, eventually, running
from tokens.models import SchedulerLead
from tokens.processes import scheduler
from tokens.processes.leadership import Leadership

pytestmark = pytest.mark.django_db(transaction=True)

REFRESH = "tokens.refresh_due"


@pytest.fixture(autouse=True)
def nobody_leads() -> None:
    SchedulerLead.objects.all().delete()


def test_one_of_two_leads() -> None:
    with Leadership() as first, Leadership() as second:
        assert first.try_to_lead()
        assert first.still_leads()
        assert not second.try_to_lead()
        first.resign()
        assert not first.still_leads()
        # PostgreSQL frees the lock when it notices that the connection is closed.
        eventually(second.try_to_lead)


def test_the_lead_is_lost_with_the_database_and_found_again(database_outage: DatabaseOutage) -> None:
    with Leadership() as leadership:
        assert leadership.try_to_lead()
        with database_outage:
            assert not leadership.still_leads()
            assert not leadership.try_to_lead()
        assert leadership.try_to_lead()


def test_each_leader_has_a_term_of_its_own() -> None:
    with Leadership() as first, Leadership() as second:
        assert first.try_to_lead()
        assert SchedulerLead.objects.get().term == 1
        first.resign()
        eventually(second.try_to_lead)
        assert SchedulerLead.objects.get().term == 2


def test_a_leader_gives_signs_of_life() -> None:
    with Leadership() as leadership:
        assert leadership.try_to_lead()
        before = SchedulerLead.objects.get().seen_at
        assert leadership.still_leads()
        assert SchedulerLead.objects.get().seen_at > before


def test_a_leader_whose_term_is_over_does_not_lead_and_says_why() -> None:
    with Leadership() as leadership:
        assert leadership.try_to_lead()
        SchedulerLead.objects.update(term=2)
        assert not leadership.still_leads()
        assert leadership.loss == "Another one leads."


@pytest.mark.parametrize("term", [1, 2])
def test_a_job_is_deferred_only_in_the_leaders_own_term(term: int) -> None:
    with leading_here():
        SchedulerLead.objects.update(term=term)
        scheduler.run_job(REFRESH)
    assert ProcrastinateJob.objects.filter(task_name=REFRESH).count() == (1 if term == 1 else 0)


def test_no_other_term_begins_while_a_job_is_deferred() -> None:
    with leading_here() as first, Leadership() as second:
        with transaction.atomic():
            assert first.holds_term()
            first.resign()
            # The lock is free, but the row of the lead is held.
            assert not second.try_to_lead()
        eventually(second.try_to_lead)
        assert SchedulerLead.objects.get().term == 2


@contextlib.contextmanager
def leading_here() -> Iterator[Leadership]:
    with Leadership() as leadership:
        assert leadership.try_to_lead()
        scheduler._current.leadership = leadership
        try:
            yield leadership
        finally:
            scheduler._current.leadership = None


def test_a_role_that_may_not_end_the_sessions_of_a_silent_leader_says_so(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LEADER_SILENCE = timedelta(0)
    options = connection.settings_dict["OPTIONS"]
    before = options["options"]
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS aa_limited; CREATE ROLE aa_limited")
        cursor.execute("GRANT SELECT, INSERT, UPDATE ON tokens_schedulerlead TO aa_limited")
    try:
        with Leadership() as silent:
            with named("aa-silent"):
                assert silent.try_to_lead()
            options["options"] = "-c role=aa_limited"
            with Leadership() as limited:
                assert not limited.try_to_lead()
            assert "may not end its sessions" in caplog.text
            assert silent.still_leads()
    finally:
        options["options"] = before
        with connection.cursor() as cursor:
            cursor.execute("DROP OWNED BY aa_limited; DROP ROLE aa_limited")


def test_a_leader_that_lost_its_session_takes_the_lock_from_it_at_once() -> None:
    # The server may keep a session long after the network between them is gone.
    with named("aa-lost"), Leadership() as lost, Leadership() as again:
        assert lost.try_to_lead()
        assert not again.try_to_lead()
        eventually(again.try_to_lead)
        assert not lost.still_leads()


@pytest.mark.slow
def test_a_frozen_leader_is_replaced_and_does_nothing_when_it_wakes(tmp_path: Path) -> None:
    extra = {"TOKEN_REFRESH_CHECK_SECONDS": "1", "LEADER_SILENCE_SECONDS": "3"}
    with running("runscheduler", log=tmp_path / "frozen.log", **extra) as frozen:
        frozen.wait_for("leads now")
        eventually(lambda: "aa-" in SchedulerLead.objects.get().leader)
        with running("runscheduler", log=tmp_path / "standby.log", **extra) as standby:
            eventually(lambda: ProcrastinateJob.objects.filter(task_name=REFRESH).exists())
            eventually(lambda: sessions_of(standby) > 0)
            os.kill(frozen.pid, signal.SIGSTOP)
            standby.wait_for("leads now")
            assert "was silent for more than 3 s" in standby.output()
            deferrals_continue()

            os.kill(frozen.pid, signal.SIGCONT)
            # A leader that was frozen within a statement finds that its deadline has passed, and says that instead.
            frozen.wait_for("no longer leads")
            deferrals_continue()
            assert frozen.output().count("leads now") == 1
            assert standby.output().count("leads now") == 1
            assert SchedulerLead.objects.get().term == 2
            assert "Traceback" not in frozen.output() + standby.output()


def sessions_of(process: Process) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity JOIN tokens_heartbeat AS beat"
            " ON application_name = 'aa-' || beat.id WHERE beat.pid = %s",
            [process.pid],
        )
        return int(cursor.fetchone()[0])


def deferrals_continue() -> None:
    # Nobody works the jobs off, so a new one appears only when the old one is gone.
    for _ in range(2):
        ProcrastinateJob.objects.filter(task_name=REFRESH).delete()
        eventually(lambda: ProcrastinateJob.objects.filter(task_name=REFRESH).exists())


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    DatabaseWrapper.session_name = name
    try:
        yield
    finally:
        DatabaseWrapper.session_name = ""


@pytest.mark.slow
def test_a_scheduler_that_leads_again_and_again_loses_no_connection(tmp_path: Path) -> None:
    # The threads that ran jobs end with each lead. Four leads with two threads each had used up this pool.
    extra = {"DB_POOL_MAX_SIZE": "4", "TOKEN_REFRESH_CHECK_SECONDS": "1"}
    with running("runscheduler", log=tmp_path / "log", **extra) as process:
        runs = DjangoJobExecution.objects.filter(status="Executed")
        for lead in range(1, 6):
            eventually(lambda lead=lead: process.output().count("This scheduler leads now") >= lead)  # type: ignore[misc]
            # Until its threads have run and stored jobs.
            before = runs.count()
            eventually(lambda before=before: runs.count() >= before + 4)  # type: ignore[misc]
            end_sessions()
        eventually(lambda: process.output().count("This scheduler leads now") >= 6)
        deferrals_continue()
        assert "couldn't get a connection" not in process.output()


def end_sessions() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'aa-%'"
        )
