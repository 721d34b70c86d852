"""The page that explains the errors of the API."""

from django.contrib.auth.models import User
from django.test import Client

from amazon_accounts.web.problems import NOT_FOUND, PROBLEM_TYPES
from tests.dashboard.conftest import LogIn


def test_it_explains_every_error(log_in: LogIn, alice: User) -> None:
    page = log_in(alice).get("/errors/", follow=True).content.decode()
    for each in PROBLEM_TYPES:
        for text in (each.code, each.title, each.what_happened, each.what_to_do):
            assert text in page


def test_the_type_of_a_problem_leads_to_its_explanation(log_in: LogIn, alice: User) -> None:
    browser = log_in(alice)
    address = browser.get("/api/v1/accounts/none/").json()["type"]
    page = browser.get(address).content.decode()
    assert NOT_FOUND.what_happened in page
    assert NOT_FOUND.what_to_do in page
    assert "nav-sidebar" in page


def test_who_is_signed_in_without_rights_reads_it_too(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("new"))
    page = client.get(NOT_FOUND.path)
    assert page.status_code == 200
    assert NOT_FOUND.what_to_do in page.content.decode()


def test_a_stranger_is_sent_to_the_login(client: Client, db: None) -> None:
    assert client.get(NOT_FOUND.path)["Location"] == f"/auth/login/?next={NOT_FOUND.path}"


def test_an_unknown_code_is_not_found(log_in: LogIn, alice: User) -> None:
    assert log_in(alice).get("/errors/nothing/").status_code == 404
