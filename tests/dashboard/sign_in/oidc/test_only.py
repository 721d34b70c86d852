"""OIDC_ONLY: only superusers sign in with a password, whatever page they use."""

from urllib.parse import urlsplit

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from tests.dashboard.conftest import squeeze
from tests.dashboard.sign_in.conftest import PASSWORD, TryPassword
from tests.dashboard.sign_in.oidc.conftest import Provider, SignOn, person_at
from tests.dashboard.sign_in.test_password import NEW, ask, link_in, queued
from tests.public_url import browser_at_public_url
from tokens.sign_in.password_reset import mail_password_reset, mail_password_resets


@pytest.fixture(autouse=True)
def only(provider: Provider, settings: Settings) -> None:
    settings.OIDC_ONLY = True


def test_the_login_offers_a_password_to_superusers_only(client: Client, db: None) -> None:
    page = client.get("/auth/login/").content.decode()
    assert "Log in with single sign-on" in page
    [before, details] = page.split("<details ")
    assert 'type="password"' not in before
    assert "Log in as a superuser with a password" in details
    assert " open>" not in details.partition("<summary>")[0]
    assert "passkey" not in page


def test_the_right_password_is_refused_and_logged(
    try_password: TryPassword, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    User.objects.create_user("carla", password=PASSWORD, is_staff=True)
    client = Client()
    page = try_password(name="carla", client=client, REMOTE_ADDR="198.51.100.7")
    assert page.status_code == 200
    [_, details] = page.content.decode().split("<details ")
    assert " open>" in details.partition("<summary>")[0]
    assert "Everybody else logs in with single sign-on" in details
    assert person_at(client) is None
    lines = [record.getMessage() for record in caplog.records if record.name == "tokens.sign_in"]
    assert lines == ["Refused a sign-in as 'carla' from 198.51.100.7."]
    assert client.post("/admin/login/", {"username": "carla", "password": PASSWORD}).status_code == 302
    assert person_at(client) is None
    assert authenticate(username="carla", password=PASSWORD) is None
    assert client.get("/api/v1/accounts/", headers={"authorization": "Basic cm9vdDp4"}).status_code == 401


def test_a_superuser_signs_in_with_a_password_and_changes_it(try_password: TryPassword, db: None) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    client = Client()
    assert try_password(name="root", client=client).status_code == 302
    assert person_at(client) == root
    assert client.get("/auth/password/change/").status_code == 200
    assert "Change the password" in client.get("/auth/security/").content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "password/change/",
        "password/set/",
        "2fa/webauthn/login/",
    ],
)
def test_the_pages_of_passwords_and_the_login_with_a_passkey_are_off(carla: User, path: str) -> None:
    client = Client()
    client.force_login(carla)
    for answer in (client.get(f"/auth/{path}"), client.post(f"/auth/{path}", {"email": "Carla@example.com"})):
        assert answer.status_code == 403
        assert "Passwords are turned off" in answer.content.decode()


def test_no_page_asks_for_the_password_again(carla: User) -> None:
    client = Client()
    client.force_login(carla)
    ask = client.get("/auth/2fa/totp/activate/")["Location"]
    assert ask.startswith("/auth/oidc/reauthenticate/")
    # This person has no link either.
    for answer in (client.get(ask), client.post(ask)):
        assert answer.status_code == 403
        assert "you have nothing to confirm it with" in squeeze(answer.content.decode())
    assert (
        client.post("/auth/reauthenticate/", {"password": PASSWORD})["Location"]
        == "/auth/oidc/reauthenticate/"
    )
    assert client.get("/auth/2fa/totp/activate/").status_code == 302
    page = client.get("/auth/security/").content.decode()
    assert "Change the password" not in page


def test_single_sign_on_signs_people_in(sign_on: SignOn) -> None:
    browser = browser_at_public_url()
    sign_on(client=browser)
    assert person_at(browser) is not None


@pytest.mark.django_db(transaction=True)
def test_a_superuser_sets_the_password_anew_by_mail(
    mailoutbox: list[EmailMessage], try_password: TryPassword
) -> None:
    root = User.objects.create_superuser("root", "root@example.com", PASSWORD)
    answer = Client().post("/auth/password/reset/", {"email": "root@example.com"})
    assert answer["Location"] == "/auth/password/reset/done/"
    mail_password_resets("root@example.com")
    assert [job.args for job in queued()] == [{"user_id": root.pk}]
    mail_password_reset(root.pk)
    client = Client()
    form = client.get(urlsplit(link_in(mailoutbox)).path)["Location"]
    assert client.post(form, {"password1": NEW, "password2": NEW}).status_code == 302
    assert try_password(NEW, "root", client=client).status_code == 302
    assert person_at(client) == root


def test_everybody_else_gets_no_mail_and_reads_the_same(carla: User, mailoutbox: list[EmailMessage]) -> None:
    User.objects.create_superuser("root", "root@example.com", PASSWORD)
    assert "Only superusers have a password here" in Client().get("/auth/password/reset/").content.decode()
    assert ask("carla@example.com") == ask("root@example.com") == ask("nobody@example.com")
    mail_password_resets("carla@example.com")
    assert not queued()
    mail_password_reset(carla.pk)
    assert not mailoutbox


@pytest.mark.django_db(transaction=True)
def test_a_link_that_was_mailed_before_sets_no_password(
    carla: User, mailoutbox: list[EmailMessage], settings: Settings
) -> None:
    settings.OIDC_ONLY = False
    mail_password_reset(carla.pk)
    link = urlsplit(link_in(mailoutbox)).path
    opened = Client()
    form = opened.get(link)["Location"]
    settings.OIDC_ONLY = True
    pages = [
        Client().get(link),
        opened.get(form),
        opened.post(form, {"password1": NEW, "password2": NEW}),
    ]
    for page in pages:
        text = page.content.decode()
        assert "This link does not work any more" in text
        assert "Everybody else logs in with single sign-on" in text
    carla.refresh_from_db()
    assert carla.check_password(PASSWORD)
