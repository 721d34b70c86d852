"""Changing a password, and setting it anew by mail."""

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import Settings

from tests.dashboard.sign_in.conftest import PASSWORD, TryPassword
from tokens.sign_in.password_reset import mail_password_reset, mail_password_resets

NEW = "another horse battery"


def ask(email: str, **extra: str) -> str:
    response = Client().post("/auth/password/reset/", {"email": email}, follow=True, **extra)  # type: ignore[arg-type]
    assert response.status_code == 200
    return response.content.decode().partition("<main")[2]


def queued(task: str = "mail_password_reset") -> list[ProcrastinateJob]:
    return list(ProcrastinateJob.objects.filter(task_name=f"tokens.{task}"))


def link_in(mails: list[EmailMessage]) -> str:
    found = re.search(r"https?://\S+/auth/password/reset/key/\S+", str(mails[-1].body))
    assert found
    return found.group()


def test_a_mail_is_queued_without_a_secret_and_however_the_address_is_written(carla: User) -> None:
    ask("carla@EXAMPLE.com")
    [asked] = queued("mail_password_resets")
    assert asked.args == {"address": "carla@example.com"}
    mail_password_resets(**asked.args)
    assert [job.args for job in queued()] == [{"user_id": carla.pk}]


def test_the_page_does_the_same_for_an_unknown_address(
    carla: User,
) -> None:
    answers = []
    for address in ("carla@example.com", "nobody@example.com"):
        with CaptureQueriesContext(connection) as queries:
            page = ask(address)
        answers.append((page, [re.sub("[0-9]+", "", query["sql"])[:60] for query in queries]))
    assert answers[0] == answers[1]
    assert len(queued("mail_password_resets")) == 2


def test_an_unknown_address_gets_no_mail(carla: User) -> None:
    mail_password_resets("nobody@example.com")
    assert not queued()


@pytest.mark.parametrize("lack", ["password", "activity"])
def test_people_who_cannot_sign_in_with_a_password_get_no_mail(
    carla: User, mailoutbox: list[EmailMessage], lack: str
) -> None:
    if lack == "password":
        carla.set_unusable_password()
    carla.is_active = lack != "activity"
    carla.save()
    mail_password_resets("carla@example.com")
    assert not queued()
    mail_password_reset(carla.pk)
    assert not mailoutbox


@pytest.mark.django_db(transaction=True)
def test_the_link_leads_to_the_public_address_and_works_once(
    carla: User, mailoutbox: list[EmailMessage], settings: Settings, try_password: TryPassword
) -> None:
    settings.PUBLIC_URL = "https://ads.example.com"
    settings.ALLOWED_HOSTS = ["*"]
    ask("carla@example.com", HTTP_HOST="evil.example")
    mail_password_reset(carla.pk)
    link = link_in(mailoutbox)
    assert link.startswith("https://ads.example.com/auth/password/reset/key/")
    assert mailoutbox[-1].to == ["Carla@example.com"]
    client = Client()
    form = client.get(urlsplit(link).path)["Location"]
    assert client.post(form, {"password1": NEW, "password2": NEW}).status_code == 302
    assert try_password(NEW)["Location"] == "/"
    assert "does not work any more" in Client().get(urlsplit(link).path).content.decode()


@pytest.mark.parametrize("key", ["1-abc", "zzz-set-password", "1-" + "x" * 500])
def test_a_wrong_link_says_so(carla: User, key: str) -> None:
    response = Client().get(f"/auth/password/reset/key/{key}/")
    assert response.status_code in {200, 404}
    assert b"password1" not in response.content


def test_a_weak_password_is_refused(carla: User, try_password: TryPassword) -> None:
    client = Client()
    try_password(client=client)
    form = {"oldpassword": PASSWORD, "password1": "12345678", "password2": "12345678"}
    assert "too common" in client.post("/auth/password/change/", form).content.decode()
    assert try_password().status_code == 302


def test_a_person_changes_the_password_and_stays_signed_in(carla: User, try_password: TryPassword) -> None:
    client = Client()
    try_password(client=client)
    assert client.get("/admin/password_change/")["Location"] == "/auth/password/change/"
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert client.post("/auth/password/change/", form).status_code == 302
    assert client.get("/auth/security/").status_code == 200
    assert try_password(NEW).status_code == 302
    assert try_password().status_code == 200
