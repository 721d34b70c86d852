"""The login and the logout, the same for pages and the admin."""

import logging
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.dashboard.sign_in.conftest import PASSWORD, TryPassword


@pytest.mark.parametrize("address", ["/accounts/", "/admin/auth/user/", "/admin/"])
def test_pages_and_the_admin_lead_to_the_one_login(client: Client, db: None, address: str) -> None:
    assert client.get(address)["Location"] == f"/auth/login/?next={address}"


def test_the_login_of_the_admin_leads_there_and_keeps_the_way_back(client: Client) -> None:
    location = urlsplit(client.get("/admin/login/?next=/accounts/%3Fq%3Da")["Location"])
    assert (location.path, parse_qs(location.query)) == ("/auth/login/", {"next": ["/accounts/?q=a"]})
    assert client.get("/admin/login/?next=//evil.example/")["Location"] == "/auth/login/?next=/admin/"
    assert client.post("/admin/login/", {"username": "carla"}).status_code == 302


def test_a_person_comes_back_to_the_page_they_asked_for(carla: User, try_password: TryPassword) -> None:
    assert try_password(form={"next": "/connections/"})["Location"] == "/connections/"
    assert try_password()["Location"] == "/"


def test_it_leads_to_no_other_site(carla: User, try_password: TryPassword) -> None:
    assert try_password(form={"next": "https://evil.example/"})["Location"] == "/"


def test_it_says_that_the_password_is_wrong_and_shows_it_nowhere(
    carla: User, try_password: TryPassword
) -> None:
    page = try_password("wrong password").content.decode()
    assert "not correct" in page
    assert "wrong password" not in page


def test_it_does_not_tell_whether_a_person_exists(carla: User, try_password: TryPassword) -> None:
    known, unknown = try_password("wrong"), try_password("wrong", "nobody")
    assert "not correct" in unknown.content.decode()
    assert known.status_code == unknown.status_code == 200


def test_a_person_who_is_not_active_is_told_so_after_the_right_password_alone(
    carla: User, try_password: TryPassword
) -> None:
    User.objects.update(is_active=False)
    assert try_password()["Location"] == "/auth/inactive/"
    assert "not correct" in try_password("wrong").content.decode()


def test_a_person_without_rights_reads_whom_to_ask(carla: User, try_password: TryPassword) -> None:
    User.objects.update(is_staff=False)
    client = Client()
    try_password(client=client)
    assert client.get("/accounts/")["Location"] == "/auth/login/?next=/accounts/"
    page = client.get("/auth/login/?next=/accounts/")
    assert page.status_code == 403
    assert "Ask an administrator" in page.content.decode()


@pytest.mark.parametrize("address", ["/auth/logout/", "/admin/logout/"])
def test_a_logout_ends_the_session_and_shows_the_login(
    carla: User, try_password: TryPassword, address: str
) -> None:
    client = Client()
    try_password(client=client)
    assert client.get(address).status_code == 200, "GET asks and ends nothing"
    assert client.get("/auth/security/").status_code == 200
    assert client.post(address)["Location"] == "/auth/login/"
    assert client.get("/auth/security/").status_code == 302


@pytest.mark.parametrize(
    "address", ["/auth/signup/", "/auth/3rdparty/signup/", "/auth/email/", "/auth/password/nothing/"]
)
def test_nobody_can_sign_up(client: Client, db: None, address: str) -> None:
    assert client.get(address).status_code == 404
    assert client.post(address, {"username": "eve"}).status_code == 404
    assert not User.objects.exists()


def test_the_login_offers_no_sign_up(client: Client, db: None) -> None:
    assert "sign up" not in client.get("/auth/login/").content.decode().lower()


def test_each_sign_in_and_refusal_is_one_line_in_the_log(
    carla: User, try_password: TryPassword, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tokens.sign_in")
    try_password(REMOTE_ADDR="198.51.100.7")
    try_password("wrong-secret", "eve\x1b[2J\r\nforged" + "x" * 100, REMOTE_ADDR="198.51.100.8")
    assert [record.getMessage() for record in caplog.records] == [
        "Signed in 'carla' from 198.51.100.7 by password.",
        rf"Refused a sign-in as 'eve\x1b[2J\r\nforged{'x' * 100}' from 198.51.100.8.",
    ]
    assert PASSWORD not in caplog.text
    assert "wrong-secret" not in caplog.text


@pytest.mark.parametrize("name", ["", "\ud800", "x" * 5000])
def test_a_strange_name_is_refused_with_the_form(db: None, try_password: TryPassword, name: str) -> None:
    assert try_password("x", name.encode(errors="surrogatepass").decode(errors="replace")).status_code == 200


def test_pages_under_auth_are_not_stored_and_have_the_strict_policy(client: Client, db: None) -> None:
    response = client.get("/auth/login/")
    assert "no-store" in response["Cache-Control"]
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert "style=" not in response.content.decode().partition("<main")[2]
