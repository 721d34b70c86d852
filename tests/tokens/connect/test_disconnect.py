"""Disconnecting erases the stored tokens and keeps everything else."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied

from tests.tokens.conftest import ConnectionFactory
from tokens.connect.disconnect import disconnect_connection
from tokens.models import Connection
from tokens.permissions import SYSTEM
from tokens.signals import connection_changed

pytestmark = pytest.mark.django_db


@pytest.fixture
def changes() -> Iterator[list[str]]:
    received: list[str] = []

    def listener(change: str, **_: object) -> None:
        received.append(change)

    connection_changed.connect(listener)
    yield received
    connection_changed.disconnect(listener)


@pytest.fixture
def operator(alice: User) -> User:
    alice.user_permissions.add(Permission.objects.get(codename="disconnect_connection"))
    return User.objects.get(pk=alice.pk)


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
