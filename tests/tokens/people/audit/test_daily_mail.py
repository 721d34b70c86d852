"""The daily mail that has the end of the chain."""

import io
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import Settings

from tests.ports import free_port
from tokens.models import AuditEntry, AuditLink, AuditMail
from tokens.people.audit import Action, record_audit
from tokens.people.audit.daily_mail import mail_audit_end, mail_is_due
from tokens.permissions import SYSTEM

# The task gives its connection back before it mails.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def mail_server(settings: Settings) -> None:
    settings.EMAIL_IS_SET_UP = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture(autouse=True)
def people() -> None:
    User.objects.create_superuser("root", "root@example.com")
    User.objects.create_superuser("boss", "boss@example.com")
    User.objects.create_superuser("gone", "gone@example.com", is_active=False)
    User.objects.create_superuser("silent")
    User.objects.create_user("alice", "alice@example.com", is_staff=True)
    record_audit(SYSTEM, Action.CONNECTION_UPDATE, None)


def cut_off_the_end() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    last = AuditLink.objects.exclude(number=None).latest("number")
    AuditEntry.objects.filter(pk=last.entry_id).delete()
    last.delete()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = origin")


def test_superusers_get_what_verify_audit_takes_and_it_shows_a_cut() -> None:
    mail_audit_end()
    [message] = mail.outbox
    assert message.to == ["boss@example.com", "root@example.com"]
    found = re.search(r"verify_audit --noted (\S+)", str(message.body))
    assert found
    assert "number 1" in message.subject
    printed = io.StringIO()
    call_command("verify_audit", noted=found[1], stdout=printed, stderr=io.StringIO())
    assert printed.getvalue().strip() == found[1]
    cut_off_the_end()
    with pytest.raises(CommandError, match="was removed"):
        call_command("verify_audit", noted=found[1], stdout=io.StringIO())


def test_it_is_due_once_a_day() -> None:
    assert mail_is_due()
    mail_audit_end()
    assert not mail_is_due()
    AuditMail.objects.update(mailed_at=Now() - timedelta(hours=24))
    assert mail_is_due()
    mail_audit_end()
    assert not mail_is_due()
    assert len(mail.outbox) == 2


def test_without_a_mail_server_it_is_left_out(settings: Settings) -> None:
    settings.EMAIL_IS_SET_UP = False
    assert not mail_is_due()


def test_without_the_address_of_a_superuser_nothing_is_sent() -> None:
    User.objects.filter(is_superuser=True).update(email="")
    mail_audit_end()
    assert not mail.outbox


def test_what_the_mail_server_refuses_is_tried_again_and_stays_due(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    mail_audit_end()
    job = ProcrastinateJob.objects.get()
    assert (job.task_name, job.args) == ("tokens.mail_audit_end", {"failures": 1})
    assert mail_is_due()
    with pytest.raises(OSError, match="refused"):
        mail_audit_end(failures=4)
