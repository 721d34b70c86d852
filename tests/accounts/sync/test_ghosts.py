"""Second accounts, made for profiles of known ads accounts, are merged into the ads accounts with what belongs to them."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.db.models import ForeignObjectRel
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import (
    Account,
    AccountAccess,
    AccountChange,
    AccountManager,
    BatchItem,
    BatchOperation,
    Profile,
)
from accounts.models.search import AccountSearch
from accounts.sync.ghosts import merge_ghosts
from amazon_accounts.labels import MAX_LABELS
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import Alternate, Maker, World, default_client
from tests.accounts.sync.conftest import ConnectionFactory, Sync
from tests.accounts.sync.shared_accounts import find_account
from tests.teams import team_of
from tokens.models import Connection

pytestmark = pytest.mark.django_db(transaction=True)

GONE = {"status": "inactive", "inactive_reason": "not_visible"}


@pytest.fixture
def connection(connect: ConnectionFactory) -> Connection:
    return connect("alice")


def make_account(connection: Connection, key: str, profiles: list[str], **fields: Any) -> Account:
    account = Account.objects.create(
        **{
            "team": connection.team,
            "user": connection.owner,
            "connection": connection,
            "amazon_account_id": key,
            "name": key,
            "source": "ads_accounts",
            "status": "active",
            **fields,
        }
    )
    Profile.objects.bulk_create(Profile(account=account, profile_id=each) for each in profiles)
    return account


def make_ghost(connection: Connection, key: str, profiles: list[str], **fields: Any) -> Account:
    return make_account(connection, key, profiles, source="profiles", **{**GONE, **fields})


def merge(owner: User) -> int:
    with transaction.atomic(), database.cursor() as cursor:
        return merge_ghosts(cursor, team_of(owner).pk)


def test_a_ghost_gives_labels_history_and_default_to_its_account(connection: Connection, owner: User) -> None:
    shop = make_account(connection, "shop", ["1", "2"], labels={"team": "south"})
    ghost = make_ghost(connection, "ghost", ["1"], labels={"team": "north", "tier": "gold"}, is_default=True)
    for kind in ("name", "payment", "vanished", "appeared"):
        AccountChange.objects.create(account=ghost, kind=kind)
    child = make_account(connection, "advertiser", [], source="dsp_advertisers", parent=ghost)
    manager = make_account(connection, "manager", [], source="manager_accounts")
    AccountManager.objects.create(manager=manager, account=ghost, regions=["NA"])
    assert merge(owner) == 1
    shop.refresh_from_db()
    child.refresh_from_db()
    assert (shop.labels, shop.is_default) == ({"team": "south", "tier": "gold"}, True)
    assert set(shop.changes.values_list("kind", flat=True)) == {"name", "payment"}
    assert child.parent == shop
    assert not Account.objects.filter(pk=ghost.pk).exists()
    assert not AccountSearch.objects.filter(account_id=ghost.pk).exists()
    assert merge(owner) == 0


def test_what_a_person_asked_last_for_a_label_wins(connection: Connection, owner: User) -> None:
    shop = make_account(connection, "shop", ["1"], request_numbers={"labels.removed": 9})
    make_ghost(
        connection,
        "ghost",
        ["1"],
        labels={"removed": "x", "tier": "gold"},
        request_numbers={"labels.removed": 3, "labels.tier": 4, "sync_enabled": 5},
    )
    assert merge(owner) == 1
    shop.refresh_from_db()
    assert shop.labels == {"tier": "gold"}
    assert shop.request_numbers == {"labels.removed": 9, "labels.tier": 4}


def test_the_results_of_ended_batches_follow(connection: Connection, owner: User) -> None:
    shop = make_account(connection, "shop", ["1"])
    ghost = make_ghost(connection, "ghost", ["1"])
    alone, both = (
        BatchOperation.objects.create(
            user=owner,
            operation="update",
            state="succeeded",
            total=total,
            succeeded=total,
            created_at=timezone.now() - timedelta(minutes=1),
            finished_at=timezone.now(),
        )
        for total in (1, 2)
    )
    for batch, accounts in ((alone, [ghost]), (both, [ghost, shop])):
        for account in accounts:
            BatchItem.objects.create(batch=batch, account=account, state="succeeded", message=account.name)
    assert merge(owner) == 1
    items = BatchItem.objects.values_list("batch_id", "account_id", "message")
    assert set(items) == {(alone.pk, shop.pk, "ghost"), (both.pk, shop.pk, "shop")}


def test_an_operation_that_had_both_counts_one_account_less(connection: Connection, owner: User) -> None:
    shop = make_account(connection, "shop", ["1"])
    ghosts = [make_ghost(connection, name, ["1"]) for name in ("first", "second", "third")]
    batch = BatchOperation.objects.create(
        user=owner,
        operation="update",
        state="partial",
        total=4,
        succeeded=2,
        failed=1,
        skipped=1,
        created_at=timezone.now() - timedelta(minutes=1),
        finished_at=timezone.now(),
    )
    for account, state in zip([shop, *ghosts], ["succeeded", "succeeded", "failed", "skipped"], strict=True):
        BatchItem.objects.create(batch=batch, account=account, state=state)
    assert merge(owner) == 3
    batch.refresh_from_db()
    assert (batch.total, batch.succeeded, batch.failed, batch.skipped) == (1, 1, 0, 0)
    assert BatchItem.objects.get().account == shop


def test_a_ghost_in_an_unfinished_batch_stays_until_the_batch_has_ended(
    connection: Connection, owner: User
) -> None:
    make_account(connection, "shop", ["1"])
    ghost = make_ghost(connection, "ghost", ["1"])
    batch = BatchOperation.objects.create(user=owner, operation="update", total=1)
    BatchItem.objects.create(batch=batch, account=ghost)
    assert merge(owner) == 0
    BatchOperation.objects.update(state="succeeded", finished_at=Now())
    assert merge(owner) == 1


def test_accounts_that_are_no_ghosts_stay(
    connection: Connection, owner: User, connect: ConnectionFactory
) -> None:
    stranger = User.objects.create_user("stranger")
    make_account(connection, "shop", ["1"])
    make_account(connection, "gone", ["2"], **GONE)
    make_account(connect("bob", owner=stranger), "another person's", ["3"])
    make_account(connection, "full", ["4"], labels={f"own {number}": "1" for number in range(MAX_LABELS)})
    make_ghost(connection, "disconnected here", ["1"], inactive_reason="disconnected")
    make_ghost(connection, "visible", ["1"], status="active", inactive_reason=None)
    make_ghost(connection, "a profile of its own", ["1", "9"])
    make_ghost(connection, "of an account that is gone", ["2"])
    make_ghost(connection, "of another person's account", ["3"])
    make_ghost(connection, "with too many labels", ["4"], labels={"one": "more"})
    make_ghost(connection, "without profiles", [])
    seen = make_ghost(connection, "seen", ["1"])
    AccountAccess.objects.create(account=seen, connection=connection, seen_in=["profiles:EU"])
    before = Account.objects.count()
    assert merge(owner) == 0
    assert Account.objects.count() == before


def test_every_table_that_refers_to_an_account_is_merged() -> None:
    # A new table needs a part in give_to_successors.sql, and then a line here.
    relations = [
        field
        for field in Account._meta.get_fields(include_hidden=True)
        if isinstance(field, ForeignObjectRel)
    ]
    referring = {(each.related_model.__name__, each.field.name) for each in relations if each.auto_created}
    assert referring == {
        ("Account", "parent"),
        ("AccountAccess", "account"),
        ("AccountChange", "account"),
        ("AccountManager", "account"),
        ("AccountManager", "manager"),
        ("AccountSearch", "account"),
        ("BatchItem", "account"),
        ("Note", "account"),
        ("Profile", "account"),
    }


async def test_a_country_that_the_list_shows_later_than_its_profile_leaves_no_ghost(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    world = World(1)
    world.add_client(default_client([]))
    login = world.add_login("first")
    maker = Maker(world)
    shop = maker.account("Shop", "seller", ["DE"], login)
    early = maker.profile("FR", "ENTITY1", "seller", login, name="Early")
    sandbox.reset(world)
    connection = await in_thread(connect)("first")
    await sync(connection)
    assert (await find_account("Early")).status == "active"
    await in_thread(Account.objects.filter(name="Early").update)(labels={"tier": "gold"})
    shop.alternates.append(Alternate("FR", early.profile_id))
    assert (await sync(connection)).gone == 1
    stored = await in_thread(lambda: list(Account.objects.values_list("name", "labels")))()
    assert stored == [("Shop", {"tier": "gold"})]
