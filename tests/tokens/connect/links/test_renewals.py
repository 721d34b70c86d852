"""Renewal links that are mailed to the contacts of connections."""

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.teams import set_role, team_of
from tests.tokens.conftest import new_connection
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.links import make_connect_link, write_mail
from tokens.connect.renewals import find_newest_links, send_renewal_link
from tokens.models import AuditEntry, Connection, ConnectLink
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db

CONTACT = "ads@copperleaf.example"


@pytest.fixture
def connection(mara: User, settings: LazySettings) -> Connection:
    connection = new_connection(mara, settings, "Atzr|x")
    Connection.objects.filter(pk=connection.pk).update(contact_email=CONTACT, label="Copperleaf")
    return connection


def test_the_contact_gets_a_link_that_renews_the_connection(mara: User, connection: Connection) -> None:
    link = send_renewal_link(mara, connection)
    assert (link.connection, link.team, link.owner, link.label) == (
        connection,
        connection.team,
        mara,
        "Copperleaf",
    )
    assert ProcrastinateJob.objects.get(task_name="tokens.mail_connect_link").args["link_id"] == str(link.pk)
    message = write_mail(link, "token")
    assert message.to == [CONTACT]
    assert "renew" in message.subject


def test_the_open_link_before_it_ends_and_its_language_stays(mara: User, connection: Connection) -> None:
    older, _ = make_connect_link(
        mara, connection.team, label="x", connection=connection, email=CONTACT, language="de"
    )
    unrelated, _ = make_connect_link(mara, connection.team, label="x")
    newer = send_renewal_link(mara, connection)
    states = {link.pk: str(link.state) for link in ConnectLink.objects.all()}
    assert states == {older.pk: "revoked", unrelated.pk: "open", newer.pk: "open"}
    assert newer.language == "de"
    assert AuditEntry.objects.filter(action="connect_link.revoke", object_id=str(older.pk)).exists()


def test_the_system_sends_it_for_who_is_responsible(mara: User, connection: Connection) -> None:
    assert send_renewal_link(SYSTEM, connection).owner == mara


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
        send_renewal_link(mara, connection)
    assert [link.state for link in ConnectLink.objects.all()] == ["open"]


def test_a_viewer_and_a_stranger_send_none(mara: User, connection: Connection) -> None:
    bob = User.objects.create_user("bob", is_staff=True)
    team_of(bob, Role.ADMINISTRATOR)
    for person in (set_role(mara, Role.VIEWER), bob):
        with pytest.raises(PermissionDenied):
            send_renewal_link(User.objects.get(pk=person.pk), connection)
    assert not ConnectLink.objects.exists()


def test_the_newest_link_is_found_for_who_sees_it(mara: User, connection: Connection) -> None:
    older = send_renewal_link(mara, connection)
    ConnectLink.objects.filter(pk=older.pk).update(created_at=Now() - (older.ends_at - older.created_at))
    newer = send_renewal_link(mara, connection)
    assert find_newest_links(mara, [connection.pk]) == {connection.pk: newer}
    assert find_newest_links(User.objects.create_user("bob"), [connection.pk]) == {}
