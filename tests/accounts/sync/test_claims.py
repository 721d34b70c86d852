"""A run has one owner, and only its owner writes about it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection as database
from django.db.models import F
from django.utils import timezone

from accounts.models import SyncRun
from accounts.signals import sync_ended
from accounts.sync.claims import (
    MAX_POSTPONEMENT,
    MAX_POSTPONEMENTS,
    RunClaim,
    RunLostError,
    RunTakenError,
    beat,
    claim_run,
    close_run,
    close_unfinished_runs,
    may_be_postponed,
    return_run,
)
from accounts.sync.listing import PROFILES_EDIT, Outcome
from accounts.sync.requests import open_run
from amazon_accounts.amazon_ads.causes import Cause
from amazon_accounts.amazon_ads.errors import ApplicationRefusedError, PostponedError, TransientError
from amazon_accounts.postgresql.clock import database_now
from tests.accounts.sync.conftest import ConnectionFactory
from tests.accounts.sync.runs import MANUAL, make_ended_listing
from tokens.models import Connection

pytestmark = pytest.mark.django_db

SUCCEEDED, PARTIAL, FAILED = SyncRun.State.SUCCEEDED, SyncRun.State.PARTIAL, SyncRun.State.FAILED


@pytest.fixture
def connection(connect: ConnectionFactory) -> Connection:
    return connect()


@pytest.fixture
def claim(connection: Connection) -> RunClaim:
    return claim_run(open_run(connection, trigger=MANUAL).pk)


@pytest.fixture
def ended() -> Iterator[list[UUID]]:
    # The ids that the signal has reported.
    runs: list[UUID] = []

    def note(run_id: UUID, **_: Any) -> None:
        runs.append(run_id)

    sync_ended.connect(note)
    yield runs
    sync_ended.disconnect(note)


def run_of(claim: RunClaim) -> SyncRun:
    return SyncRun.objects.get(pk=claim.run_id)


def stage(run_id: UUID) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_staged_profile (run_id, walk, profile_id, new_account_id, region, country_code,"
            " marketplace_id, currency_code, timezone, type, subtype, name, entity_id)"
            " VALUES (%s, 1, '1', %s, 'EU', '', '', '', '', '', '', '', '')",
            [run_id, uuid4()],
        )


def count_staged() -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_staged_profile")
        row: tuple[int] = cursor.fetchone()
    return row[0]


def test_a_claim_has_the_connection_as_of_the_claim(connection: Connection, claim: RunClaim) -> None:
    assert claim.connection_id == connection.pk
    assert claim.owner_id == connection.owner_id
    assert claim.client_id == connection.client_id
    assert claim.grant_version == connection.grant_version
    assert list(claim.regions) == list(connection.regions)
    run = run_of(claim)
    assert (run.state, run.started_at) == ("running", claim.started_at)
    assert run.heartbeat_at == run.started_at


def test_a_run_is_claimed_once(claim: RunClaim) -> None:
    with pytest.raises(RunTakenError):
        claim_run(claim.run_id)


def test_a_run_that_does_not_exist_cannot_be_claimed() -> None:
    with pytest.raises(RunTakenError):
        claim_run(uuid4())


def test_a_run_that_was_closed_cannot_be_claimed(connection: Connection) -> None:
    run = open_run(connection, trigger=MANUAL)
    close_unfinished_runs(connection, "The connection was disconnected.")
    with pytest.raises(RunTakenError):
        claim_run(run.pk)


def test_a_heartbeat_stores_the_progress(claim: RunClaim) -> None:
    listing = make_ended_listing()
    listing.created, listing.pages = 7, 2
    assert beat(claim, [listing])
    run = run_of(claim)
    assert (run.created, run.seen) == (7, 7)
    assert run.sources[0]["pages"] == 2
    assert run.state == SyncRun.State.RUNNING


@pytest.mark.parametrize("state", [SUCCEEDED, FAILED])
def test_a_closed_run_accepts_no_writes_from_its_owner(claim: RunClaim, state: SyncRun.State) -> None:
    close_run(claim, state, [make_ended_listing()])
    assert not beat(claim, [])
    with pytest.raises(RunLostError):
        close_run(claim, FAILED, [])
    with pytest.raises(RunLostError):
        return_run(claim, [], "", is_postponed=False)
    assert run_of(claim).state == state


def test_a_run_that_was_claimed_again_accepts_no_writes_from_its_first_owner(claim: RunClaim) -> None:
    assert return_run(claim, [], "stopped", is_postponed=False)
    second = claim_run(claim.run_id)
    assert not beat(claim, [])
    with pytest.raises(RunLostError):
        close_run(claim, SUCCEEDED, [])
    assert beat(second, [])


def test_the_end_of_a_run_deletes_its_staged_rows_and_sends_a_signal(
    claim: RunClaim, ended: list[UUID]
) -> None:
    stage(claim.run_id)
    close_run(claim, SUCCEEDED, [make_ended_listing()])
    assert count_staged() == 0
    assert ended == [claim.run_id]


def test_a_succeeded_run_resets_the_failures_of_its_connection(
    connection: Connection, claim: RunClaim
) -> None:
    Connection.objects.update(sync_failures=3, sync_error="It failed.", next_sync_at=None)
    close_run(claim, SUCCEEDED, [make_ended_listing()])
    connection.refresh_from_db()
    assert (connection.sync_failures, connection.sync_error) == (0, "")
    assert connection.last_synced_at is not None
    assert connection.next_sync_at is not None


def test_a_partial_run_that_read_the_ads_accounts_counts_as_a_sync(
    connection: Connection, claim: RunClaim
) -> None:
    listings = [make_ended_listing(), make_ended_listing("profiles", Outcome.FAILED, "EU")]
    close_run(claim, PARTIAL, listings, "profiles EU: down")
    connection.refresh_from_db()
    assert connection.last_synced_at is not None
    assert (connection.sync_failures, connection.sync_error) == (1, "profiles EU: down")


def test_a_failed_run_does_not_count_as_a_sync(connection: Connection, claim: RunClaim) -> None:
    down = make_ended_listing()
    down.fail(TransientError("Down."))
    close_run(claim, FAILED, [down], "Down.")
    connection.refresh_from_db()
    assert (connection.last_synced_at, connection.sync_failures) == (None, 1)
    assert SyncRun.objects.get(pk=claim.run_id).cause == Cause.NO_ANSWER


def test_a_postponement_is_no_failure_of_the_connection(connection: Connection, claim: RunClaim) -> None:
    waiting = make_ended_listing("profiles", region="EU")
    waiting.fail(PostponedError(timezone.now() + timedelta(hours=1), "Wait"))
    close_run(claim, PARTIAL, [make_ended_listing(), waiting], "Wait.")
    connection.refresh_from_db()
    assert (connection.sync_failures, connection.sync_error) == (0, "Wait.")


def test_a_refused_application_is_no_failure_of_the_connection(
    connection: Connection, claim: RunClaim
) -> None:
    refused = make_ended_listing()
    refused.fail(ApplicationRefusedError("invalid_client"))
    close_run(claim, FAILED, [refused], "invalid_client")
    connection.refresh_from_db()
    assert (connection.sync_failures, connection.sync_error) == (0, "")
    assert connection.next_sync_at is not None
    assert connection.next_sync_at < timezone.now() + timedelta(minutes=6)


def test_an_unconfirmed_removal_is_synced_again_within_a_minute(
    connection: Connection, claim: RunClaim
) -> None:
    doubtful = make_ended_listing("profiles", region="EU")
    doubtful.mark_unconfirmed(12)
    close_run(claim, PARTIAL, [make_ended_listing(), doubtful], "It no longer shows 12 accounts.")
    connection.refresh_from_db()
    assert connection.next_sync_at is not None
    assert connection.next_sync_at <= timezone.now() + timedelta(seconds=61)


def test_the_connection_remembers_which_lists_were_not_read(connection: Connection, claim: RunClaim) -> None:
    listings = [
        make_ended_listing(),
        make_ended_listing("profiles", Outcome.FAILED, "EU"),
        make_ended_listing(PROFILES_EDIT, Outcome.FAILED, "EU"),
        make_ended_listing("manager_accounts", Outcome.FORBIDDEN, "FE"),
    ]
    close_run(claim, PARTIAL, listings)
    connection.refresh_from_db()
    assert connection.unread_lists == ["profiles:EU", "manager_accounts:FE"]


def test_a_run_of_an_earlier_consent_does_not_change_the_connection(
    connection: Connection, claim: RunClaim
) -> None:
    Connection.objects.update(grant_version=F("grant_version") + 1)
    close_run(claim, FAILED, [], "It failed.")
    connection.refresh_from_db()
    assert (connection.sync_failures, connection.sync_error, connection.last_synced_at) == (0, "", None)
    assert run_of(claim).state == FAILED


def test_the_end_of_a_run_returns_the_waiting_run_of_the_connection(
    connection: Connection, claim: RunClaim
) -> None:
    waiting = open_run(connection, trigger=MANUAL)
    assert close_run(claim, SUCCEEDED, []) == waiting.pk


def test_the_end_of_a_run_returns_no_run_of_another_connection(
    connect: ConnectionFactory, claim: RunClaim
) -> None:
    open_run(connect("bob"), trigger=MANUAL)
    assert close_run(claim, SUCCEEDED, []) is None


@pytest.mark.parametrize("is_postponed", [True, False])
def test_a_returned_run_waits_as_if_it_had_never_been_claimed(claim: RunClaim, *, is_postponed: bool) -> None:
    stage(claim.run_id)
    assert return_run(claim, [make_ended_listing()], "Wait.", is_postponed=is_postponed)
    run = run_of(claim)
    assert (run.state, run.started_at, run.heartbeat_at) == ("waiting", None, None)
    assert (run.error, run.postponed) == ("Wait.", int(is_postponed))
    assert (run.postponed_at is not None) == is_postponed
    assert run.sources[0]["source"] == "ads_accounts"
    assert count_staged() == 0


def test_a_run_is_not_returned_while_another_run_is_waiting(connection: Connection, claim: RunClaim) -> None:
    open_run(connection, trigger=MANUAL)
    assert not return_run(claim, [], "Wait.", is_postponed=True)
    assert run_of(claim).state == SyncRun.State.RUNNING


def test_postponements_are_limited_in_length_and_number(claim: RunClaim) -> None:
    soon = timezone.now() + MAX_POSTPONEMENT - timedelta(seconds=5)
    assert may_be_postponed(claim, soon)
    assert not may_be_postponed(claim, soon + timedelta(seconds=10))
    SyncRun.objects.update(postponed=MAX_POSTPONEMENTS)
    assert not may_be_postponed(claim, soon)


@pytest.mark.usefixtures("wrong_clock")
def test_the_clock_of_the_process_does_not_limit_postponements(claim: RunClaim) -> None:
    soon = database_now() + MAX_POSTPONEMENT
    assert may_be_postponed(claim, soon - timedelta(seconds=5))
    assert not may_be_postponed(claim, soon + timedelta(seconds=20))


def test_all_unfinished_runs_of_a_connection_can_be_closed(
    connect: ConnectionFactory, connection: Connection, claim: RunClaim, ended: list[UUID]
) -> None:
    waiting, other = open_run(connection, trigger=MANUAL), open_run(connect("bob"), trigger=MANUAL)
    close_unfinished_runs(connection, "The connection was disconnected.")
    closed = SyncRun.objects.filter(state=FAILED, error="The connection was disconnected.")
    assert set(closed.values_list("pk", flat=True)) == {claim.run_id, waiting.pk} == set(ended)
    other.refresh_from_db()
    assert other.state == SyncRun.State.WAITING
