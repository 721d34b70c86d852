"""A connection that moves to another team takes along its accounts, with what belongs to them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models.functions import Now

from accounts.batch import start_batch
from accounts.models import (
    Account,
    AccountAccess,
    AccountChange,
    AccountManager,
    BatchItem,
    Profile,
    SyncRun,
)
from accounts.models.search import AccountSearch
from accounts.sync.claims import RunLostError, claim_run
from accounts.sync.fences import fence_run
from accounts.sync.requests import request_sync
from accounts.update import update_account
from amazon_accounts.labels import MAX_LABELS
from amazon_accounts.postgresql.threads import in_thread
from tests.accounts.sync.conftest import ConnectionFactory
from tests.teams import join, team_of
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.move import MoveRefusedError, move_connection
from tokens.models import AuditEntry, Connection, Team
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db

NewAccount = Callable[..., Account]


@pytest.fixture
def south(owner: User) -> Team:
    return Team.objects.create(name="South")


@pytest.fixture
def new_account() -> NewAccount:
    def make(key: str, *seen_by: Connection, connection: Connection | None = None, **fields: Any) -> Account:
        synced_by = connection or seen_by[0]
        account = Account.objects.create(
            **{
                "team": synced_by.team,
                "user": synced_by.owner,
                "connection": synced_by,
                "amazon_account_id": key,
                "name": key,
                "source": "ads_accounts",
                "status": "active",
                **fields,
            }
        )
        AccountAccess.objects.bulk_create(AccountAccess(account=account, connection=each) for each in seen_by)
        return account

    return make


def move(connection: Connection, team: Team) -> None:
    # What runs after the commit locks connections.
    with transaction.atomic():
        move_connection(SYSTEM, connection, team)


def read(team: Team) -> dict[str, Account]:
    return {each.amazon_account_id: each for each in Account.objects.filter(team=team)}


def list_seen(connection: Connection) -> set[tuple[str, str]]:
    seen = AccountAccess.objects.filter(connection=connection)
    return set(seen.values_list("account__amazon_account_id", "account__team__name"))


class TestAnAccountOfOneConnection:
    def test_it_goes_along_with_its_history(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection = connect("alice")
        account = new_account("shop", connection, labels={"tier": "gold"}, is_default=True)
        Profile.objects.create(account=account, profile_id="1", billing_connection=connection)
        AccountChange.objects.create(account=account, kind="vanished")
        run = SyncRun.objects.create(connection=connection, trigger="manual", state="failed")
        move(connection, south)
        stored = read(south)["shop"]
        assert (stored.pk, stored.labels, stored.is_default) == (account.pk, {"tier": "gold"}, True)
        assert stored.connection == connection == Connection.objects.get(team=south)
        assert stored.changes.count() == 1
        assert stored.profiles.get().billing_connection == connection
        assert list_seen(connection) == {("shop", "South")}
        assert SyncRun.objects.filter(connection__team=south).get() == run

    def test_it_is_no_longer_seen_by_the_old_team(
        self, connect: ConnectionFactory, new_account: NewAccount, owner: User, south: Team
    ) -> None:
        connection = connect("alice")
        new_account("shop", connection)
        move(connection, south)
        assert not Account.objects.visible_to(owner).exists()
        assert not Connection.objects.visible_to(owner).exists()

    def test_one_that_no_connection_sees_goes_along(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection = connect("alice")
        new_account("gone", connection=connection, status="inactive", inactive_reason="not_visible")
        move(connection, south)
        assert read(south)["gone"].inactive_reason == "not_visible"

    def test_the_default_account_of_the_new_team_stays_the_only_one(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection, own = connect("alice"), connect("bob", team=south)
        new_account("shop", connection, is_default=True)
        new_account("own", own, is_default=True)
        move(connection, south)
        assert [key for key, each in read(south).items() if each.is_default] == ["own"]


class TestAnAccountThatTheNewTeamHas:
    def test_it_goes_on_with_its_own_values_and_gets_the_others(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection, own = connect("alice"), connect("bob", team=south)
        old = new_account("shop", connection, labels={"tier": "gold", "north": "yes"}, is_default=True)
        new = new_account("shop", own, name="Shop", labels={"tier": "silver"}, sync_enabled=False)
        for kind in ("name", "vanished"):
            AccountChange.objects.create(account=old, kind=kind)
        move(connection, south)
        stored = Account.objects.get()
        assert (stored.pk, stored.name, stored.sync_enabled) == (new.pk, "Shop", False)
        assert stored.labels == {"tier": "silver", "north": "yes"}
        assert stored.connection == own
        assert not stored.is_default
        assert set(stored.changes.values_list("kind", flat=True)) == {"name", "vanished"}
        assert set(stored.accesses.values_list("connection", flat=True)) == {own.pk, connection.pk}
        assert AccountSearch.objects.count() == 1

    def test_a_label_that_was_removed_there_stays_removed(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection, own = connect("alice"), connect("bob", team=south)
        new_account("shop", connection, labels={"tier": "gold"})
        new = new_account("shop", own)
        root = User.objects.create_superuser("root")
        update_account(root, new.pk, {"labels": {"tier": "silver"}})
        update_account(root, new.pk, {"labels": {"tier": None}})
        move(connection, south)
        assert read(south)["shop"].labels == {}

    def test_only_one_default_account_is_left(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection, own = connect("alice"), connect("bob", team=south)
        new_account("shop", connection, is_default=True)
        new_account("shop", own)
        new_account("other", own, is_default=True)
        move(connection, south)
        assert [key for key, each in read(south).items() if each.is_default] == ["other"]

    def test_an_operation_under_way_refuses_the_move(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection, own = connect("alice"), connect("bob", team=south)
        old = new_account("shop", connection)
        new_account("shop", own)
        start_batch(SYSTEM, "update", account_ids=[old.pk], options={"labels": {"a": "b"}})
        with pytest.raises(MoveRefusedError, match="under way"):
            move(connection, south)
        assert Account.objects.count() == 2
        assert not AuditEntry.objects.filter(action="connection.move").exists()

    @pytest.mark.parametrize("stays", [False, True])
    def test_too_many_labels_refuse_the_move_and_name_the_accounts(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team, stays: bool
    ) -> None:
        connection, own, other = connect("alice"), connect("bob", team=south), connect("charlie")
        seen_by = [connection, other] if stays else [connection]
        # With a label that both have, the shop gets just as many as an account may have.
        for name, fits in (("shop", True), ("garden", False)):
            new_account(name, *seen_by, labels={"both": "old"} if fits else {"both": "old", "one": "more"})
            new_account(
                name, own, labels={"both": "new"} | {str(each): "x" for each in range(MAX_LABELS - 1)}
            )
        with pytest.raises(MoveRefusedError, match=r"more than 64: “garden”. Remove labels first"):
            move(connection, south)
        assert Connection.objects.get(pk=connection.pk).team == connection.team != south
        Account.objects.filter(name="garden", team=connection.team).update(labels={"both": "old"})
        move(connection, south)
        assert {len(each.labels) for each in read(south).values()} == {MAX_LABELS}

    def test_a_label_that_was_removed_in_the_new_team_does_not_count(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection, own = connect("alice"), connect("bob", team=south)
        new_account("shop", connection, labels={"gone": "x"})
        new_account(
            "shop",
            own,
            labels={str(each): "x" for each in range(MAX_LABELS)},
            request_numbers={"labels.gone": 1},
        )
        move(connection, south)
        assert len(read(south)["shop"].labels) == MAX_LABELS

    def test_results_of_ended_operations_are_kept(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection, own = connect("alice"), connect("bob", team=south)
        old, new = new_account("shop", connection), new_account("shop", own)
        batch = start_batch(SYSTEM, "update", account_ids=[old.pk], options={"labels": {"a": "b"}})
        BatchItem.objects.update(state="succeeded")
        type(batch).objects.update(state="succeeded", finished_at=batch.created_at, succeeded=1)
        move(connection, south)
        assert BatchItem.objects.get().account_id == new.pk


class TestAnAccountThatTheOldTeamStillSees:
    def test_it_stays_and_a_copy_appears(
        self, connect: ConnectionFactory, new_account: NewAccount, owner: User, south: Team
    ) -> None:
        connection, other = connect("alice"), connect("bob")
        account = new_account("shop", connection, other, labels={"tier": "gold"}, is_default=True)
        Profile.objects.create(
            account=account,
            profile_id="1",
            billing_connection=other,
            billing_refusals={str(other.pk): {}, str(connection.pk): {}},
        )
        AccountChange.objects.create(account=account, kind="name")
        move(connection, south)
        stays, copy = read(team_of(owner))["shop"], read(south)["shop"]
        assert (stays.pk, stays.connection, stays.is_default) == (account.pk, other, True)
        assert (copy.labels, copy.connection, copy.is_default) == ({"tier": "gold"}, connection, False)
        assert list_seen(connection) == {("shop", "South")}
        assert list_seen(other) == {("shop", "Team of owner")}
        assert (stays.changes.count(), copy.changes.count()) == (1, 0)
        profile = copy.profiles.get()
        assert (profile.billing_connection, profile.billing_refusals) == (None, {str(connection.pk): {}})
        assert AccountSearch.objects.filter(account=copy).exists()

    def test_a_copy_has_every_column_of_the_account(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection, other = connect("alice"), connect("bob")
        account = new_account(
            "shop",
            connection,
            other,
            amazon_status="CREATED",
            standing="at_risk",
            suspended_in=["US"],
            suspension_at="2026-12-01T00:00:00Z",
            countries=["US"],
            errors={"US": ["an error"]},
            metadata={"a": 1},
            sync_enabled=False,
        )
        Profile.objects.create(
            account=account,
            profile_id="1",
            region="NA",
            country_code="US",
            marketplace_id="A",
            currency_code="USD",
            timezone="UTC",
            type="seller",
            subtype="KDP_AUTHOR",
            name="Shop",
            entity_id="ENTITY1",
            ads_entity_id="ENTITY2",
            access_level="edit",
            valid_payment_method=True,
            daily_budget="1.50",
            standing="at_risk",
            suspension_at="2026-12-01T00:00:00Z",
            billing_status="PAYMENT_METHOD_MISSING",
            billing_message="Add one",
            billing_asked_at="2026-11-01T00:00:00Z",
            notices=[{"name": "n"}],
            notices_asked_at="2026-11-01T00:00:00Z",
            billing_connection=connection,
        )
        move(connection, south)
        own = {"id", "team_id", "connection_id", "updated_at", "account_id"}
        for model, rows in ((Account, Account.objects), (Profile, Profile.objects)):
            first, second = (dict(row) for row in rows.order_by("pk").values())
            assert {name for name in first if first[name] != second[name]} <= own, model

    def test_it_goes_on_with_a_live_connection(
        self, connect: ConnectionFactory, new_account: NewAccount, owner: User, south: Team
    ) -> None:
        connection, broken, live = connect("alice"), connect("bob"), connect("charlie")
        Connection.objects.filter(pk=broken.pk).update(state="reauthorization_required")
        new_account("shop", connection, broken, live)
        move(connection, south)
        assert read(team_of(owner))["shop"].connection == live

    def test_one_that_the_new_team_has_too_gets_labels_and_access(
        self, connect: ConnectionFactory, new_account: NewAccount, owner: User, south: Team
    ) -> None:
        connection, other, own = connect("alice"), connect("bob"), connect("charlie", team=south)
        new_account("shop", connection, other, labels={"tier": "gold"})
        new_account("shop", own, labels={"region": "south"})
        move(connection, south)
        assert read(south)["shop"].labels == {"tier": "gold", "region": "south"}
        assert read(team_of(owner))["shop"].labels == {"tier": "gold"}
        assert list_seen(connection) == {("shop", "South")}
        assert Account.objects.count() == 2

    def test_one_that_the_connection_only_synced_stays_without_a_copy(
        self, connect: ConnectionFactory, new_account: NewAccount, owner: User, south: Team
    ) -> None:
        connection, other = connect("alice"), connect("bob")
        new_account("shop", other, connection=connection, sync_enabled=False)
        move(connection, south)
        assert read(team_of(owner))["shop"].connection == other
        assert not read(south)


class TestLinks:
    def test_links_between_moved_accounts_stay(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection = connect("alice")
        manager, shop = new_account("manager", connection), new_account("shop", connection)
        advertiser = new_account("advertiser", connection, parent=manager)
        AccountManager.objects.create(manager=manager, account=shop, regions=["NA"])
        move(connection, south)
        assert AccountManager.objects.get().regions == ["NA"]
        advertiser.refresh_from_db()
        assert advertiser.parent == manager

    def test_links_of_a_copied_account_are_copied(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team
    ) -> None:
        connection, other = connect("alice"), connect("bob")
        manager, shop = new_account("manager", connection, other), new_account("shop", connection)
        shared = new_account("shared", connection, other)
        advertiser = new_account("advertiser", connection, parent=manager)
        for account in (shop, shared):
            AccountManager.objects.create(manager=manager, account=account, regions=["NA"])
        move(connection, south)
        links = AccountManager.objects.values_list(
            "manager__team__name", "account__team__name", "account__name"
        )
        assert set(links) == {
            ("South", "South", "shop"),
            ("South", "South", "shared"),
            ("Team of owner", "Team of owner", "shared"),
        }
        advertiser.refresh_from_db()
        assert advertiser.parent == read(south)["manager"]

    @pytest.mark.parametrize("has_it", [False, True])
    def test_nothing_is_linked_across_teams(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team, has_it: bool
    ) -> None:
        connection, other = connect("alice"), connect("bob")
        agency, manager = new_account("agency", connection), new_account("manager", other)
        if has_it:
            new_account("agency", connect("charlie", team=south))
        stays = new_account("advertiser", other, parent=agency)
        goes = new_account("another", connection, parent=manager)
        AccountManager.objects.create(manager=manager, account=agency, regions=["NA"])
        move(connection, south)
        stays.refresh_from_db()
        goes.refresh_from_db()
        assert (stays.parent, goes.parent) == (None, None)
        assert not AccountManager.objects.exists()


class TestSyncs:
    def test_a_sync_under_way_ends_and_another_one_is_due(
        self, connect: ConnectionFactory, south: Team
    ) -> None:
        connection = connect("alice", next_sync_at="2099-01-01T00:00:00Z")
        request_sync(SYSTEM, connection, trigger=SyncRun.Trigger.MANUAL)
        SyncRun.objects.update(state="running", started_at="2026-11-01T00:00:00Z")
        move(connection, south)
        ended = SyncRun.objects.get()
        assert (ended.state, ended.error) == ("failed", "The connection was moved to another team.")
        assert Connection.objects.filter(next_sync_at__lte=Now()).get() == connection

    @pytest.mark.parametrize("has_it", [False, True])
    def test_one_is_due_when_accounts_became_one(
        self, connect: ConnectionFactory, new_account: NewAccount, south: Team, has_it: bool
    ) -> None:
        connection = connect("alice", next_sync_at="2099-01-01T00:00:00Z")
        new_account("shop", connection)
        if has_it:
            new_account("shop", connect("bob", team=south))
        move(connection, south)
        assert Connection.objects.filter(pk=connection.pk, next_sync_at__lte=Now()).exists() == has_it

    async def test_a_run_that_was_claimed_before_the_move_writes_nothing_after_it(
        self, connect: ConnectionFactory, south: Team, transactional_db: None
    ) -> None:
        connection = await in_thread(connect)("alice")
        run = await in_thread(request_sync)(SYSTEM, connection, trigger=SyncRun.Trigger.MANUAL)
        claim = await in_thread(claim_run)(run.pk)
        # The move does not see a run that is claimed while it commits.
        await in_thread(Connection.objects.filter(pk=connection.pk).update)(team=south)

        def write() -> None:
            with pytest.raises(RunLostError), fence_run(claim):
                pytest.fail("It wrote into the old team.")

        await in_thread(write)()


class TestRefusal:
    def test_a_login_that_the_new_team_has_is_refused(self, connect: ConnectionFactory, south: Team) -> None:
        connection = connect("alice", amazon_user_id="amzn1.account.A")
        connect("alice", amazon_user_id="amzn1.account.A", team=south)
        with pytest.raises(MoveRefusedError, match="is connected in the team “South” already"):
            move(connection, south)
        assert Connection.objects.filter(team=south).count() == 1

    def test_a_login_that_ended_is_moved_to_its_team(self, connect: ConnectionFactory, south: Team) -> None:
        connection = connect("alice", amazon_user_id="amzn1.account.A")
        connect("alice", amazon_user_id="amzn1.account.A", team=south)
        disconnect_connection(SYSTEM, connection)
        move(connection, south)
        assert Connection.objects.filter(team=south).count() == 2

    def test_the_same_team_is_refused(self, connect: ConnectionFactory, owner: User) -> None:
        with pytest.raises(MoveRefusedError, match="already"):
            move(connect("alice"), team_of(owner))

    @pytest.mark.parametrize(
        ("old", "new", "missing"),
        [
            (Role.OPERATOR, Role.ADMINISTRATOR, "tokens.move_connection"),
            (Role.ADMINISTRATOR, Role.VIEWER, "tokens.connect_amazon"),
            (Role.ADMINISTRATOR, None, "tokens.connect_amazon"),
        ],
    )
    def test_both_teams_must_allow_it(
        self, connect: ConnectionFactory, south: Team, old: Role, new: Role | None, missing: str
    ) -> None:
        connection = connect("alice")
        carol = User.objects.create_user("carol", is_staff=True)
        join(carol, connection.team.name, old)
        if new is not None:
            join(carol, "South", new)
        with pytest.raises(PermissionDenied, match=missing):
            move_connection(carol, connection, south)
        assert not Connection.objects.filter(team=south).exists()


class TestPersonResponsible:
    @pytest.mark.parametrize("is_member", [True, False])
    def test_who_does_not_see_the_new_team_hands_over_to_who_moves(
        self, connect: ConnectionFactory, owner: User, south: Team, is_member: bool
    ) -> None:
        connection = connect("alice")
        carol = User.objects.create_user("carol", is_staff=True)
        join(carol, connection.team.name, Role.ADMINISTRATOR)
        join(carol, "South", Role.OPERATOR)
        if is_member:
            join(owner, "South", Role.VIEWER)
        move_connection(carol, connection, south)
        assert connection.owner == (owner if is_member else carol)

    def test_both_teams_read_the_move_in_their_trails(
        self, connect: ConnectionFactory, owner: User, south: Team
    ) -> None:
        connection = connect("alice")
        move(connection, south)
        for team in (team_of(owner), south):
            entry = AuditEntry.objects.get(action="connection.move", team_id=team.pk)
            assert (entry.team_name, entry.object_id) == (team.name, str(connection.pk))
            assert entry.before == {"team": str(team_of(owner).pk), "owner": owner.pk}
            assert entry.after == {"team": str(south.pk), "owner": owner.pk}
