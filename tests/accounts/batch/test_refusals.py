"""What a batch refuses: other people's batches, missing permissions, wrong states, reused keys."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from procrastinate.contrib.django.models import ProcrastinateJob
from rest_framework.test import APIClient

from accounts.batch import cancel_batch, retry_batch, start_batch, undo_batch
from accounts.batch.ending import BatchStateError
from accounts.batch.operations import PERMISSIONS
from accounts.batch.work import run_chunk
from accounts.errors import UnknownObjectError
from accounts.models import Account, BatchItem, BatchOperation
from tests.accounts.batch.batches import ids, results, run_to_end
from tests.accounts.conftest import AccountFactory, ClientFactory, person
from tests.teams import set_role
from tokens.people.roles import Role

BATCH = "/api/v1/accounts/batch/"


@pytest.fixture
def accounts(alice: User, new_account: AccountFactory) -> list[Account]:
    return [new_account(alice) for _ in range(4)]


@pytest.fixture
def batch(alice: User, accounts: list[Account]) -> BatchOperation:
    return start_batch(alice, "disconnect", account_ids=ids(*accounts))


def states(batch: BatchOperation) -> list[str]:
    return sorted(BatchItem.objects.filter(batch=batch).values_list("state", flat=True))


class TestWrongOwner:
    def test_accounts_of_another_person_are_not_found(
        self, alice: User, bob: User, accounts: list[Account], new_account: AccountFactory
    ) -> None:
        his = new_account(bob)
        with pytest.raises(UnknownObjectError, match=f"1 of 2 is not there, among them {his.pk}"):
            start_batch(alice, "disconnect", account_ids=ids(accounts[0], his))
        assert not BatchOperation.objects.exists()
        assert not ProcrastinateJob.objects.exists()

    def test_a_filter_chooses_only_own_accounts(
        self, bob: User, accounts: list[Account], new_account: AccountFactory
    ) -> None:
        his = new_account(bob)
        batch = run_to_end(start_batch(bob, "disconnect", filters={"status": "active"}))
        assert list(results(batch)) == [his.pk]
        assert Account.objects.filter(status="active").count() == len(accounts)

    def test_a_connection_of_another_person_is_not_found(self, bob: User, accounts: list[Account]) -> None:
        with pytest.raises(UnknownObjectError) as caught:
            start_batch(bob, "sync", filters={"connection": str(accounts[0].connection_id)})
        assert caught.value.message_dict == {"filter.connection": ["There is no such connection."]}

    @pytest.mark.parametrize("path", ["cancel/", "retry/"])
    def test_a_batch_of_another_person_is_not_found(
        self, bob: User, batch: BatchOperation, client_of: ClientFactory, path: str
    ) -> None:
        assert client_of(bob).post(f"{BATCH}{batch.pk}/{path}").status_code == 404
        assert states(batch) == ["waiting"] * 4

    def test_an_administrator_may_cancel_the_batch_of_another_person(
        self, admin: User, batch: BatchOperation, client_of: ClientFactory
    ) -> None:
        assert client_of(admin).post(f"{BATCH}{batch.pk}/cancel/").status_code == 200
        assert states(batch) == ["skipped"] * 4


class TestMissingPermission:
    @pytest.mark.parametrize("operation", PERMISSIONS)
    def test_a_person_who_may_only_look_starts_nothing(
        self, new_account: AccountFactory, operation: str, db: None
    ) -> None:
        viewer = person("viewer", "Viewer")
        account = new_account(viewer)
        options = {"sync_enabled": False} if operation == "update" else None
        with pytest.raises(PermissionDenied, match=PERMISSIONS[BatchOperation.Operation(operation)]):
            start_batch(viewer, operation, account_ids=ids(account), options=options)
        assert not BatchOperation.objects.exists()

    @pytest.mark.parametrize("operation", [cancel_batch, retry_batch, undo_batch])
    def test_a_person_who_lost_the_permission_does_not_change_a_batch(
        self, alice: User, batch: BatchOperation, operation: Callable[[User, BatchOperation], object]
    ) -> None:
        BatchItem.objects.filter(
            batch=batch, account=BatchItem.objects.earliest("account_id").account_id
        ).update(state="failed")
        alice = set_role(alice, Role.VIEWER)
        with pytest.raises(PermissionDenied, match=r"accounts\.disconnect_account"):
            operation(alice, batch)
        assert states(batch) == ["failed", "waiting", "waiting", "waiting"]

    def test_the_form_of_a_request_is_checked_before_the_permission(self, db: None) -> None:
        with pytest.raises(ValidationError):
            start_batch(person("viewer", "Viewer"), "delete", filters={})


class TestWrongState:
    def test_a_cancelled_batch_does_nothing_more(self, alice: User, batch: BatchOperation) -> None:
        run_chunk(batch.pk, max_accounts=1)
        cancelled = cancel_batch(alice, batch)
        assert (cancelled.state, cancelled.is_finished) == ("cancelled", True)
        assert not run_chunk(batch.pk)
        assert states(batch) == ["skipped", "skipped", "skipped", "succeeded"]
        assert Account.objects.filter(status="inactive").count() == 1

    @pytest.mark.parametrize("before", ["ended", "cancelled"])
    def test_a_batch_that_has_ended_is_not_cancelled(
        self, alice: User, batch: BatchOperation, before: str
    ) -> None:
        if before == "ended":
            run_to_end(batch)
        else:
            cancel_batch(alice, batch)
        with pytest.raises(BatchStateError, match="nothing waits any more"):
            cancel_batch(alice, batch)

    def test_a_batch_without_failed_items_is_not_retried(self, alice: User, batch: BatchOperation) -> None:
        for _ in ("waiting", "ended"):
            with pytest.raises(BatchStateError, match="No item of the operation has failed"):
                retry_batch(alice, batch)
            run_to_end(batch)

    def test_a_retry_repeats_only_the_failed_items(
        self, alice: User, batch: BatchOperation, accounts: list[Account]
    ) -> None:
        run_to_end(batch)
        versions = dict(Account.objects.values_list("pk", "updated_at"))
        failed = accounts[2]
        BatchItem.objects.filter(batch=batch, account=failed).update(state="failed", message="No.")
        Account.objects.filter(pk=failed.pk).update(status="active", inactive_reason=None)
        again = retry_batch(alice, batch)
        assert (again.state, again.finished_at, again.succeeded) == ("waiting", None, 0)
        assert run_to_end(batch).succeeded == 4
        assert results(batch)[failed.pk] == ("succeeded", "Disconnected.")
        changed = [
            pk for pk, version in Account.objects.values_list("pk", "updated_at") if versions[pk] != version
        ]
        assert changed == [failed.pk]


class TestIdempotencyKey:
    @pytest.mark.parametrize(
        "other",
        [
            {"operation": "reconnect"},
            {"options": {"sync_enabled": True}, "operation": "update"},
            {"account_ids": None, "filters": {}},
        ],
    )
    def test_a_key_of_another_request_is_refused(
        self, alice: User, accounts: list[Account], other: dict[str, Any]
    ) -> None:
        request: dict[str, Any] = {"operation": "disconnect", "account_ids": ids(*accounts)}
        start_batch(alice, **request, idempotency_key="key")
        with pytest.raises(ValidationError) as caught:
            start_batch(alice, **(request | other), idempotency_key="key")
        assert caught.value.message_dict == {"Idempotency-Key": ["It was used before, for another request."]}
        assert BatchOperation.objects.count() == 1

    def test_a_repeated_request_returns_the_batch_even_after_its_end(
        self, alice: User, accounts: list[Account]
    ) -> None:
        first = run_to_end(
            start_batch(alice, "disconnect", account_ids=ids(*accounts), idempotency_key="key")
        )
        Account.objects.filter(pk=accounts[0].pk).update(user=person("new owner", "Operator"))
        again = start_batch(alice, "disconnect", account_ids=ids(*accounts), idempotency_key="key")
        assert (again, again.state) == (first, "succeeded")

    def test_without_a_key_the_same_request_starts_another_batch(
        self, alice: User, accounts: list[Account]
    ) -> None:
        one, other = (start_batch(alice, "disconnect", account_ids=ids(*accounts)) for _ in range(2))
        assert one != other
        assert (run_to_end(one).succeeded, run_to_end(other).skipped) == (4, 4)

    def test_a_refused_request_leaves_its_key_free(self, alice: User, accounts: list[Account]) -> None:
        with pytest.raises(UnknownObjectError):
            start_batch(alice, "disconnect", account_ids=[uuid4()], idempotency_key="key")
        assert start_batch(alice, "disconnect", account_ids=ids(*accounts), idempotency_key="key").total == 4


class TestRequest:
    def test_all_errors_of_a_request_are_named_at_once(self, alice: User) -> None:
        with pytest.raises(ValidationError) as caught:
            start_batch(alice, "delete", idempotency_key="é")
        assert set(caught.value.message_dict) == {"operation", "account_ids", "Idempotency-Key"}

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ("x" * 50, f"“{'x' * 40}” is not the id of an account"),
            (7, "Each id must be a string"),
            ([], "a string"),
        ],
    )
    def test_a_wrong_id_is_shown(
        self, alice: User, accounts: list[Account], wrong: object, words: str
    ) -> None:
        with pytest.raises(ValidationError, match=words):
            start_batch(alice, "sync", account_ids=[str(accounts[0].pk), wrong])

    def test_an_id_may_be_given_once(self, alice: User, accounts: list[Account]) -> None:
        with pytest.raises(ValidationError, match="Each id may be given once"):
            start_batch(alice, "sync", account_ids=[accounts[0].pk, str(accounts[0].pk)])

    def test_the_answer_names_at_most_three_missing_ids(self, alice: User, accounts: list[Account]) -> None:
        unknown = [uuid4() for _ in range(5)]
        with pytest.raises(UnknownObjectError) as caught:
            start_batch(alice, "sync", account_ids=[*unknown, *ids(*accounts)])
        [text] = caught.value.message_dict["account_ids"]
        words, named = text.removesuffix(".").split(" them ")
        assert words == "5 of 9 are not there, among"
        assert len(set(named.split(", ")) & set(map(str, unknown))) == len(named.split(", ")) == 3

    def test_the_api_lists_batches_of_no_other_person(
        self, api: APIClient, bob: User, batch: BatchOperation, new_account: AccountFactory
    ) -> None:
        his = start_batch(bob, "disconnect", account_ids=ids(new_account(bob)))
        assert api.get(f"{BATCH}{batch.pk}/").status_code == 200
        assert api.get(f"{BATCH}{his.pk}/").status_code == 404
        assert api.get(f"{BATCH}{his.pk}/items/").status_code == 404
