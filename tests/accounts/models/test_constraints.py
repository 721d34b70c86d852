"""The database refuses rows that contradict themselves, each by the name of a constraint."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import (
    Account,
    AccountAccess,
    AccountChange,
    AccountManager,
    Availability,
    BatchItem,
    BatchOperation,
    ConnectionBatchItem,
    Note,
    Profile,
    SyncRun,
)
from accounts.models.availability import SYNC_COLUMNS, TOKEN_COLUMNS
from tests.accounts.conftest import AccountFactory
from tokens.models import Connection

EARLIER = timezone.now() - timedelta(days=900)


@dataclass(frozen=True)
class Rows:
    """One valid row of each model, in two accounts of one team."""

    account: Account
    other: Account
    batch: BatchOperation
    run: SyncRun


@pytest.fixture
def rows(alice: User, new_account: AccountFactory) -> Rows:
    account, other = new_account(alice), new_account(alice)
    Profile.objects.create(account=account, profile_id="1", region="EU")
    Profile.objects.create(account=account, profile_id="2", region="EU")
    AccountManager.objects.create(manager=other, account=account)
    batch = BatchOperation.objects.create(user=alice, operation="sync", total=2, idempotency_key="first")
    connection = account.connection
    ConnectionBatchItem.objects.create(batch=batch, connection=connection, team=connection.team)
    BatchOperation.objects.create(user=alice, operation="sync", idempotency_key="second")
    BatchItem.objects.create(batch=batch, account=account)
    run = SyncRun.objects.create(connection=account.connection, trigger="manual")
    AccountChange.objects.create(account=account, run=run, kind="name")
    store_month(account.connection)
    return Rows(account, other, batch, run)


def store_month(connection: Connection) -> Availability:
    minutes = 28 * 24 * 60
    columns = dict.fromkeys((*TOKEN_COLUMNS, *SYNC_COLUMNS), 0)
    return Availability.objects.create(
        connection=connection,
        month=date(2026, 2, 1),
        minutes=minutes,
        late_after_seconds=7200,
        **{**columns, "token_valid": minutes, "sync_fresh": minutes},
    )


def change_account(**fields: object) -> Callable[[Rows], object]:
    return lambda rows: Account.objects.filter(pk=rows.account.pk).update(**fields)


def undo_twice(rows: Rows) -> None:
    for _ in range(2):
        BatchOperation.objects.create(operation="undo", undoes=rows.batch.pk)


def change_batch(**fields: object) -> Callable[[Rows], object]:
    return lambda rows: BatchOperation.objects.filter(pk=rows.batch.pk).update(**fields)


def change_run(**fields: object) -> Callable[[Rows], object]:
    return lambda rows: SyncRun.objects.filter(pk=rows.run.pk).update(**fields)


def run_twice(state: str) -> Callable[[Rows], object]:
    def run(rows: Rows) -> object:
        SyncRun.objects.update(state=state, started_at=timezone.now())
        return SyncRun.objects.create(
            connection=rows.account.connection, trigger="manual", state=state, started_at=timezone.now()
        )

    return run


# What breaks each constraint, and nothing else.
VIOLATIONS: list[tuple[str, Callable[[Rows], object]]] = [
    (
        "one_account_per_team_and_amazon_id",
        lambda rows: change_account(amazon_account_id=rows.other.amazon_account_id)(rows),
    ),
    ("one_default_account_per_team", lambda _rows: Account.objects.update(is_default=True)),
    ("account_status_is_known", change_account(status="open")),
    ("inactive_account_has_a_reason", change_account(inactive_reason="disconnected")),
    ("inactive_account_has_a_reason", change_account(status="inactive")),
    ("inactive_account_has_a_reason", change_account(status="inactive", inactive_reason="tired")),
    ("note_is_on_one_thing", lambda _rows: Note.objects.create(text="About nothing.")),
    ("note_has_a_text", lambda rows: Note.objects.create(account=rows.account, text="")),
    ("note_is_short", lambda rows: Note.objects.create(account=rows.account, text="x" * 4_001)),
    ("account_standing_is_known", change_account(standing="shaky")),
    ("account_type_is_known", change_account(account_type="shop")),
    ("account_source_is_known", change_account(source="hearsay")),
    ("account_has_an_amazon_id", change_account(amazon_account_id="")),
    ("account_ends_after_it_began", change_account(disconnected_at=EARLIER)),
    (
        "one_access_per_account_and_connection",
        lambda rows: AccountAccess.objects.create(account=rows.account, connection=rows.account.connection),
    ),
    ("access_is_seen_somewhere", lambda _rows: AccountAccess.objects.update(seen_in=[])),
    (
        "one_link_per_manager_and_account",
        lambda rows: AccountManager.objects.create(manager=rows.other, account=rows.account),
    ),
    (
        "no_account_manages_itself",
        lambda rows: AccountManager.objects.create(manager=rows.account, account=rows.account),
    ),
    ("one_profile_per_account_and_amazon_id", lambda _rows: Profile.objects.update(profile_id="3")),
    ("profile_has_an_amazon_id", lambda _rows: Profile.objects.filter(profile_id="1").update(profile_id="")),
    ("profile_standing_is_known", lambda _rows: Profile.objects.update(standing="shaky")),
    ("change_kind_is_known", lambda _rows: AccountChange.objects.update(kind="mood")),
    ("one_batch_per_user_and_idempotency_key", change_batch(idempotency_key="second")),
    ("batch_operation_is_known", change_batch(operation="delete")),
    ("undo_names_what_it_undoes", change_batch(operation="undo")),
    ("undo_names_what_it_undoes", lambda rows: change_batch(undoes=rows.batch.pk)(rows)),
    ("one_undo_per_batch", undo_twice),
    ("ended_batch_has_an_end", change_batch(state="succeeded")),
    ("ended_batch_has_an_end", change_batch(finished_at=timezone.now() + timedelta(hours=1))),
    ("ended_batch_has_an_end", change_batch(state="lost")),
    ("batch_counts_add_up", change_batch(succeeded=1, failed=1, skipped=1)),
    ("batch_ends_after_it_began", change_batch(state="failed", finished_at=EARLIER)),
    ("batch_item_state_is_known", lambda _rows: BatchItem.objects.update(state="lost")),
    ("connection_item_state_is_known", lambda _rows: ConnectionBatchItem.objects.update(state="lost")),
    ("one_running_sync_per_connection", run_twice("running")),
    ("one_waiting_sync_per_connection", run_twice("waiting")),
    ("sync_state_is_known", change_run(state="lost", started_at=timezone.now())),
    ("begun_sync_has_a_start", change_run(state="running")),
    ("sync_ends_after_it_began", change_run(state="failed", finished_at=EARLIER)),
    ("one_availability_per_connection_and_month", lambda rows: store_month(rows.account.connection)),
    ("availability_is_of_a_month", lambda _rows: Availability.objects.update(month=date(2026, 2, 2))),
    (
        "stored_availability_is_of_a_whole_month",
        lambda _rows: Availability.objects.update(minutes=1, token_valid=1, sync_fresh=1),
    ),
    ("minutes_of_the_token_add_up", lambda _rows: Availability.objects.update(lost_to_us=1)),
    ("minutes_of_the_sync_add_up", lambda _rows: Availability.objects.update(sync_late=1)),
]


@pytest.mark.parametrize(("name", "violate"), VIOLATIONS, ids=[name for name, _ in VIOLATIONS])
def test_the_database_refuses_it_by_name(rows: Rows, name: str, violate: Callable[[Rows], object]) -> None:
    with pytest.raises(IntegrityError, match=f'"{name}"'), transaction.atomic():
        violate(rows)


def test_every_constraint_of_the_models_is_violated_here() -> None:
    constraints = {
        constraint.name
        for model in apps.get_app_config("accounts").get_models()
        for constraint in model._meta.constraints
    }
    assert {name for name, _ in VIOLATIONS} == constraints


@pytest.mark.parametrize(
    "allow",
    [
        change_account(status="inactive", inactive_reason="not_visible"),
        change_account(is_default=True),
        change_account(disconnected_at=timezone.now() + timedelta(days=1)),
        change_batch(idempotency_key=None),
        change_batch(succeeded=1, failed=1),
        change_batch(state="cancelled", finished_at=timezone.now() + timedelta(hours=1)),
        change_run(state="failed", finished_at=timezone.now() + timedelta(hours=1)),
        change_run(state="running", started_at=timezone.now()),
    ],
    ids=[
        "an inactive account with a reason",
        "one default account",
        "an account that was disconnected later",
        "a batch without a key",
        "counts up to the total",
        "an ended batch with an end",
        "a run that failed before it started",
        "a running run with a start",
    ],
)
def test_the_database_accepts_what_no_constraint_forbids(rows: Rows, allow: Callable[[Rows], int]) -> None:
    assert allow(rows) == 1


def test_two_people_may_have_the_same_account_as_their_default(
    alice: User, bob: User, new_account: AccountFactory
) -> None:
    for person in (alice, bob):
        new_account(person, amazon_account_id="amzn1.ads-account.g.shared", is_default=True)
    assert Account.objects.filter(is_default=True).count() == 2


def test_two_people_may_use_the_same_idempotency_key(alice: User, bob: User) -> None:
    for person in (alice, bob):
        BatchOperation.objects.create(user=person, operation="sync", idempotency_key="same")
    assert BatchOperation.objects.count() == 2


def test_commands_may_start_batches_without_a_key(db: None) -> None:
    for _ in range(2):
        BatchOperation.objects.create(operation="sync")
    assert BatchOperation.objects.count() == 2


def test_a_running_run_may_have_a_waiting_run_beside_it(rows: Rows) -> None:
    SyncRun.objects.update(state="running", started_at=timezone.now())
    SyncRun.objects.create(connection=rows.account.connection, trigger="manual")
    assert SyncRun.objects.unfinished().count() == 2
