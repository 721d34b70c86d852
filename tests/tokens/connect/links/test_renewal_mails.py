"""Mails with renewal links: one a day to one person, with all their logins in it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.db.models.functions import Now
from django.test import override_settings
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.teams import join
from tests.tokens.conftest import new_connection
from tests.tokens.connect.links.days import A_DAY, a_day_later
from tests.tokens.connect.links.mail_servers import DYING, REFUSING, Killed
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.links import find_link, make_connect_link
from tokens.connect.renewal_mails import (
    gather_left_links,
    gather_mailing,
    mail_renewal_links,
    queue_due_mails,
)
from tokens.connect.renewals import send_renewal_link
from tokens.mail import MAX_TRIES
from tokens.models import AuditEntry, Connection, ConnectLink, RenewalMail
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

CONTACT = "ads@copperleaf.example"


@pytest.fixture(autouse=True)
def mailbox(settings: LazySettings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.PUBLIC_URL = "https://ads.example.com"


@pytest.fixture
def connections(mara: User, settings: LazySettings) -> list[Connection]:
    return [
        new_connection(mara, settings, f"Atzr|{n}", label=f"Shop {n}", contact_email=CONTACT)
        for n in range(3)
    ]


def start_mailing(*connections: Connection) -> UUID:
    mailing = uuid4()
    for connection in connections:
        send_renewal_link(SYSTEM, connection, mailing)
    gather_mailing(mailing)
    return mailing


def jobs() -> Iterator[str]:
    for job in ProcrastinateJob.objects.filter(task_name="tokens.mail_renewal_links").order_by("pk"):
        yield job.args["mail_id"]


def work() -> None:
    for mail_id in set(jobs()):
        mail_renewal_links(mail_id)


def states() -> list[str]:
    return [str(link.state) for link in ConnectLink.objects.order_by("created_at", "pk")]


def test_a_person_gets_one_mail_with_a_link_for_each_login(connections: list[Connection]) -> None:
    Connection.objects.filter(pk=connections[2].pk).update(contact_email=CONTACT.upper())
    connections[2].refresh_from_db()
    start_mailing(*connections)
    assert not ConnectLink.objects.exclude(digest=None)
    work()
    [message] = mail.outbox
    assert message.subject == "Team of alice asks you to renew the access to your Amazon Ads accounts"
    tokens = re.findall(r"Shop (\d)\nhttps://ads.example.com/c/([\w-]+)/", str(message.body))
    found = {number: find_link(token) for number, token in tokens}
    assert {number: link and link.connection for number, link in found.items()} == {
        str(number): connection for number, connection in enumerate(connections)
    }
    assert all(link.mailed_at for link in ConnectLink.objects.all())
    # No task and no row has a token.
    stored = str([*ProcrastinateJob.objects.values_list("args"), *ConnectLink.objects.values_list()])
    assert not any(token in stored for _, token in tokens)


def test_forty_logins_are_no_more_mails_than_one_login(mara: User, settings: LazySettings) -> None:
    many = [new_connection(mara, settings, f"Atzr|{n}", contact_email=CONTACT) for n in range(40)]
    start_mailing(*many)
    work()
    [message] = mail.outbox
    assert str(message.body).count("https://ads.example.com/c/") == 40


def test_one_login_is_told_as_in_the_mail_of_one_link(connections: list[Connection]) -> None:
    start_mailing(connections[0])
    work()
    assert mail.outbox[0].subject == "Team of alice asks you to renew the access to your Amazon Ads account"


def test_the_links_of_two_teams_are_in_one_mail_under_the_name_of_each(
    mara: User, connections: list[Connection]
) -> None:
    Connection.objects.filter(pk=connections[0].pk).update(team=join(mara, "North", Role.OPERATOR))
    connections[0].refresh_from_db()
    start_mailing(*connections)
    work()
    [message] = mail.outbox
    assert message.subject == "Please renew the access to your Amazon Ads accounts"
    assert [text.split(" looks after")[0] for text in re.findall(r".* looks after.*", str(message.body))] == [
        "Mara Reuter of North",
        "Mara Reuter of Team of alice",
    ]


def test_the_links_before_it_end_when_the_mail_is_sent(mara: User, connections: list[Connection]) -> None:
    older, _ = make_connect_link(mara, connections[0].team, label="x", connection=connections[0])
    make_connect_link(mara, connections[0].team, label="x", connection=connections[1])
    start_mailing(connections[0])
    assert states() == ["open", "open", "open"]
    work()
    assert states() == ["revoked", "open", "open"]
    assert AuditEntry.objects.filter(action="connect_link.revoke", object_id=str(older.pk)).exists()


def test_who_got_a_mail_today_gets_the_next_links_tomorrow(connections: list[Connection]) -> None:
    start_mailing(connections[0])
    work()
    start_mailing(connections[1])
    start_mailing(connections[1], connections[2])
    queue_due_mails()
    work()
    assert len(mail.outbox) == 1
    a_day_later()
    assert queue_due_mails() == 1
    work()
    assert len(mail.outbox) == 2
    assert str(mail.outbox[1].body).count("/c/") == 2
    # The link of the second mailing gave way to that of the third.
    assert states() == ["open", "revoked", "open", "open"]


def test_a_mail_before_midnight_holds_back_the_mail_after_it(connections: list[Connection]) -> None:
    start_mailing(connections[0])
    work()
    RenewalMail.objects.update(day=RenewalMail.objects.get().day - A_DAY)
    start_mailing(connections[1])
    work()
    assert len(mail.outbox) == 1
    RenewalMail.objects.filter(mailed_at__isnull=False).update(
        started_at=Now() - timedelta(hours=21), mailed_at=Now() - timedelta(hours=21)
    )
    assert queue_due_mails() == 1
    work()
    assert len(mail.outbox) == 2


@pytest.mark.parametrize("reason", ["renewed", "disconnected", "other contact", "revoked"])
def test_a_link_that_is_not_needed_any_more_is_not_sent(connections: list[Connection], reason: str) -> None:
    start_mailing(*connections[:2])
    of_first = Connection.objects.filter(pk=connections[0].pk)
    match reason:
        case "renewed":
            of_first.update(consented_at=Now())
        case "disconnected":
            disconnect_connection(SYSTEM, connections[0])
        case "other contact":
            of_first.update(contact_email="new@copperleaf.example")
        case _:
            ConnectLink.objects.filter(connection=connections[0]).revoke()
    work()
    [message] = mail.outbox
    assert str(message.body).count("/c/") == 1
    assert states() == ["revoked", "open"]


def test_a_mail_without_any_needed_link_is_not_sent_and_counts_for_no_day(
    connections: list[Connection],
) -> None:
    start_mailing(connections[0])
    Connection.objects.filter(pk=connections[0].pk).update(consented_at=Now())
    work()
    assert not mail.outbox
    start_mailing(connections[1])
    work()
    assert len(mail.outbox) == 1


def test_a_worker_that_is_killed_while_it_sends_leaves_the_links_for_the_next_day(
    connections: list[Connection],
) -> None:
    start_mailing(*connections)
    [mail_id] = jobs()
    with override_settings(EMAIL_BACKEND=DYING), pytest.raises(Killed):
        mail_renewal_links(mail_id)
    # The job is queued again when the worker is found dead. The mail server may have taken the mail.
    mail_renewal_links(mail_id)
    gather_left_links()
    queue_due_mails()
    work()
    assert not mail.outbox
    a_day_later()
    gather_left_links()
    work()
    [message] = mail.outbox
    assert str(message.body).count("/c/") == 3


def test_a_mail_that_is_refused_is_tried_again_and_then_left_to_the_next_day(
    connections: list[Connection],
) -> None:
    start_mailing(*connections)
    [mail_id] = jobs()
    with override_settings(EMAIL_BACKEND=REFUSING):
        for failures in range(MAX_TRIES - 1):
            mail_renewal_links(mail_id, failures)
        with pytest.raises(ConnectionRefusedError):
            mail_renewal_links(mail_id, MAX_TRIES - 1)
    assert RenewalMail.objects.get().failed_at is not None
    work()
    a_day_later()
    gather_left_links()
    work()
    [message] = mail.outbox
    assert str(message.body).count("/c/") == 3
