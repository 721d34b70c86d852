"""A run writes only while it is running, and only about the grant that it was claimed with."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection as database
from django.db import transaction
from django.db.models import F

from accounts.models import Account, AccountChange, SyncRun
from accounts.sync.claims import RunClaim, RunLostError, claim_run, close_unfinished_runs
from accounts.sync.fences import LOCK_CLASS, fence_run, hold_run, lock_team
from accounts.sync.requests import open_run
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import MANUAL
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Connection, Team
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(connect: ConnectionFactory) -> Connection:
    return connect()


@pytest.fixture
def claim(connection: Connection) -> RunClaim:
    return claim_run(open_run(connection, trigger=MANUAL).pk)


@pytest.fixture
def team(connection: Connection) -> Team:
    return connection.team


def list_locked_teams() -> list[Team]:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT team.id FROM pg_locks, tokens_team team"
            " WHERE locktype = 'advisory' AND classid = %s AND pid = pg_backend_pid()"
            " AND objid = hashtext(team.id::text)::bit(32)::bigint::oid",
            [LOCK_CLASS],
        )
        return list(Team.objects.filter(pk__in=[pk for (pk,) in cursor.fetchall()]))


def read_setting(name: str) -> str:
    with database.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s, true)", [name])
        row: tuple[str] = cursor.fetchone()
    return row[0]


def test_a_fenced_run_holds_the_lock_of_its_team(claim: RunClaim, team: Team) -> None:
    with fence_run(claim):
        assert list_locked_teams() == [team]


def test_a_run_that_only_stages_does_not_lock_its_team(claim: RunClaim) -> None:
    with hold_run(claim):
        assert list_locked_teams() == []
        assert read_setting("synchronous_commit") == "off"


@pytest.mark.django_db(transaction=True)
def test_locks_and_settings_end_with_the_transaction(claim: RunClaim, team: Team) -> None:
    with fence_run(claim):
        assert read_setting("amazon_accounts.sync_run") == str(claim.run_id)
    assert list_locked_teams() == []
    assert read_setting("amazon_accounts.sync_run") == ""
    with transaction.atomic(), database.cursor() as cursor:
        lock_team(cursor, claim.team_id)
        assert list_locked_teams() == [team]
    assert list_locked_teams() == []


def test_changes_of_accounts_are_recorded_under_the_fenced_run(
    connection: Connection, claim: RunClaim
) -> None:
    account = Account.objects.create(
        team=connection.team,
        user_id=connection.owner_id,
        connection=connection,
        amazon_account_id="a",
        source=Account.Source.ADS_ACCOUNTS,
        name="before",
        status=Account.Status.ACTIVE,
    )
    with fence_run(claim):
        Account.objects.filter(pk=account.pk).update(status=Account.Status.SUSPENDED)
    change = AccountChange.objects.get(account=account)
    assert (change.run_id, change.new) == (claim.run_id, "suspended")


def close(connection: Connection) -> None:
    close_unfinished_runs(connection, "Closed.")


def claim_again(connection: Connection) -> None:
    SyncRun.objects.update(started_at=F("started_at") + timedelta(seconds=1))


def disconnect(connection: Connection) -> None:
    disconnect_connection(SYSTEM, connection)


def reconnect(connection: Connection) -> None:
    Connection.objects.update(grant_version=F("grant_version") + 1)


@pytest.mark.parametrize("event", [close, claim_again, disconnect, reconnect])
def test_a_lost_run_cannot_change_accounts(connection: Connection, claim: RunClaim, event: object) -> None:
    assert callable(event)
    event(connection)
    with pytest.raises(RunLostError), fence_run(claim):
        pytest.fail("It may change accounts.")


@pytest.mark.parametrize("event", [close, claim_again, disconnect])
def test_a_closed_run_cannot_stage(connection: Connection, claim: RunClaim, event: object) -> None:
    assert callable(event)
    event(connection)
    with pytest.raises(RunLostError), hold_run(claim):
        pytest.fail("It may stage rows.")


def test_a_run_may_stage_after_a_reconnection(connection: Connection, claim: RunClaim) -> None:
    # The fence around its merge decides; staged rows alone do no harm.
    reconnect(connection)
    with hold_run(claim) as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_a_claim_of_another_start_is_not_the_owner(claim: RunClaim) -> None:
    other = replace(claim, started_at=claim.started_at - timedelta(microseconds=1))
    with pytest.raises(RunLostError), hold_run(other):
        pytest.fail("It may stage rows.")


def test_an_error_inside_a_fence_rolls_its_writes_back(connection: Connection, claim: RunClaim) -> None:
    def fail() -> None:
        with fence_run(claim):
            Connection.objects.filter(pk=connection.pk).update(label="changed")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    connection.refresh_from_db()
    assert connection.label != "changed"
