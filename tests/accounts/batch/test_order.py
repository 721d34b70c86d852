"""What was asked last wins for each field of each account, in whichever order the requests are carried out."""

from itertools import permutations, product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.db import connection as database
from rest_framework.test import APIClient

from accounts.batch import cancel_batch, retry_batch, start_batch
from accounts.batch.connections import OVERTAKEN
from accounts.batch.work import run_chunk
from accounts.models import Account, BatchItem, BatchOperation
from accounts.update import update_account
from tests.accounts.batch.batches import ids, refused_position, results, run_to_end
from tests.accounts.conftest import AccountFactory
from tokens.request_order import KEPT_NUMBERS, SEQUENCE

ACCOUNTS = 5
CHUNK = 2
# The account that the newer request changes: the first of the second chunk.
CHOSEN = 2

SKIPPED = ("skipped", OVERTAKEN)


def label_of(account: Account) -> str | None:
    team: str | None = Account.objects.get(pk=account.pk).labels.get("team")
    return team


def label(user: User, team: str, *accounts: Account) -> BatchOperation:
    options = {"labels": {"team": team}}
    if accounts:
        return start_batch(user, "update", account_ids=ids(*accounts), options=options)
    return start_batch(user, "update", filters={}, options=options)


@pytest.fixture
def accounts(alice: User, new_account: AccountFactory) -> list[Account]:
    return [new_account(alice) for _ in range(ACCOUNTS)]


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("chunks", range(4))
def test_a_batch_of_one_account_wins_over_an_older_batch_of_all(
    alice: User, accounts: list[Account], chunks: int, is_late: bool
) -> None:
    north = label(alice, "north")
    for _ in range(chunks):
        run_chunk(north.pk, max_accounts=CHUNK)
    south = label(alice, "south", accounts[CHOSEN])
    for batch in [north, south] if is_late else [south, north]:
        run_to_end(batch, max_accounts=CHUNK)
    assert [label_of(account) for account in accounts] == ["north", "north", "south", "north", "north"]
    assert results(south)[accounts[CHOSEN].pk] == ("succeeded", "Updated.")
    was_first = chunks > 1 or is_late
    assert results(north)[accounts[CHOSEN].pk] == (("succeeded", "Updated.") if was_first else SKIPPED)
    assert BatchOperation.objects.get(pk=north.pk).state == "succeeded"


@pytest.mark.parametrize("chunks", range(4))
def test_a_patch_wins_over_an_older_batch(
    alice: User, api: APIClient, accounts: list[Account], chunks: int
) -> None:
    north = label(alice, "north")
    for _ in range(chunks):
        run_chunk(north.pk, max_accounts=CHUNK)
    body = {"labels": {"team": "south"}}
    answer = api.patch(f"/api/v1/accounts/{accounts[CHOSEN].pk}/", body, format="json")
    assert answer.json()["labels"] == {"team": "south"}
    run_to_end(north, max_accounts=CHUNK)
    assert [label_of(account) for account in accounts] == ["north", "north", "south", "north", "north"]


def test_a_change_of_the_default_account_takes_no_number(alice: User, accounts: list[Account]) -> None:
    # No batch changes it, so the order of requests is the order of their locks.
    for _ in range(2):
        update_account(alice, accounts[0].pk, {"is_default": True})
    assert Account.objects.get(pk=accounts[0].pk).request_numbers == {}


def test_a_batch_wins_over_an_older_patch(alice: User, accounts: list[Account]) -> None:
    update_account(alice, accounts[CHOSEN].pk, {"labels": {"team": "south"}})
    run_to_end(label(alice, "north"))
    assert label_of(accounts[CHOSEN]) == "north"


def test_a_chunk_that_is_done_again_after_a_kill_leaves_what_is_newer(
    alice: User, accounts: list[Account]
) -> None:
    north = label(alice, "north")
    run_chunk(north.pk, max_accounts=CHUNK)
    with refused_position(), pytest.raises(DatabaseError, match="killed in the middle"):
        run_chunk(north.pk, max_accounts=CHUNK)
    run_to_end(label(alice, "south", accounts[0], accounts[CHOSEN]))
    run_to_end(north, max_accounts=CHUNK)
    assert [label_of(account) for account in accounts] == ["south", "north", "south", "north", "north"]


def test_a_newer_request_for_another_field_hides_nothing(alice: User, accounts: list[Account]) -> None:
    north = label(alice, "north")
    update_account(alice, accounts[0].pk, {"labels": {"brand": "x"}, "sync_enabled": False})
    run_to_end(north)
    assert Account.objects.get(pk=accounts[0].pk).labels == {"brand": "x", "team": "north"}


def test_a_removed_label_stays_removed(alice: User, accounts: list[Account]) -> None:
    north = label(alice, "north")
    run_to_end(label(alice, "south", accounts[0]))
    update_account(alice, accounts[0].pk, {"labels": {"team": None}})
    run_to_end(start_batch(alice, "update", account_ids=ids(accounts[1]), options={"labels": {"team": None}}))
    run_to_end(north)
    assert [label_of(account) for account in accounts[:3]] == [None, None, "north"]


def test_a_value_that_the_account_had_already_counts_as_asked(alice: User, accounts: list[Account]) -> None:
    run_to_end(label(alice, "south"))
    versions = dict(Account.objects.values_list("pk", "updated_at"))
    north = label(alice, "north")
    run_to_end(label(alice, "south", accounts[0]))
    update_account(alice, accounts[1].pk, {"labels": {"team": "south"}})
    assert dict(Account.objects.values_list("pk", "updated_at")) == versions
    run_to_end(north)
    assert [label_of(account) for account in accounts[:3]] == ["south", "south", "north"]


def test_a_batch_says_what_a_newer_request_changed(alice: User, accounts: list[Account]) -> None:
    options: dict[str, Any] = {"labels": {"team": "north", "brand": "x"}, "sync_enabled": False}
    old = start_batch(alice, "update", filters={}, options=options)
    update_account(alice, accounts[0].pk, {"labels": {"team": "south"}, "sync_enabled": True})
    update_account(alice, accounts[1].pk, {"labels": {"team": "south", "brand": "y"}, "sync_enabled": True})
    run_to_end(old)
    found = results(old)
    assert found[accounts[0].pk] == (
        "succeeded",
        "Updated, except for what a newer request changed: labels.team, sync_enabled.",
    )
    assert found[accounts[1].pk] == SKIPPED
    first = Account.objects.get(pk=accounts[0].pk)
    assert (first.labels, first.sync_enabled) == ({"team": "south", "brand": "x"}, True)
    assert (old.succeeded, old.skipped) == (4, 1)


def test_a_label_named_like_a_field_is_not_mixed_up_with_it(alice: User, accounts: list[Account]) -> None:
    old = start_batch(alice, "update", filters={}, options={"sync_enabled": False})
    gone = start_batch(alice, "disconnect", account_ids=ids(accounts[0]))
    update_account(alice, accounts[0].pk, {"labels": {"sync_enabled": "x", "connected": "x"}})
    run_to_end(old)
    run_to_end(gone)
    first = Account.objects.get(pk=accounts[0].pk)
    assert (first.sync_enabled, first.status) == (False, "inactive")


@pytest.mark.parametrize(
    ("operations", "order"), [*product(["drd", "rdr"], permutations(range(3))), ("drdr", (0, 2, 1, 3))]
)
def test_the_last_of_disconnect_and_reconnect_wins(
    alice: User, new_account: AccountFactory, operations: str, order: tuple[int, ...]
) -> None:
    account = new_account(alice)
    names = {"d": "disconnect", "r": "reconnect"}
    batches = [start_batch(alice, names[letter], account_ids=ids(account)) for letter in operations]
    for place in order:
        run_to_end(batches[place])
    account.refresh_from_db()
    assert account.status == ("inactive" if operations[-1] == "d" else "active")
    # A request that is carried out after a newer request says why it changed nothing.
    for number, place in enumerate(order):
        is_overtaken = any(newer > place for newer in order[:number])
        assert (results(batches[place])[account.pk] == SKIPPED) == is_overtaken


def test_a_retry_is_a_new_request_for_what_failed_alone(alice: User, accounts: list[Account]) -> None:
    north = label(alice, "north")
    run_chunk(north.pk, max_accounts=CHUNK)
    BatchItem.objects.filter(batch=north, account=accounts[0]).update(state="failed")
    run_to_end(label(alice, "south", accounts[0], accounts[-1]))
    # The retry is newer than the second batch. What waits in the first batch is older all the same.
    run_to_end(retry_batch(alice, north), max_accounts=CHUNK)
    assert [label_of(account) for account in accounts] == ["north"] * 4 + ["south"]
    assert results(north)[accounts[-1].pk] == SKIPPED


def test_an_update_that_failed_hides_no_older_request(alice: User, new_account: AccountFactory) -> None:
    full = new_account(alice, labels={str(number): "" for number in range(63)})
    north = label(alice, "north")
    failed = start_batch(alice, "update", filters={}, options={"labels": {"team": "x", "brand": "x"}})
    assert run_to_end(failed).state == "failed"
    run_to_end(north)
    assert label_of(full) == "north"


def test_a_cancelled_request_hides_no_older_request(alice: User, accounts: list[Account]) -> None:
    north = label(alice, "north")
    south = label(alice, "south")
    run_chunk(south.pk, max_accounts=CHUNK)
    cancel_batch(alice, south)
    run_to_end(north)
    assert [label_of(account) for account in accounts] == ["south"] * 2 + ["north"] * 3


def test_a_repeated_request_with_the_same_key_is_no_newer_request(
    alice: User, accounts: list[Account]
) -> None:
    def ask() -> BatchOperation:
        options = {"labels": {"team": "north"}}
        return start_batch(alice, "update", filters={}, options=options, idempotency_key="one")

    north = ask()
    run_to_end(label(alice, "south", accounts[0]))
    assert ask() == north
    run_to_end(north)
    assert label_of(accounts[0]) == "south"


def pass_numbers() -> None:
    with database.cursor() as cursor:
        cursor.execute(f"SELECT setval('{SEQUENCE}', nextval('{SEQUENCE}') + %s)", [KEPT_NUMBERS])


def test_numbers_that_no_unfinished_request_needs_are_forgotten(
    alice: User, new_account: AccountFactory
) -> None:
    patched, done = new_account(alice), new_account(alice)

    def number(name: str) -> list[set[str]]:
        update_account(alice, patched.pk, {"labels": {name: None}})
        options = {"labels": {name: None}}
        run_to_end(start_batch(alice, "update", account_ids=ids(done), options=options))
        return [set(fields) for (fields,) in Account.objects.order_by("pk").values_list("request_numbers")]

    number("a")
    pass_numbers()
    assert number("b") == [{"labels.b"}] * 2
    waiting = label(alice, "north")
    number("c")
    pass_numbers()
    assert number("d") == [{"labels.c", "labels.d"}] * 2
    run_to_end(waiting)
    pass_numbers()
    assert number("e") == [{"labels.e"}] * 2
