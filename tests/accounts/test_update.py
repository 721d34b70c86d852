"""Which changes of an account are accepted, and what they do."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.batch import start_batch
from accounts.models import Account
from accounts.update import (
    CHANGEABLE,
    VersionConflictError,
    check_changes,
    update_account,
)
from amazon_accounts.labels import LABEL_NAME, MAX_LABEL_LENGTH, MAX_LABELS
from amazon_accounts.postgresql.clock import database_now
from tests.accounts.batch.batches import ids, run_to_end
from tests.accounts.conftest import AccountFactory, person

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def errors_of(changes: object) -> dict[str, list[str]]:
    try:
        check_changes(changes, CHANGEABLE)
    except ValidationError as error:
        return error.message_dict
    return {}


@given(JSON)
def test_any_json_is_accepted_unchanged_or_refused(changes: object) -> None:
    errors = errors_of(changes)
    assert errors or check_changes(changes, CHANGEABLE) == changes


@given(st.dictionaries(st.text(max_size=300), st.none() | st.text(max_size=300), max_size=4))
def test_accepted_labels_can_be_read_and_typed(labels: dict[str, str | None]) -> None:
    errors = errors_of({"labels": labels})
    assert list(errors) in ([], ["labels"])
    if errors:
        return
    for name, value in labels.items():
        assert LABEL_NAME.fullmatch(name)
        assert name == name.strip()
        assert max(len(name), len(value or "")) <= MAX_LABEL_LENGTH


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"labels": {str(number): "x" for number in range(MAX_LABELS + 1)}}, "labels"),
        ({"labels": {"a": 1}}, "labels"),
        ({"labels": {" a": "x"}}, "labels"),
        ({"labels": {"a": "\0"}}, "labels"),
        ({"labels": {"a": "x" * (MAX_LABEL_LENGTH + 1)}}, "labels"),
        ({"labels": {"a": "Atzr|IwEB-token"}}, "labels"),
        ({"labels": {"Atza%7CIwEB-token": None}}, "labels"),
        ({"labels": []}, "labels"),
        ({"is_default": 1}, "is_default"),
        ({"sync_enabled": None}, "sync_enabled"),
        ({"name": "x"}, "name"),
    ],
)
def test_a_wrong_change_is_named_by_its_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as raised:
        check_changes(changes, CHANGEABLE)
    assert list(raised.value.message_dict) == [field]
    with pytest.raises(ValidationError) as raised:
        check_changes(changes, CHANGEABLE, within="options")
    assert list(raised.value.message_dict) == [f"options.{field}"]


@pytest.mark.usefixtures("wrong_clock")
def test_a_change_has_the_time_of_the_database(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice, updated_at=database_now() - timedelta(minutes=1))
    update_account(alice, account.pk, {"sync_enabled": False})
    account.refresh_from_db()
    assert abs(account.updated_at - database_now()) < timedelta(seconds=20)


def test_the_version_grows_when_the_clock_of_the_database_was_set_back(
    alice: User, new_account: AccountFactory
) -> None:
    later = database_now() + timedelta(hours=1)
    account = new_account(alice, updated_at=later)
    update_account(alice, account.pk, {"sync_enabled": False}, versions=[later])
    account.refresh_from_db()
    assert account.updated_at == later + timedelta(microseconds=1)


# Few names, so that labels of the account and of the change often meet.
NAMES = st.sampled_from(["team", "tier", "Größe", "a"])
LABELS = st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["C"]), max_size=5))
LABEL_CHANGES = st.dictionaries(
    NAMES, st.none() | st.text(st.characters(exclude_categories=["C"]), max_size=5)
)


def merge(labels: dict[str, str], changes: dict[str, str | None]) -> dict[str, str]:
    """The model of a change of labels: a text sets a label, None removes it."""
    merged: dict[str, Any] = {**labels, **changes}
    return {name: value for name, value in merged.items() if value is not None}


# The fixtures are made once for all examples; each example sets the labels itself.
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=LABELS, changes=LABEL_CHANGES)
def test_labels_of_one_account_are_merged(
    alice: User, new_account: AccountFactory, labels: dict[str, str], changes: dict[str, str | None]
) -> None:
    account = new_account(alice, labels=labels)
    update_account(alice, account.pk, {"labels": changes})
    account.refresh_from_db()
    assert account.labels == merge(labels, changes)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=LABELS, changes=LABEL_CHANGES.filter(bool))
def test_a_batch_merges_labels_as_the_update_of_one_account_does(
    alice: User, new_account: AccountFactory, labels: dict[str, str], changes: dict[str, str | None]
) -> None:
    account = new_account(alice, labels=labels)
    run_to_end(start_batch(alice, "update", account_ids=ids(account), options={"labels": changes}))
    version = account.updated_at
    account.refresh_from_db()
    assert account.labels == merge(labels, changes)
    assert (account.updated_at > version) == (account.labels != labels)


class TestUpdateAccount:
    def test_an_account_of_another_person_does_not_exist(
        self, alice: User, bob: User, new_account: AccountFactory
    ) -> None:
        account = new_account(bob)
        with pytest.raises(Account.DoesNotExist):
            update_account(alice, account.pk, {"labels": {"a": "b"}})
        with pytest.raises(Account.DoesNotExist):
            update_account(alice, account.pk, {"is_default": True})
        account.refresh_from_db()
        assert (account.labels, account.is_default) == ({}, False)

    def test_a_person_who_may_only_look_changes_nothing(self, new_account: AccountFactory, db: None) -> None:
        viewer = person("viewer", "Viewer")
        account = new_account(viewer)
        with pytest.raises(PermissionDenied, match=r"accounts\.update_account"):
            update_account(viewer, account.pk, {"sync_enabled": False})
        account.refresh_from_db()
        assert account.sync_enabled

    def test_an_account_that_changed_since_it_was_read_is_not_changed(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        read = account.updated_at
        update_account(alice, account.pk, {"sync_enabled": False}, versions=[read])
        with pytest.raises(VersionConflictError):
            update_account(alice, account.pk, {"sync_enabled": True}, versions=[read])
        account.refresh_from_db()
        assert not account.sync_enabled
        update_account(alice, account.pk, {"sync_enabled": True}, versions=[read, account.updated_at])

    def test_values_that_the_account_has_already_leave_its_version(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice, labels={"a": "b"})
        update_account(alice, account.pk, {"labels": {"a": "b", "c": None}, "sync_enabled": True})
        assert Account.objects.get().updated_at == account.updated_at

    def test_the_version_grows_when_the_clock_is_behind(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        future = timezone.now() + timedelta(hours=1)
        account = new_account(alice, updated_at=future)
        update_account(alice, account.pk, {"sync_enabled": False})
        assert Account.objects.get().updated_at == future + timedelta(microseconds=1)

    def test_a_new_default_ends_the_old_default_of_the_same_person(
        self, alice: User, bob: User, new_account: AccountFactory
    ) -> None:
        old, new, his = (
            new_account(alice, is_default=True), new_account(alice), new_account(bob, is_default=True),
        )  # fmt: skip
        update_account(alice, new.pk, {"is_default": True})
        assert set(Account.objects.filter(is_default=True)) == {new, his}
        assert Account.objects.get(pk=old.pk).updated_at > old.updated_at
        update_account(alice, new.pk, {"is_default": False})
        assert set(Account.objects.filter(is_default=True)) == {his}

    def test_more_labels_than_an_account_may_have_are_refused(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        labels = {str(number): "" for number in range(MAX_LABELS)}
        account = new_account(alice, labels=labels)
        with pytest.raises(ValidationError, match="at most 64 labels"):
            update_account(alice, account.pk, {"labels": {"one more": ""}})
        update_account(alice, account.pk, {"labels": {"one more": "", "0": None}})
        account.refresh_from_db()
        assert len(account.labels) == MAX_LABELS

    @pytest.mark.parametrize("changes", [None, [], "labels", 1])
    def test_changes_that_are_no_object_are_refused(
        self, alice: User, new_account: AccountFactory, changes: object
    ) -> None:
        with pytest.raises(ValidationError, match="It must be an object with any of: labels, is_default"):
            update_account(alice, new_account(alice).pk, changes)
