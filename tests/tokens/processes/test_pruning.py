"""What is deleted when, and what stays."""

from datetime import timedelta

import pytest
from django.db import connection as database
from django.db.models.functions import Now
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from procrastinate.contrib.django.models import ProcrastinateJob

from amazon_accounts.postgresql.clock import database_now
from tests.api_keys import new_key
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import new_refresh
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Alert, ApiKey, AuthorizationAttempt, Heartbeat, TokenRefresh
from tokens.permissions import SYSTEM
from tokens.processes.pruning import HISTORY, close_abandoned_refreshes, prune_tokens_histories
from tokens.refresh.tasks import request_refresh

pytestmark = pytest.mark.django_db


def test_refreshes_are_deleted_after_90_days_in_batches(connect: ConnectionFactory) -> None:
    connection = connect()
    for days in range(80, 100):
        new_refresh(connection, started_at=timezone.now() - timedelta(days=days, hours=1))
    assert prune_tokens_histories(batch_size=3) == 10
    assert TokenRefresh.objects.count() == 10
    assert prune_tokens_histories(batch_size=3) == 0


@pytest.mark.usefixtures("wrong_clock")
def test_the_clock_of_the_process_deletes_nothing_sooner_or_later(connect: ConnectionFactory) -> None:
    connection, limit = connect(), database_now() - HISTORY
    for minutes in (-30, 30):
        new_refresh(connection, started_at=limit + timedelta(minutes=minutes))
    assert prune_tokens_histories() == 1
    assert TokenRefresh.objects.get().started_at > limit


def test_an_open_refresh_is_not_deleted(connect: ConnectionFactory) -> None:
    refresh = new_refresh(connect(), None, started_at=timezone.now() - timedelta(days=100))
    prune_tokens_histories()
    assert TokenRefresh.objects.get() == refresh


def test_an_old_alert_that_is_not_sent_is_kept() -> None:
    long_ago = timezone.now() - timedelta(days=366)
    Alert.objects.create(kind="connection_broken", key="sent", text="", next_try_at=None, created_at=long_ago)
    Alert.objects.create(kind="connection_broken", key="waits", text="", created_at=long_ago)
    assert prune_tokens_histories() == 1
    assert Alert.objects.get().key == "waits"


def test_an_attempt_that_never_returned_is_deleted_after_an_hour(connect: ConnectionFactory) -> None:
    owner = connect().owner
    for minutes in (59, 61):
        AuthorizationAttempt.objects.create(
            state_digest=str(minutes),
            session_digest="",
            user=owner,
            regions=[],
            created_at=timezone.now() - timedelta(minutes=minutes),
        )
    assert prune_tokens_histories() == 1
    assert AuthorizationAttempt.objects.get().state_digest == "59"


def test_api_keys_are_kept_for_a_month_after_their_end(connect: ConnectionFactory) -> None:
    owner = connect().owner
    for days in (-31, -29, 1):
        new_key(owner, days=days)
    assert prune_tokens_histories() == 1
    assert not ApiKey.objects.filter(expires_at__lt=Now() - timedelta(days=30)).exists()
    assert ApiKey.objects.count() == 2


def test_heartbeats_of_processes_that_are_long_dead_are_deleted() -> None:
    Heartbeat.objects.create(kind="worker", host="", pid=1, beat_at=timezone.now() - timedelta(days=2))
    Heartbeat.objects.create(kind="worker", host="", pid=2)
    assert prune_tokens_histories() == 1
    assert Heartbeat.objects.get().pid == 2


def test_executions_of_scheduled_jobs_are_deleted_after_a_week() -> None:
    job = DjangoJob.objects.create(id="some.job", next_run_time=timezone.now(), job_state=b"")
    for days in (6, 8):
        DjangoJobExecution.objects.create(
            job=job, status="Executed", run_time=timezone.now() - timedelta(days=days)
        )
    assert prune_tokens_histories() == 1


def test_jobs_that_ended_a_week_ago_are_deleted_and_jobs_that_wait_are_not(
    connect: ConnectionFactory,
) -> None:
    for number in range(5):
        request_refresh(SYSTEM, connect(label=str(number)))
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'failed'"
            " WHERE id IN (SELECT id FROM procrastinate_jobs ORDER BY id LIMIT 3)"
        )
        cursor.execute("UPDATE procrastinate_events SET at = now() - interval '8 days'")
        cursor.execute(
            "UPDATE procrastinate_events SET at = now() - interval '6 days'"
            " WHERE job_id = (SELECT min(id) FROM procrastinate_jobs)"
        )
    assert prune_tokens_histories(batch_size=1) == 2
    statuses = ProcrastinateJob.objects.order_by("id").values_list("status", flat=True)
    assert list(statuses) == ["failed", "todo", "todo"]


def test_the_open_refresh_of_a_disconnected_connection_is_closed_as_lost(connect: ConnectionFactory) -> None:
    gone, alive = connect(label="gone"), connect(label="alive")
    for connection in (gone, alive):
        new_refresh(connection, None, started_at=timezone.now() - timedelta(hours=2))
    disconnect_connection(SYSTEM, gone)
    close_abandoned_refreshes()
    assert gone.refreshes.get().outcome == TokenRefresh.Outcome.LOST
    # The next refresh of this connection closes it.
    assert alive.refreshes.get().outcome is None


def test_a_refresh_of_a_disconnected_connection_may_take_an_hour_to_end(connect: ConnectionFactory) -> None:
    connection = connect()
    new_refresh(connection, None, started_at=timezone.now() - timedelta(minutes=59))
    disconnect_connection(SYSTEM, connection)
    close_abandoned_refreshes()
    assert connection.refreshes.get().outcome is None
