"""How long sync runs and changes of accounts are kept."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone

from accounts.models import AccountChange, SyncRun
from accounts.pruning import CHANGES_KEPT, RUNS_KEPT, prune_sync_history
from accounts.tasks import prune_sync_history as task
from tests.accounts.conftest import AccountFactory, ConnectionFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def old_run(alice: User, new_connection: ConnectionFactory) -> SyncRun:
    begun = timezone.now() - RUNS_KEPT - DAY
    return SyncRun.objects.create(
        connection=new_connection(alice),
        trigger=SyncRun.Trigger.SCHEDULED,
        state=SyncRun.State.SUCCEEDED,
        created_at=begun,
        started_at=begun,
        finished_at=begun,
    )


def stage(run_id: UUID) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_staged_profile (run_id, walk, profile_id, new_account_id, region, country_code,"
            " marketplace_id, currency_code, timezone, type, subtype, name, entity_id)"
            " VALUES (%s, 1, '1', %s, 'EU', '', '', '', '', '', '', '', '')",
            [run_id, uuid4()],
        )


def staged_runs() -> set[UUID]:
    with database.cursor() as cursor:
        cursor.execute("SELECT run_id FROM accounts_staged_profile")
        return {run_id for (run_id,) in cursor.fetchall()}


def test_it_deletes_old_runs_and_keeps_what_they_changed(
    old_run: SyncRun, alice: User, new_account: AccountFactory
) -> None:
    AccountChange.objects.create(
        account=new_account(alice), run=old_run, kind=AccountChange.Kind.NAME, old="Old", new="New"
    )
    assert prune_sync_history() == 1
    assert AccountChange.objects.get().run_id is None


def test_it_keeps_younger_runs(old_run: SyncRun) -> None:
    SyncRun.objects.update(created_at=timezone.now() - RUNS_KEPT + DAY, finished_at=timezone.now())
    assert prune_sync_history() == 0
    assert SyncRun.objects.exists()


@pytest.mark.parametrize("state", [SyncRun.State.WAITING, SyncRun.State.RUNNING])
def test_it_keeps_runs_that_are_not_finished(old_run: SyncRun, state: str) -> None:
    SyncRun.objects.update(state=state, finished_at=None)
    assert prune_sync_history() == 0


@pytest.mark.parametrize(("age", "kept"), [(CHANGES_KEPT - DAY, 1), (CHANGES_KEPT + DAY, 0)])
def test_it_deletes_old_changes(alice: User, new_account: AccountFactory, age: timedelta, kept: int) -> None:
    AccountChange.objects.create(
        account=new_account(alice),
        kind=AccountChange.Kind.NAME,
        old="Old",
        new="New",
        changed_at=timezone.now() - age,
    )
    assert prune_sync_history() == 1 - kept
    assert AccountChange.objects.count() == kept


def test_it_deletes_staged_rows_whose_run_does_not_run(old_run: SyncRun) -> None:
    running = SyncRun.objects.create(
        connection=old_run.connection,
        trigger=SyncRun.Trigger.MANUAL,
        state=SyncRun.State.RUNNING,
        started_at=timezone.now(),
    )
    for run_id in (running.pk, old_run.pk, uuid4()):
        stage(run_id)
    prune_sync_history()
    assert staged_runs() == {running.pk}


def test_its_task_keeps_its_name() -> None:
    assert (task.name, task.queue) == ("accounts.prune", "tokens")
