"""Who has lost a connection, a role or a key since the permission was checked does nothing any more."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError

from accounts.batch import start_batch
from accounts.batch.operations import may_steer
from accounts.batch.work import run_chunk
from accounts.models import Account, BatchItem, BatchOperation
from tests.accounts.conftest import AccountFactory
from tests.teams import join, team_of
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import forget_login
from tokens.connect.move import move_connection
from tokens.connect.update import update_connection
from tokens.models import AuditEntry, Connection, Team
from tokens.people.keys import find_api_key, make_api_key, make_team_key, read_again, revoke_api_key
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.refresh.hand_out import record_refusal

pytestmark = pytest.mark.django_db


@pytest.fixture
def south(db: None) -> Team:
    return Team.objects.create(name="South")


@pytest.fixture
def account(alice: User, new_account: AccountFactory) -> Account:
    return new_account(alice)


@pytest.mark.parametrize(
    "operation",
    [
        disconnect_connection,
        forget_login,
        lambda user, connection: update_connection(user, connection, {"label": "Taken"}),
    ],
    ids=["disconnect", "forget", "update"],
)
def test_who_read_a_connection_before_it_moved_may_not_change_it(
    admin: User, account: Account, south: Team, operation: Callable[[User, Connection], Any]
) -> None:
    read_before = Connection.objects.get(pk=account.connection_id)
    move_connection(SYSTEM, account.connection, south)
    with pytest.raises(PermissionDenied):
        operation(admin, read_before)
    stored = Connection.objects.get(pk=account.connection_id)
    assert (stored.state, stored.label) == ("active", read_before.label)


@pytest.mark.parametrize("operation", ["disconnect", "update", "sync"])
def test_a_batch_leaves_accounts_that_moved_to_another_team(
    alice: User, account: Account, south: Team, new_account: AccountFactory, operation: str
) -> None:
    stays = new_account(alice, connection=Connection.objects.create(
        owner=alice, team=account.team, label="Other", client_id=account.connection.client_id, refresh_token="Atzr|x"
    ))  # fmt: skip
    options = {"labels": {"taken": "yes"}} if operation == "update" else None
    batch = start_batch(alice, operation, account_ids=[account.pk, stays.pk], options=options or {})
    move_connection(SYSTEM, account.connection, south)
    while run_chunk(batch.pk):
        pass
    moved, left = (BatchItem.objects.get(batch=batch, account=each) for each in (account, stays))
    assert (moved.state, moved.message) == ("skipped", "It has moved to another team.")
    assert left.state != "skipped"
    account.refresh_from_db()
    assert (account.inactive_reason, account.labels) == (None, {})


def test_a_key_of_another_team_does_not_get_the_batch_of_an_idempotency_key(
    alice: User, account: Account, south: Team
) -> None:
    join(alice, "South", Role.OPERATOR)
    users = []
    for team in (account.team, south):
        found = find_api_key(make_api_key(alice, alice, name="A key", team=team, role="operator")[1], None)
        assert found is not None
        users.append(found[0])
    start_batch(users[0], "sync", filters={}, idempotency_key="daily")
    assert start_batch(users[0], "sync", filters={}, idempotency_key="daily").total == 1
    with pytest.raises(ValidationError, match="used before"):
        start_batch(users[1], "sync", filters={}, idempotency_key="daily")


def test_who_made_a_key_of_a_team_and_left_does_not_see_what_the_key_starts(
    alice: User, bob: User, account: Account
) -> None:
    team = join(alice, account.team.name, Role.ADMINISTRATOR)
    made = make_team_key(User.objects.get(pk=alice.pk), team, name="Nightly", role="operator")[1]
    found = find_api_key(made, None)
    assert found is not None
    batch = start_batch(found[0], "sync", account_ids=[account.pk])
    empty = start_batch(found[0], "sync", filters={"search": "nothing like it"})
    maker = User.objects.get(pk=alice.pk)
    join(bob, team.name, Role.VIEWER)
    for reader in (found[0], maker, User.objects.get(pk=bob.pk)):
        assert set(BatchOperation.objects.visible_to(reader)) == {batch, empty}
    own = start_batch(maker, "sync", account_ids=[account.pk])
    alice.memberships.all().delete()
    join(alice, "South", Role.OPERATOR)
    left = User.objects.get(pk=alice.pk)
    assert set(BatchOperation.objects.visible_to(left)) == {own}
    assert not may_steer(left, batch)
    assert may_steer(found[0], batch)


def test_a_revoked_key_is_noticed_by_an_operation_that_has_waited(alice: User) -> None:
    key, text = make_api_key(alice, alice, name="A key")
    found = find_api_key(text, None)
    assert found is not None
    assert read_again(found[0]) == alice
    revoke_api_key(alice, key)
    assert read_again(found[0]) is None


def test_a_person_who_was_deactivated_is_noticed_too(alice: User) -> None:
    assert read_again(alice) == alice
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert read_again(alice) is None


def test_administrators_read_who_asked_for_tokens_in_vain(alice: User, account: Account) -> None:
    record_refusal(alice, [account.connection_id], PermissionDenied("tokens.use_access_token"))
    entry = AuditEntry.objects.get(action="access_token.hand_out")
    assert (entry.team_id, entry.outcome) == (team_of(alice).pk, "refused")
