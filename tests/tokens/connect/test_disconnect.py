"""Disconnecting erases the stored tokens and keeps everything else."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now

from amazon_accounts.postgresql.clock import database_now
from tests.teams import set_role
from tests.tokens.conftest import ConnectionFactory, new_connection
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Connection
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(alice: User) -> User:
    return set_role(alice, Role.ADMINISTRATOR)


def test_the_tokens_are_erased(connect: ConnectionFactory, operator: User) -> None:
    connection = connect(lease_id=uuid4())
    assert disconnect_connection(operator, connection)
    stored = Connection.objects.get()
    assert stored.state == Connection.State.DISCONNECTED
    assert (stored.access_token, stored.refresh_token, stored.expires_at) == (None, None, None)
    assert (stored.next_refresh_at, stored.lease_id) == (None, None)


def test_the_person_and_the_time_are_kept(connect: ConnectionFactory, operator: User) -> None:
    connection = connect()
    disconnect_connection(operator, connection)
    assert connection.disconnected_by == operator
    assert connection.disconnected_at is not None
    assert connection.label == "Garden shop"


@pytest.mark.usefixtures("wrong_clock")
def test_a_wrong_clock_of_the_process_writes_no_wrong_time(alice: User, settings: LazySettings) -> None:
    connection = new_connection(alice, settings, "Atzr|bob", created_at=Now())
    disconnect_connection(SYSTEM, connection)
    assert connection.disconnected_at is not None
    assert abs(connection.disconnected_at - database_now()) < timedelta(seconds=20)


def test_the_system_may_disconnect(connect: ConnectionFactory) -> None:
    connection = connect()
    assert disconnect_connection(SYSTEM, connection)
    assert connection.disconnected_by is None


def test_a_person_needs_the_permission(connect: ConnectionFactory, alice: User, changes: list[str]) -> None:
    connection = connect()
    with pytest.raises(PermissionDenied, match=r"tokens\.disconnect_connection"):
        disconnect_connection(alice, connection)
    assert Connection.objects.get().state == Connection.State.ACTIVE
    assert changes == []


def test_disconnecting_twice_changes_nothing(connect: ConnectionFactory, changes: list[str]) -> None:
    connection = connect()
    assert disconnect_connection(SYSTEM, connection)
    first = Connection.objects.get().disconnected_at
    assert not disconnect_connection(SYSTEM, connection)
    assert Connection.objects.get().disconnected_at == first
    assert changes == ["disconnected"]


def test_a_broken_connection_may_be_disconnected(connect: ConnectionFactory) -> None:
    connection = connect(state="reauthorization_required", next_refresh_at=None)
    assert disconnect_connection(SYSTEM, connection)
    assert Connection.objects.get().state == Connection.State.DISCONNECTED
