"""What each queryset method returns and what it leaves out."""

from datetime import timedelta

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import (
    Account,
    AccountAccess,
    AccountChange,
    AccountManager,
    BatchItem,
    BatchOperation,
    Profile,
    SyncRun,
)
from accounts.models.batch import count_items
from accounts.models.changes import change_in_the_name_of
from tests.accounts.conftest import AccountFactory, ConnectionFactory
from tokens.permissions import KeyLimits, attach_limits

# A row of the test ends after it was created.
LATER = timezone.now() + timedelta(days=1)


class TestVisibleTo:
    def test_a_person_sees_the_accounts_of_the_team_and_their_parts(
        self, alice: User, bob: User, new_account: AccountFactory
    ) -> None:
        hers, his = new_account(alice), new_account(bob)
        for account in (hers, his):
            Profile.objects.create(account=account, profile_id="1")
            AccountChange.objects.create(account=account, kind="name")
        assert Account.objects.visible_to(alice).get() == hers
        for parts in (AccountAccess.objects, Profile.objects, AccountChange.objects):
            assert parts.visible_to(alice).get().account_id == hers.pk

    def test_a_person_sees_the_accounts_of_all_their_teams(
        self, alice: User, bob: User, admin: User, new_account: AccountFactory
    ) -> None:
        for user in (alice, bob):
            Profile.objects.create(account=new_account(user), profile_id="1")
        assert Account.objects.visible_to(admin).count() == 2
        assert Profile.objects.visible_to(admin).count() == 2

    def test_a_person_who_may_not_sign_in_sees_nothing(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        batch = BatchOperation.objects.create(user=alice, operation="sync", total=1)
        BatchItem.objects.create(batch=batch, account=account)
        alice.is_active = False
        for user in (alice, AnonymousUser()):
            for model in (Account, AccountAccess, BatchOperation, BatchItem):
                assert not model.objects.visible_to(user).exists()

    def test_a_link_is_visible_to_a_person_who_sees_both_accounts(
        self, alice: User, bob: User, admin: User, new_account: AccountFactory
    ) -> None:
        hers, also_hers, his = new_account(alice), new_account(alice), new_account(bob)
        own = AccountManager.objects.create(manager=hers, account=also_hers)
        AccountManager.objects.create(manager=hers, account=his)
        AccountManager.objects.create(manager=his, account=hers)
        assert AccountManager.objects.visible_to(alice).get() == own
        assert not AccountManager.objects.visible_to(bob).exists()
        assert AccountManager.objects.visible_to(admin).count() == 3

    def test_a_person_sees_own_batches_and_those_of_teams_and_items_of_accounts(
        self, alice: User, bob: User, admin: User, new_account: AccountFactory
    ) -> None:
        hers, his = new_account(alice), new_account(bob)

        def start(user: User | None, *accounts: Account) -> BatchOperation:
            batch = BatchOperation.objects.create(
                user=user, operation="sync", team_ids=sorted({account.team_id for account in accounts})
            )
            for account in accounts:
                BatchItem.objects.create(batch=batch, account=account)
            return batch

        own, of_bob, of_both, of_nobody = (
            start(alice, his),
            start(bob, hers),
            start(None, hers, his),
            start(None),
        )
        assert set(BatchOperation.objects.visible_to(alice)) == {own, of_bob}
        assert {item.account for item in BatchItem.objects.visible_to(alice)} == {hers}
        assert set(BatchOperation.objects.visible_to(admin)) == {own, of_bob, of_both}
        assert BatchItem.objects.visible_to(admin).count() == 4
        key = User.objects.get(pk=alice.pk)
        attach_limits(key, KeyLimits(role="viewer"))
        assert BatchOperation.objects.visible_to(key).get() == of_bob
        assert of_nobody not in BatchOperation.objects.visible_to(admin)


class TestUnfinished:
    def test_a_batch_is_unfinished_until_it_ends(self, alice: User) -> None:
        for state in BatchOperation.State:
            ended = None if state in {"waiting", "running"} else LATER
            BatchOperation.objects.create(user=alice, operation="sync", state=state, finished_at=ended)
        unfinished = BatchOperation.objects.unfinished()
        assert {batch.state for batch in unfinished} == {"waiting", "running"}
        assert not any(batch.is_finished for batch in unfinished)
        assert all(batch.is_finished for batch in BatchOperation.objects.exclude(pk__in=unfinished))

    def test_a_run_is_unfinished_until_it_ends(self, alice: User, new_connection: ConnectionFactory) -> None:
        connection = new_connection(alice)
        for state in SyncRun.State:
            SyncRun.objects.create(
                connection=connection, trigger="manual", state=state, started_at=timezone.now()
            )
        assert {run.state for run in SyncRun.objects.unfinished()} == {"waiting", "running"}


class TestCounts:
    def make_batch(self, user: User, new_account: AccountFactory, *states: str) -> BatchOperation:
        batch = BatchOperation.objects.create(
            user=user, operation="sync", total=len(states), state="running", started_at=timezone.now()
        )
        for state in states:
            BatchItem.objects.create(batch=batch, account=new_account(user), state=state)
        return batch

    def test_items_are_counted_by_state_for_each_batch(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        one = self.make_batch(alice, new_account, "waiting", "failed", "failed")
        other = self.make_batch(alice, new_account, "skipped")
        empty = self.make_batch(alice, new_account)
        zero = dict.fromkeys(BatchItem.State.values, 0)
        assert BatchItem.objects.count_by_state([one.pk, other.pk, empty.pk]) == {
            one.pk: zero | {"waiting": 1, "failed": 2},
            other.pk: zero | {"skipped": 1},
            empty.pk: zero,
        }

    def test_a_batch_that_was_not_asked_about_is_not_counted(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        one, _other = (self.make_batch(alice, new_account, "failed") for _ in range(2))
        assert list(BatchItem.objects.count_by_state([one.pk])) == [one.pk]

    def test_a_running_batch_is_counted_in_the_database(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        batch = self.make_batch(alice, new_account, "running", "succeeded")
        assert batch.known_counts is None
        assert batch.count_items() == {"waiting": 0, "running": 1, "succeeded": 1, "failed": 0, "skipped": 0}

    def test_a_batch_that_did_not_start_waits_with_all_items(self, alice: User) -> None:
        batch = BatchOperation.objects.create(user=alice, operation="sync", total=7)
        assert batch.count_items()["waiting"] == 7

    def test_a_batch_that_ended_knows_its_counts(self, alice: User) -> None:
        batch = BatchOperation.objects.create(
            user=alice, operation="sync", total=6, state="partial", succeeded=3, failed=2, skipped=1,
            started_at=timezone.now(), finished_at=LATER,
        )  # fmt: skip
        assert batch.count_items() == {"waiting": 0, "running": 0, "succeeded": 3, "failed": 2, "skipped": 1}

    def test_one_query_counts_all_running_batches(
        self, alice: User, new_account: AccountFactory, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        waiting = BatchOperation.objects.create(user=alice, operation="sync", total=1)
        running = [self.make_batch(alice, new_account, "failed") for _ in range(3)]
        with django_assert_num_queries(1):
            counts = count_items([waiting, *running])
        assert {batch.pk for batch in (waiting, *running)} == counts.keys()
        with django_assert_num_queries(0):
            assert count_items([waiting])[waiting.pk]["waiting"] == 1


class TestChanges:
    def test_a_change_names_the_person_of_the_transaction(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice, "old name")
        change_in_the_name_of(alice.pk)
        Account.objects.filter(pk=account.pk).update(name="new name")
        change = AccountChange.objects.get()
        assert (change.kind, change.old, change.new) == ("name", "old name", "new name")
        assert change.changed_by == alice

    def test_a_command_has_no_name(self, alice: User, new_account: AccountFactory) -> None:
        account = new_account(alice)
        change_in_the_name_of(alice.pk)
        change_in_the_name_of(None)
        Account.objects.filter(pk=account.pk).update(name="new name")
        assert AccountChange.objects.get().changed_by is None

    def test_the_name_is_forgotten_with_its_transaction(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        with transaction.atomic():
            change_in_the_name_of(alice.pk)
            transaction.set_rollback(True)
        Account.objects.filter(pk=account.pk).update(name="new name")
        assert AccountChange.objects.get().changed_by is None

    def test_a_new_account_and_a_repeated_value_are_no_changes(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        Account.objects.filter(pk=account.pk).update(name=account.name, labels={"a": "b"})
        assert not AccountChange.objects.exists()

    def test_a_changed_payment_method_names_its_profile(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        Profile.objects.create(account=new_account(alice), profile_id="7", valid_payment_method=True)
        Profile.objects.update(valid_payment_method=False)
        change = AccountChange.objects.get()
        assert (change.kind, change.profile_id, change.old, change.new) == ("payment", "7", True, False)
