"""Histories that end, jobs that are rescued, processes that say they are alive."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection as database
from django.db import connections
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from tests.tokens.conftest import ConnectionFactory
from tokens import pruning
from tokens.connect.disconnect import disconnect
from tokens.models import AccessTokenRequest, Alert, AuthorizationAttempt, Connection, Heartbeat, TokenRefresh
from tokens.processes import heartbeats, stalled
from tokens.processes import scheduler as scheduling
from tokens.tasks import request_refresh

pytestmark = pytest.mark.django_db(transaction=True)


def refresh(
    connection: Connection,
    outcome: str | None = "succeeded",
    *,
    started_at: datetime | None = None,
    **fields: Any,
) -> TokenRefresh:
    started_at = started_at or timezone.now()
    return TokenRefresh.objects.create(
        connection=connection,
        grant_version=1,
        trigger="scheduled",
        outcome=outcome,
        started_at=started_at,
        finished_at=started_at if outcome else None,
        **fields,
    )


def test_old_histories_are_pruned_in_batches(
    connect: ConnectionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BATCH", 3)
    connection = connect()
    now = timezone.now()
    for days in range(80, 100):
        refresh(connection, started_at=now - timedelta(days=days, hours=1))
    for days in (100, 400):
        AccessTokenRequest.objects.create(
            connection=connection,
            user=connection.owner,
            outcome="given",
            requested_at=now - timedelta(days=days),
        )
        Alert.objects.create(
            kind="connection_broken",
            key=f"{days}",
            text="",
            next_try_at=None,
            created_at=now - timedelta(days=days),
        )
    for hours in (0, 2):
        AuthorizationAttempt.objects.create(
            state_digest=f"{hours}",
            session_digest="",
            user=connection.owner,
            regions=[],
            created_at=now - timedelta(hours=hours),
        )
    Heartbeat.objects.create(kind="worker", host="", pid=1, beat_at=now - timedelta(days=2))
    assert pruning.prune() == 10 + 1 + 1 + 1 + 1
    assert TokenRefresh.objects.count() == 10
    assert AccessTokenRequest.objects.count() == 1
    assert Alert.objects.count() == 1
    assert AuthorizationAttempt.objects.count() == 1
    assert pruning.prune() == 0


def test_finished_jobs_are_pruned_and_waiting_ones_are_not(connect: ConnectionFactory) -> None:
    for number in range(3):
        request_refresh(connect(label=str(number)))
    with database.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = now() - interval '8 days'")
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'failed' WHERE id = (SELECT min(id) FROM procrastinate_jobs)"
        )
        cursor.execute("UPDATE procrastinate_events SET at = now() - interval '8 days'")
    pruning.prune()
    assert list(ProcrastinateJob.objects.values_list("status", flat=True)) == ["todo", "todo"]


def test_a_refresh_that_nobody_will_ever_close_is_closed(connect: ConnectionFactory) -> None:
    gone, alive = connect(label="gone"), connect(label="alive")
    for connection in (gone, alive):
        refresh(connection, None, started_at=timezone.now() - timedelta(hours=2))
    disconnect(gone, None)
    pruning.close_abandoned()
    assert gone.refreshes.get().outcome == TokenRefresh.Outcome.LOST
    assert alive.refreshes.get().outcome is None  # its next claimant does it


def stall(attempts: int = 0) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')"
        )
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', attempts = %s,"
            " worker_id = (SELECT max(id) FROM procrastinate_workers) WHERE status = 'todo'",
            [attempts],
        )


def rescue() -> int:
    async def run() -> int:
        try:
            return await stalled.rescue(app.job_manager)
        finally:
            await sync_to_async(connections.close_all)()

    return asyncio.run(run())


def statuses() -> list[str]:
    return list(ProcrastinateJob.objects.order_by("id").values_list("status", flat=True))


def test_a_stalled_job_is_queued_again(connect: ConnectionFactory) -> None:
    request_refresh(connect())
    stall()
    assert rescue() == 1
    assert statuses() == ["todo"]
    assert rescue() == 0


def test_a_stalled_job_whose_work_waits_again_is_dropped(connect: ConnectionFactory) -> None:
    connection = connect()
    request_refresh(connection)
    stall()
    assert request_refresh(connection)
    assert rescue() == 0
    assert statuses() == ["todo"]


def test_a_stalled_job_is_kept_when_the_database_goes_away(
    connect: ConnectionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_off(job: object) -> None:
        raise ConnectorException

    request_refresh(connect())
    stall()
    with monkeypatch.context() as broken:
        broken.setattr(app.job_manager, "retry_job", break_off)
        assert rescue() == 0
    assert statuses() == ["doing"]
    assert rescue() == 1


def test_a_stalled_job_that_another_rescuer_has_queued_again_is_left_alone(
    connect: ConnectionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    retry = app.job_manager.retry_job

    async def retry_after_another(job: Job) -> None:
        await retry(job)
        await retry(job)

    request_refresh(connect())
    stall()
    monkeypatch.setattr(app.job_manager, "retry_job", retry_after_another)
    assert rescue() == 0
    assert statuses() == ["todo"]


def test_a_job_that_kills_its_workers_is_given_up(connect: ConnectionFactory) -> None:
    request_refresh(connect())
    stall(attempts=5)
    assert rescue() == 0
    assert statuses() == ["failed"]


def test_a_refresh_waits_once(connect: ConnectionFactory) -> None:
    connection = connect()
    assert request_refresh(connection)
    assert not request_refresh(connection)
    assert statuses() == ["todo"]


def test_processes_count_as_alive_for_half_a_minute() -> None:
    assert not heartbeats.beats().worker_is_alive
    worker = heartbeats.begin(Heartbeat.Kind.WORKER)
    scheduler = heartbeats.begin(Heartbeat.Kind.SCHEDULER)
    assert heartbeats.beats() == heartbeats.Beats(workers=1, schedulers=1, leaders=0)
    assert not heartbeats.beats().scheduler_is_alive
    heartbeats.beat(scheduler, leads=True)
    assert heartbeats.beats().scheduler_is_alive
    Heartbeat.objects.filter(pk=worker).update(beat_at=timezone.now() - timedelta(seconds=31))
    assert not heartbeats.beats().worker_is_alive
    heartbeats.end(scheduler)
    assert heartbeats.beats().schedulers == 0


def test_the_success_rate_leaves_out_what_is_not_ours(connect: ConnectionFactory) -> None:
    connection = connect()
    for outcome, left_fresh in [
        ("succeeded", True),
        ("succeeded", True),
        ("transient", True),  # the old token was still good
        ("transient", False),
        ("reauthorise", False),
        ("config", False),
        ("superseded", False),
        ("lost", None),
    ]:
        refresh(connection, outcome, left_fresh=left_fresh)
    refresh(connection, "transient", left_fresh=False, started_at=timezone.now() - timedelta(days=2))
    since = timezone.now() - timedelta(days=1)
    assert TokenRefresh.objects.since(since).success_rate() == 0.75
    assert TokenRefresh.objects.none().success_rate() is None


def test_every_app_may_name_jobs() -> None:
    jobs = scheduling.scheduled_jobs()
    assert {"tokens.refresh_due", "tokens.prune", "accounts.sync_due"} <= set(jobs)
    assert all(job.seconds >= 1 for job in jobs.values())


@pytest.mark.usefixtures("empty_queue")
def test_every_job_only_defers_and_twice_is_once() -> None:
    for _ in range(2):
        for job in scheduling.scheduled_jobs().values():
            job.function()
    names = list(ProcrastinateJob.objects.values_list("task_name", flat=True))
    assert len(names) == len(set(names))
