"""Changing what people say about a connection."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError

from amazon_accounts.labels import MAX_LABELS
from tests.accounts.conftest import ConnectionFactory, new_connection, person
from tests.teams import set_role
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import forget_login
from tokens.connect.forms import ConnectionForm
from tokens.connect.update import update_connection
from tokens.models import AuditEntry, Connection
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.request_order import OvertakenError, take_request_number

__all__ = ["new_connection"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(db: None) -> User:
    return person("alice", "Operator")


@pytest.fixture
def connection(alice: User, new_connection: ConnectionFactory) -> Connection:
    return new_connection(alice, labels={"client": "acme", "old": "1"})


def test_labels_and_contact_are_changed_and_hidden_in_the_trail(alice: User, connection: Connection) -> None:
    changes = {"labels": {"tier": "1", "old": None}, "contact_email": " it@acme.example "}
    assert update_connection(alice, connection, changes).changed
    connection.refresh_from_db()
    assert connection.labels == {"client": "acme", "tier": "1"}
    assert connection.contact_email == "it@acme.example"
    entry = AuditEntry.objects.latest("pk")
    assert entry.after is not None
    assert set(entry.after["labels"]) == {"client", "tier"}
    assert "acme" not in f"{entry.before} {entry.after}"
    assert not update_connection(alice, connection, changes).changed
    assert AuditEntry.objects.latest("pk") == entry


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"labels": "client:acme"}, "labels"),
        ({"labels": {" client": "acme"}}, "labels"),
        ({"labels": {"client": 1}}, "labels"),
        ({"labels": {"client": "Atzr|IwEB-token"}}, "labels"),
        ({"labels": {str(number): "" for number in range(MAX_LABELS)}}, "labels"),
        ({"contact_email": "acme"}, "contact_email"),
        ({"contact_email": "it@acme.example\nBcc: all@acme.example"}, "contact_email"),
        ({"contact_email": "it@acme.example, all@acme.example"}, "contact_email"),
        ({"contact_email": f"{'x' * 64}@{'a.' * 100}example"}, "contact_email"),
        ({"contact_email": None}, "contact_email"),
        ({"paused": "true"}, "paused"),
        ({"paused": 1}, "paused"),
        ({"state": "active"}, "state"),
    ],
)
def test_a_wrong_change_is_refused(
    alice: User, connection: Connection, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as error:
        update_connection(alice, connection, changes)
    assert set(error.value.message_dict) == {field}
    assert "Atzr" not in str(error.value)
    assert Connection.objects.get().labels == {"client": "acme", "old": "1"}


def test_who_may_only_look_pauses_nothing(alice: User, connection: Connection) -> None:
    set_role(alice, Role.VIEWER)
    with pytest.raises(PermissionDenied):
        update_connection(alice, connection, {"paused": True})


def test_an_older_request_leaves_what_a_newer_one_has_changed(alice: User, connection: Connection) -> None:
    older = take_request_number().number
    update_connection(alice, connection, {"labels": {"client": "new"}, "paused": True})
    done = update_connection(
        alice, connection, {"labels": {"client": "late", "tier": "1"}, "paused": False}, number=older
    )
    assert done.overtaken == ["labels.client", "paused"]
    connection.refresh_from_db()
    assert (connection.labels, connection.paused) == ({"client": "new", "old": "1", "tier": "1"}, True)
    with pytest.raises(OvertakenError):
        update_connection(alice, connection, {"paused": False}, number=older)
    update_connection(alice, connection, {"paused": False}, number=take_request_number().number)
    connection.refresh_from_db()
    assert not connection.paused


def test_a_forgotten_login_has_no_contact_and_no_labels(alice: User, connection: Connection) -> None:
    update_connection(alice, connection, {"contact_email": "it@acme.example"})
    disconnect_connection(SYSTEM, connection)
    forget_login(SYSTEM, connection)
    assert (connection.contact_email, connection.labels) == ("", {})
    assert "acme" not in connection.search_text


def test_the_form_removes_the_labels_that_are_not_in_its_text(connection: Connection) -> None:
    given = {"label": "Garden", "regions": ["EU"], "labels": "client: acme\ntier: 1", "contact_email": ""}
    form = ConnectionForm(given, connection=connection)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["labels"] == {"client": "acme", "old": None, "tier": "1"}
    assert form.initial["labels"] == {"client": "acme", "old": "1"}
    assert "client: acme\nold: 1" in ConnectionForm(connection=connection).as_p()
    for wrong in ("client", "a: 1\na: 2", ": 1", "a: Atza|token"):
        form = ConnectionForm({**given, "labels": wrong}, connection=connection)
        assert "labels" in form.errors
        assert "Atza" not in form.as_p()


def test_a_form_of_an_earlier_version_leaves_labels_and_contact(connection: Connection) -> None:
    connection.contact_email = "it@acme.example"
    form = ConnectionForm({"label": "Garden", "regions": ["EU"]}, connection=connection)
    assert form.is_valid()
    assert form.cleaned_data["labels"] == {}
    assert form.cleaned_data["contact_email"] == "it@acme.example"
