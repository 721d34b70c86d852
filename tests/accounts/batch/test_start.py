"""Starting a batch: permission, ids or filter, idempotency, limits."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection as database
from django.db import transaction

from accounts.batch import start_batch
from accounts.batch.operations import PERMISSIONS
from accounts.batch.start import MIN_IDS_TO_SAMPLE
from accounts.errors import UnknownObjectError
from accounts.models import Account, BatchItem, BatchOperation
from tests.accounts.batch.batches import ids, run_to_end
from tests.accounts.conftest import AccountFactory
from tests.teams import set_role
from tokens.models import Connection
from tokens.people.roles import Role
from tokens.permissions import SYSTEM


class TestStart:
    def test_it_needs_the_permission_of_the_operation(self, alice: User, new_account: AccountFactory) -> None:
        account = new_account(alice)
        alice = set_role(alice, Role.VIEWER)
        for operation, permission in PERMISSIONS.items():
            options: dict[str, Any] | None = {"sync_enabled": True} if operation == "update" else None
            with pytest.raises(PermissionDenied, match=permission):
                start_batch(alice, operation, account_ids=ids(account), options=options)
        assert not BatchOperation.objects.exists()

    def test_a_command_needs_no_permission(self, alice: User, bob: User, new_account: AccountFactory) -> None:
        accounts = [new_account(alice), new_account(bob)]
        assert run_to_end(start_batch(SYSTEM, "disconnect", account_ids=ids(*accounts))).succeeded == 2

    def test_a_request_with_the_same_key_returns_the_same_batch(
        self, alice: User, bob: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        once, twice = (
            start_batch(alice, "sync", account_ids=[str(account.pk)], idempotency_key="k") for _ in range(2)
        )
        assert once == twice
        with pytest.raises(ValidationError) as caught:
            start_batch(alice, "disconnect", account_ids=[str(account.pk)], idempotency_key="k")
        assert set(caught.value.message_dict) == {"Idempotency-Key"}
        assert start_batch(bob, "sync", filters={}, idempotency_key="k") != once

    @pytest.mark.django_db(transaction=True)
    def test_two_requests_at_once_with_one_key_make_one_batch(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)

        def start() -> BatchOperation:
            return start_batch(alice, "sync", account_ids=ids(account), idempotency_key="k")

        with ThreadPoolExecutor(1) as other:
            with transaction.atomic():
                first = start()
                second = other.submit(in_own_connection(start))
                # The other thread has looked for the key, found nothing, and waits for our row.
                eventually(is_somebody_blocked)
            assert second.result() == first
        assert BatchOperation.objects.count() == 1
        assert BatchItem.objects.count() == 1

    def test_more_than_the_maximum_is_refused(self, alice: User, new_account: AccountFactory) -> None:
        accounts = [new_account(alice) for _ in range(3)]
        for chosen, words in (
            ({"filters": {}}, "more than 2 accounts"),
            ({"account_ids": ids(*accounts)}, "There must be 1 to 2 ids; there are 3"),
        ):
            with pytest.raises(ValidationError, match=words):
                start_batch(alice, "sync", max_items=2, **chosen)
        assert not BatchItem.objects.exists()

    def test_the_first_ids_of_a_long_list_are_checked_first(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        hers = new_account(alice)
        with pytest.raises(UnknownObjectError, match=r"99 of 100 are not there, among them"):
            start_batch(alice, "sync", account_ids=[hers.pk, *(uuid4() for _ in range(MIN_IDS_TO_SAMPLE))])

    def test_the_last_id_of_a_long_list_is_checked_too(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        hers = new_accounts_like(new_account(alice), MIN_IDS_TO_SAMPLE + 1)
        unknown = uuid4()
        with pytest.raises(UnknownObjectError, match=f"1 of 1,002 is not there, among them {unknown}"):
            start_batch(alice, "sync", account_ids=[*hers, unknown])
        with pytest.raises(ValidationError, match="Each id may be given once"):
            start_batch(alice, "sync", account_ids=[*hers, hers[0]])
        assert start_batch(alice, "sync", account_ids=hers).total == len(hers)


def new_accounts_like(account: Account, number: int) -> list[UUID]:
    return [
        created.pk
        for created in Account.objects.bulk_create(
            Account(
                team=account.team,
                user=account.user,
                connection=account.connection,
                source=account.source,
                status=account.status,
                amazon_account_id=f"copy-{each}",
            )
            for each in range(number)
        )
    ]


def in_own_connection(work: Callable[[], BatchOperation]) -> Callable[[], BatchOperation]:
    def run() -> BatchOperation:
        try:
            return work()
        finally:
            database.close()

    return run


def is_somebody_blocked() -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_items_are_in_the_order_of_the_accounts(alice: User, new_account: AccountFactory) -> None:
    for _ in range(5):
        new_account(alice)
    batch = start_batch(alice, "sync", filters={"status": ["active", "pending"]})
    listed = list(BatchItem.objects.filter(batch=batch).values_list("account_id", flat=True))
    assert all(one < other for one, other in pairwise(listed))
    assert Counter(BatchItem.objects.values_list("state", flat=True)) == {"waiting": 5}
    assert Connection.objects.count() == 1
