"""Renewal links that are mailed to the contacts of connections."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.teams import set_role, team_of
from tests.tokens.conftest import new_connection
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.links import make_connect_link
from tokens.connect.renewals import find_newest_links, send_renewal_link
from tokens.models import Connection, ConnectLink
from tokens.people.roles import Role
from tokens.permissions import SYSTEM, System

pytestmark = pytest.mark.django_db

CONTACT = "ads@copperleaf.example"


@pytest.fixture
def connection(mara: User, settings: LazySettings) -> Connection:
    connection = new_connection(mara, settings, "Atzr|x")
    Connection.objects.filter(pk=connection.pk).update(contact_email=CONTACT, label="Copperleaf")
    return connection


def send(person: User | System, connection: Connection) -> ConnectLink:
    return send_renewal_link(person, connection, uuid4())


def test_the_link_waits_for_the_mail_to_the_contact(mara: User, connection: Connection) -> None:
    link = send(mara, connection)
    assert (link.connection, link.team, link.owner, link.label) == (
        connection,
        connection.team,
        mara,
        "Copperleaf",
    )
    assert (link.email, link.digest, link.mail) == (CONTACT, None, None)
    assert not ProcrastinateJob.objects.exists()


def test_the_language_of_the_last_link_to_the_contact_stays(mara: User, connection: Connection) -> None:
    make_connect_link(mara, connection.team, label="x", email=CONTACT.upper(), language="de")
    assert send(mara, connection).language == "de"


def test_the_system_sends_it_for_who_is_responsible(mara: User, connection: Connection) -> None:
    assert send(SYSTEM, connection).owner == mara


@pytest.mark.parametrize("reason", ["contact", "disconnected"])
def test_without_contact_or_consent_there_is_no_link_and_the_open_one_stays(
    mara: User, connection: Connection, reason: str
) -> None:
    if reason == "contact":
        Connection.objects.filter(pk=connection.pk).update(contact_email="")
    else:
        disconnect_connection(SYSTEM, connection)
    make_connect_link(mara, connection.team, label="x", connection=connection)
    with pytest.raises(ValidationError, match=reason):
        send(mara, connection)
    assert [link.state for link in ConnectLink.objects.all()] == ["open"]


def test_a_viewer_and_a_stranger_send_none(mara: User, connection: Connection) -> None:
    bob = User.objects.create_user("bob", is_staff=True)
    team_of(bob, Role.ADMINISTRATOR)
    for person in (set_role(mara, Role.VIEWER), bob):
        with pytest.raises(PermissionDenied):
            send(User.objects.get(pk=person.pk), connection)
    assert not ConnectLink.objects.exists()


def test_the_newest_link_is_found_for_who_sees_it(mara: User, connection: Connection) -> None:
    older = send(mara, connection)
    ConnectLink.objects.filter(pk=older.pk).update(created_at=Now() - timedelta(hours=1), ends_at=Now())
    newer = send(mara, connection)
    assert find_newest_links(mara, [connection.pk]) == {connection.pk: newer}
    assert find_newest_links(User.objects.create_user("bob"), [connection.pk]) == {}
