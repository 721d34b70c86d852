"""Changing a password, and setting it anew by mail."""

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob
from pytest_django import Settings

from tests.dashboard.sign_in.conftest import PASSWORD, TryPassword
from tokens.sign_in.password_reset import mail_password_reset

NEW = "another horse battery"


def ask(email: str, **extra: str) -> str:
    response = Client().post("/auth/password/reset/", {"email": email}, follow=True, **extra)  # type: ignore[arg-type]
    assert response.status_code == 200
    return response.content.decode().partition("<main")[2]


def queued() -> list[ProcrastinateJob]:
    return list(ProcrastinateJob.objects.filter(task_name="tokens.mail_password_reset"))


def link_in(mails: list[EmailMessage]) -> str:
    found = re.search(r"https?://\S+/auth/password/reset/key/\S+", str(mails[-1].body))
    assert found
    return found.group()


def test_a_mail_is_queued_without_a_secret_and_however_the_address_is_written(carla: User) -> None:
    ask("carla@EXAMPLE.com")
    assert [job.args for job in queued()] == [{"user_id": carla.pk}]


def test_the_page_is_the_same_for_an_unknown_address(carla: User) -> None:
    known, unknown = ask("carla@example.com"), ask("nobody@example.com")
    assert known == unknown
    assert len(queued()) == 1


def test_people_without_a_password_get_no_mail(carla: User) -> None:
    carla.set_unusable_password()
    carla.save()
    ask("carla@example.com")
    assert not queued()


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
