"""Each team whose accounts a batch has reads it in its trail, with the number of its own accounts."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.batch import cancel_batch, retry_batch, start_batch
from accounts.models import BatchItem, BatchOperation
from tests.accounts.conftest import AccountFactory
from tests.teams import team_of
from tokens.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(admin: User, alice: User, bob: User, new_account: AccountFactory) -> BatchOperation:
    accounts = [new_account(alice), new_account(alice), new_account(bob)]
    options = {"labels": {"tier": "gold"}}
    return start_batch(admin, "update", account_ids=[each.pk for each in accounts], options=options)


def read(action: str, batch: BatchOperation) -> dict[UUID | None, Any]:
    entries = AuditEntry.objects.filter(action=action, object_id=str(batch.pk))
    found = {entry.team_id: entry.after for entry in entries}
    assert len(found) == len(entries)
    return found


def test_the_start(batch: BatchOperation, alice: User, bob: User) -> None:
    shared = {"operation": "update", "options": {"labels": {"tier": "gold"}}, "filtered_by": None}
    assert read("batch.start", batch) == {
        team_of(alice).pk: {**shared, "accounts": 2},
        team_of(bob).pk: {**shared, "accounts": 1},
    }
    names = AuditEntry.objects.filter(action="batch.start").values_list("team_name", flat=True)
    assert set(names) == {"Team of alice", "Team of bob"}


@pytest.mark.parametrize(
    ("state", "action", "deed", "word"),
    [
        ("waiting", "batch.cancel", cancel_batch, "skipped"),
        ("failed", "batch.retry", retry_batch, "again"),
    ],
    ids=["cancel", "retry"],
)
def test_only_teams_of_which_accounts_are_concerned(
    batch: BatchOperation,
    admin: User,
    alice: User,
    bob: User,
    state: str,
    action: str,
    deed: Callable[[User, BatchOperation], BatchOperation],
    word: str,
) -> None:
    items = BatchItem.objects.filter(batch=batch)
    items.update(state=state)
    items.filter(account__team=team_of(bob)).update(state="succeeded")
    deed(admin, batch)
    assert {team: after[word] for team, after in read(action, batch).items()} == {team_of(alice).pk: 2}


def test_an_export_has_the_teams_that_the_person_sees(
    batch: BatchOperation, admin: User, alice: User, bob: User
) -> None:
    def export(teams: set[UUID]) -> None:
        browser = Client()
        browser.force_login(admin)
        list(browser.get(f"/operations/{batch.pk}/results.csv"))
        latest = AuditEntry.objects.filter(action="batch.export").order_by("-pk")[: len(teams)]
        assert {entry.team_id for entry in latest} == teams

    export({team_of(alice).pk, team_of(bob).pk})
    admin.memberships.filter(team=team_of(bob)).delete()
    export({team_of(alice).pk})
    assert AuditEntry.objects.filter(action="batch.export").count() == 3


def test_a_batch_without_accounts_has_an_entry_for_superusers(alice: User) -> None:
    batch = start_batch(alice, "sync", filters={"status": "suspended"})
    assert set(read("batch.start", batch)) == {None}
