"""Batches that change accounts: disconnect, reconnect, update."""

import pytest
from django.contrib.auth.models import User

from accounts.batch import start_batch
from accounts.models import Account, AccountAccess
from tests.accounts.batch.batches import ids, results, run_to_end
from tests.accounts.conftest import AccountFactory


class TestDisconnect:
    def test_it_disconnects_and_skips_disconnected_accounts(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        active = new_account(alice)
        gone = new_account(alice, status="inactive", inactive_reason="not_visible")
        before = new_account(alice, status="inactive", inactive_reason="disconnected")
        batch = run_to_end(start_batch(alice, "disconnect", account_ids=ids(active, gone, before)))
        assert (batch.state, batch.succeeded, batch.failed, batch.skipped) == ("succeeded", 2, 0, 1)
        assert results(batch)[before.pk] == ("skipped", "It was disconnected before.")
        for account in (active, gone):
            version = account.updated_at
            account.refresh_from_db()
            assert (account.status, account.inactive_reason) == ("inactive", "disconnected")
            assert account.disconnected_at is not None
            assert account.updated_at > version

    def test_it_does_not_change_accounts_of_other_people(
        self, alice: User, bob: User, new_account: AccountFactory
    ) -> None:
        hers, his = new_account(alice), new_account(bob)
        run_to_end(start_batch(alice, "disconnect", filters={}))
        assert Account.objects.get(pk=his.pk).status == "active"
        assert Account.objects.get(pk=hers.pk).status == "inactive"


class TestReconnect:
    @pytest.mark.parametrize(
        ("word", "status", "reason"),
        [
            ("CREATED", "active", None),
            ("DISABLED", "inactive", "registration_failed"),
            ("PENDING", "pending", None),
            (None, "active", None),
            ("NEW", "unknown", None),
        ],
    )
    def test_the_status_follows_from_the_last_word_of_amazon(
        self, alice: User, new_account: AccountFactory, word: str | None, status: str, reason: str | None
    ) -> None:
        account = new_account(alice, amazon_status=word)
        run_to_end(start_batch(alice, "disconnect", account_ids=ids(account)))
        batch = run_to_end(start_batch(alice, "reconnect", account_ids=ids(account)))
        account.refresh_from_db()
        assert results(batch) == {account.pk: ("succeeded", "Reconnected.")}
        assert (account.status, account.inactive_reason, account.disconnected_at) == (status, reason, None)

    def test_an_account_that_no_connection_sees_stays_not_visible(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account, active = new_account(alice), new_account(alice)
        run_to_end(start_batch(alice, "disconnect", account_ids=ids(account)))
        AccountAccess.objects.filter(account=account).delete()
        batch = run_to_end(start_batch(alice, "reconnect", account_ids=ids(account, active)))
        account.refresh_from_db()
        assert account.inactive_reason == "not_visible"
        assert "no connection sees it now" in results(batch)[account.pk][1]
        assert results(batch)[active.pk] == ("skipped", "It was not disconnected here.")


class TestUpdate:
    def test_it_sets_and_removes_labels(self, alice: User, new_account: AccountFactory) -> None:
        one, another = new_account(alice, labels={"a": "1", "b": "2"}), new_account(alice)
        options = {"labels": {"a": None, "c": "3"}, "sync_enabled": False}
        run_to_end(start_batch(alice, "update", account_ids=ids(one, another), options=options))
        one.refresh_from_db()
        another.refresh_from_db()
        assert (one.labels, another.labels) == ({"b": "2", "c": "3"}, {"c": "3"})
        assert not one.sync_enabled

    def test_it_fails_for_accounts_that_would_have_too_many_labels(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        full = new_account(alice, labels={str(number): "" for number in range(64)})
        other = new_account(alice)
        options = {"labels": {"one more": ""}}
        batch = run_to_end(start_batch(alice, "update", account_ids=ids(full, other), options=options))
        assert (batch.state, batch.succeeded, batch.failed) == ("partial", 1, 1)
        assert results(batch)[full.pk] == ("failed", "It would have more than 64 labels.")
        full.refresh_from_db()
        assert len(full.labels) == 64
