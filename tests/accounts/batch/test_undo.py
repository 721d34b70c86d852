"""Undoing a batch of labels: they come back where they still are as the batch left them."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.batch import retry_batch, start_batch, undo_batch
from accounts.batch.ending import BatchStateError
from accounts.batch.work import FORGOTTEN
from accounts.models import Account, BatchOperation
from accounts.update import update_account
from tests.accounts.batch.batches import ids, results, run_to_end
from tests.accounts.conftest import AccountFactory
from tokens.models import AuditEntry, Event

Q4 = {"season": "Q4"}
UNDONE = ("succeeded", "Undone.")


def label(user: User, labels: dict[str, str | None], *accounts: Account, **options: Any) -> BatchOperation:
    options["labels"] = labels
    return run_to_end(start_batch(user, "update", account_ids=ids(*accounts), options=options))


def labels_of(account: Account) -> dict[str, str]:
    account.refresh_from_db()
    return dict(account.labels)


def test_set_replaced_and_removed_labels_are_as_before(alice: User, new_account: AccountFactory) -> None:
    former: list[dict[str, str]] = [{}, {"season": "Q3", "tier": "A"}, {"client": "acme"}]
    accounts = [new_account(alice, labels=labels) for labels in former]
    undo = run_to_end(undo_batch(alice, label(alice, {**Q4, "tier": None}, *accounts)), max_accounts=2)
    assert [labels_of(account) for account in accounts] == former
    assert (undo.operation, undo.state, undo.succeeded) == ("undo", "succeeded", 3)
    assert set(results(undo).values()) == {UNDONE}


def test_an_account_of_which_no_label_changed_has_no_part_in_it(
    alice: User, new_account: AccountFactory
) -> None:
    same, other = new_account(alice, labels=Q4), new_account(alice)
    undo = run_to_end(undo_batch(alice, label(alice, {**Q4}, same, other)))
    assert results(undo) == {other.pk: UNDONE}
    assert labels_of(same) == Q4


def test_the_sync_of_the_accounts_stays_as_it_is(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice)
    run_to_end(undo_batch(alice, label(alice, {**Q4}, account, sync_enabled=False)))
    assert labels_of(account) == {}
    assert not account.sync_enabled


@pytest.mark.parametrize("is_late", [False, True])
def test_what_was_changed_since_stays_and_is_named(
    alice: User, new_account: AccountFactory, is_late: bool
) -> None:
    whole, part = new_account(alice), new_account(alice)
    batch = label(alice, {**Q4, "tier": "A"}, whole, part)

    def change() -> None:
        update_account(alice, whole.pk, {"labels": {"season": None, "tier": "B"}})
        update_account(alice, part.pk, {"labels": {"season": "Q1"}})

    if not is_late:
        change()
    undo = undo_batch(alice, batch)
    if is_late:
        change()
    assert results(run_to_end(undo)) == {
        whole.pk: ("skipped", "It was changed since: season, tier."),
        part.pk: ("succeeded", "Undone, except for what was changed since: season."),
    }
    assert (labels_of(whole), labels_of(part)) == ({"tier": "B"}, {"season": "Q1"})


def test_a_newer_request_for_the_same_label_wins(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice)
    undo = undo_batch(alice, label(alice, {**Q4}, account))
    label(alice, {**Q4}, account)
    assert results(run_to_end(undo)) == {account.pk: ("skipped", "It was changed since: season.")}
    assert labels_of(account) == Q4


def test_an_older_request_that_still_waits_does_not_change_what_was_undone(
    alice: User, new_account: AccountFactory
) -> None:
    account = new_account(alice)
    older = start_batch(alice, "update", filters={}, options={"labels": {"season": "Q1"}})
    run_to_end(undo_batch(alice, label(alice, {**Q4}, account)))
    run_to_end(older)
    assert labels_of(account) == {}


def test_it_fails_for_an_account_that_would_have_too_many_labels(
    alice: User, new_account: AccountFactory
) -> None:
    full = new_account(alice, labels={str(number): "" for number in range(64)})
    batch = label(alice, {"0": None}, full)
    label(alice, {"one more": ""}, full)
    undo = run_to_end(undo_batch(alice, batch))
    assert results(undo) == {full.pk: ("failed", "It would have more than 64 labels.")}
    label(alice, {"one more": None}, full)
    assert run_to_end(retry_batch(alice, undo)).state == "succeeded"
    assert "0" in labels_of(full)


def test_an_account_whose_former_labels_are_pruned_is_skipped(
    alice: User, new_account: AccountFactory
) -> None:
    account = new_account(alice)
    batch = label(alice, {**Q4}, account)
    undo = undo_batch(alice, batch)
    batch.delete()
    assert results(run_to_end(undo)) == {account.pk: ("skipped", FORGOTTEN)}


def test_it_is_refused_when_there_is_nothing_to_undo(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice)
    done = label(alice, {**Q4}, account)
    again = label(alice, {**Q4}, account)
    undo = run_to_end(undo_batch(alice, done))
    refused = {"undone already": done, "changed no label": again, "Only an update": undo}
    for words, batch in refused.items():
        with pytest.raises(BatchStateError, match=words):
            undo_batch(alice, batch)
    assert BatchOperation.objects.filter(operation="undo").get() == undo


def test_a_batch_that_has_not_ended_is_not_undone(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice)
    batch = start_batch(alice, "update", account_ids=ids(account), options={"labels": Q4})
    with pytest.raises(BatchStateError, match="has not ended"):
        undo_batch(alice, batch)


def test_the_audit_trail_and_the_event_name_it(alice: User, new_account: AccountFactory) -> None:
    batch = label(alice, {**Q4}, new_account(alice))
    undo = run_to_end(undo_batch(alice, batch))
    entry = AuditEntry.objects.get(action="batch.start", object_id=str(undo.pk))
    assert entry.after == {
        "operation": "undo",
        "options": {"undoes": str(batch.pk)},
        "filtered_by": None,
        "accounts": 1,
    }
    event = Event.objects.get(type="batch.ended", object_id=undo.pk)
    assert (event.data["batch"]["operation"], event.data["batch"]["succeeded"]) == ("undo", 1)
