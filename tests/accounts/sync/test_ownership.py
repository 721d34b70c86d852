"""All connections and accounts of a person go to another person."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from accounts.batch import start_batch
from accounts.models import Account, AccountAccess, AccountChange, BatchOperation, SyncRun
from accounts.sync.claims import RunLostError, claim_run
from accounts.sync.fences import fence_run
from accounts.sync.requests import open_run
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from tests.accounts.conftest import AccountFactory
from tests.accounts.conftest import ConnectionFactory as NewConnection
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.runs import MANUAL
from tests.accounts.sync.shared_accounts import list_seen_by, list_statuses, make_shared_world
from tokens.connect.hand_over import HandOverRefusedError, hand_over_connections
from tokens.models import Connection
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

# The same Amazon account, seen by the connections of two people.
SHARED = {"amazon_account_id": "amzn1.ads-account.g.shared"}


@pytest.fixture
def heir(db: None) -> User:
    return User.objects.create_user("heir", is_staff=True)


@transaction.atomic
def hand_over(person: User, heir: User) -> None:
    hand_over_connections(person, heir)


def seen_by(account: Account) -> set[Connection]:
    return {access.connection for access in AccountAccess.objects.filter(account=account)}


def test_every_connection_and_account_has_the_heir_as_owner(
    owner: User, heir: User, new_account: AccountFactory, new_connection: NewConnection
) -> None:
    live = new_account(owner, "Live")
    ended = new_account(
        owner, "Ended", connection=new_connection(owner), status="inactive", inactive_reason="not_visible"
    )
    AccountAccess.objects.filter(account=ended).delete()
    hand_over(owner, heir)
    assert not Connection.objects.filter(owner=owner).exists()
    assert not Account.objects.filter(user=owner).exists()
    assert set(Account.objects.visible_to(heir)) == {live, ended}
    assert not AccountChange.objects.exists()


def test_a_sync_under_way_is_closed_and_another_waits(
    owner: User, heir: User, new_account: AccountFactory
) -> None:
    connection = new_account(owner).connection
    claim = claim_run(open_run(connection, trigger=MANUAL).pk)
    hand_over(owner, heir)
    with pytest.raises(RunLostError), fence_run(claim):
        pass
    assert SyncRun.objects.get(pk=claim.run_id).error == "The connection was handed over to another person."
    assert SyncRun.objects.get(state="waiting").connection == connection


def test_an_ended_connection_is_not_synced(owner: User, heir: User, new_connection: NewConnection) -> None:
    new_connection(owner, state="reauthorization_required")
    hand_over(owner, heir)
    assert not SyncRun.objects.exists()


def test_an_account_that_both_have_becomes_one(owner: User, heir: User, new_account: AccountFactory) -> None:
    theirs = new_account(owner, "Shop", labels={"team": "south", "size": "big"}, **SHARED)
    own = new_account(heir, "Shop", labels={"team": "north"}, **SHARED)
    AccountChange.objects.create(account=theirs, kind="name", old="Old", new="Shop")
    hand_over(owner, heir)
    merged = Account.objects.get()
    assert merged == own
    assert merged.labels == {"team": "north", "size": "big"}
    assert seen_by(merged) == {theirs.connection, own.connection}
    assert AccountChange.objects.get().account == merged


@pytest.mark.parametrize("heir_has_one", [True, False])
def test_the_heir_has_one_default_account(
    owner: User, heir: User, new_account: AccountFactory, *, heir_has_one: bool
) -> None:
    new_account(owner, "Theirs", is_default=True, **SHARED)
    new_account(heir, "Shared", **SHARED)
    new_account(heir, "Own", is_default=heir_has_one)
    hand_over(owner, heir)
    assert Account.objects.get(is_default=True).name == ("Own" if heir_has_one else "Shared")


class TestRefusals:
    @pytest.fixture(autouse=True)
    def connection(self, owner: User, new_connection: NewConnection) -> Connection:
        return new_connection(owner, label="Garden", amazon_user_id="amzn1.account.X")

    def refuse(self, owner: User, heir: User, why: str) -> None:
        with pytest.raises(HandOverRefusedError, match=why):
            hand_over(owner, heir)
        assert Connection.objects.get(label="Garden").owner == owner

    def test_the_same_login_of_the_heir(self, owner: User, heir: User, new_connection: NewConnection) -> None:
        own = new_connection(heir, label="Shop", amazon_user_id="amzn1.account.X")
        self.refuse(owner, heir, "“Garden” of owner and “Shop” of heir are the same Amazon login")
        own.state, own.refresh_token, own.access_token, own.expires_at = "disconnected", None, None, None
        own.disconnected_at = own.created_at
        own.save()
        hand_over(owner, heir)
        assert Connection.objects.get(label="Garden").owner == heir

    def test_an_inactive_heir(self, owner: User, heir: User) -> None:
        User.objects.filter(pk=heir.pk).update(is_active=False)
        self.refuse(owner, heir, "heir is not active")

    def test_the_person_as_heir(self, owner: User) -> None:
        self.refuse(owner, owner, "to somebody else")

    def test_an_operation_under_way_with_an_account_of_both(
        self, owner: User, heir: User, new_account: AccountFactory
    ) -> None:
        theirs = new_account(owner, **SHARED)
        new_account(heir, **SHARED)
        batch = start_batch(SYSTEM, "sync", account_ids=[theirs.pk])
        self.refuse(owner, heir, "under way. Try again when it has ended")
        BatchOperation.objects.filter(pk=batch.pk).update(state="succeeded", finished_at=batch.created_at)
        hand_over(owner, heir)
        assert Account.objects.get(**SHARED).user == heir


async def test_later_syncs_go_on_with_the_same_accounts(
    owner: User, heir: User, connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    make_shared_world(sandbox)
    first = await in_thread(connect)("first")
    second = await in_thread(connect)("second", owner=heir)
    for connection in (first, second):
        await sync(connection)
    statuses, before = await list_statuses(), await in_thread(_list_ids)(owner, heir)
    await in_thread(hand_over)(owner, heir)
    assert await list_statuses() == statuses
    for connection in (first, second):
        run = await sync(connection)
        assert (run.created, run.gone) == (0, 0)
    after = await in_thread(_list_ids)(owner, heir)
    assert after["owner"] == set()
    assert len(after["heir"]) == 7
    assert before["heir"] < after["heir"]
    assert len(await list_seen_by(first)) == len(await list_seen_by(second)) == 5


def _list_ids(owner: User, heir: User) -> dict[str, set[Any]]:
    return {
        user.username: set(Account.objects.filter(user=user).values_list("pk", flat=True))
        for user in (owner, heir)
    }
