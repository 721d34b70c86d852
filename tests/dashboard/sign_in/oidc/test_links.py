"""A person who has a password links the provider, and ends the link."""

import logging

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.dashboard.sign_in.conftest import PASSWORD, TryPassword
from tests.dashboard.sign_in.oidc.conftest import Provider, SignOn, person_at, start
from tests.public_url import browser_at_public_url

LINK = "/auth/oidc/link/"
UNLINK = "/auth/oidc/unlink/"


@pytest.fixture
def home(carla: User, provider: Provider, try_password: TryPassword) -> Client:
    """A browser in which Carla has just signed in."""
    client = browser_at_public_url()
    try_password(client=client)
    return client


def link(client: Client, provider: Provider, subject: str = "s-1") -> str:
    response = client.get(provider.decide(start(client, LINK), subject), follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_after_the_link_the_provider_signs_in_the_same_person(
    home: Client, provider: Provider, carla: User, sign_on: SignOn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tokens.sign_in")
    provider.know("s-1", email="somebody@example.com", preferred_username="else")
    assert "From now on, single sign-on signs you in" in link(home, provider)
    assert caplog.messages[-1] == "From now on single sign-on signs in 'carla'."
    browser = browser_at_public_url()
    sign_on(client=browser)
    assert person_at(browser) == carla
    carla.refresh_from_db()
    assert (carla.email, carla.is_staff) == ("Carla@example.com", True)


def test_a_person_at_the_provider_belongs_to_one_person_here(
    home: Client, provider: Provider, sign_on: SignOn
) -> None:
    sign_on("s-1")
    assert "linked to another person here already" in link(home, provider)
    assert SocialAccount.objects.get().user.username != "carla"


@pytest.mark.parametrize("path", [LINK, UNLINK])
def test_a_link_needs_a_post_a_person_and_the_password_again(
    provider: Provider, carla: User, path: str
) -> None:
    stranger = browser_at_public_url()
    assert stranger.post(path)["Location"].startswith("/auth/login/")
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403
    old = browser_at_public_url()
    old.force_login(carla)
    SocialAccount.objects.create(user=carla, provider=provider.url, uid="s-1")
    assert old.get(path)["Location"] == "/auth/security/"
    assert old.post(path)["Location"].startswith("/auth/reauthenticate/")
    assert SocialAccount.objects.count() == 1


def test_after_the_password_was_asked_again_the_way_goes_on(provider: Provider, carla: User) -> None:
    old = browser_at_public_url()
    old.force_login(carla)
    ask = old.post(LINK)["Location"]
    page = old.post(ask, {"password": PASSWORD})
    assert provider.url in page.content.decode()


def test_a_person_with_a_password_can_end_the_link(
    home: Client, provider: Provider, carla: User, sign_on: SignOn
) -> None:
    link(home, provider)
    assert "Stop single sign-on for me" in home.get("/auth/security/").content.decode()
    home.post(UNLINK)
    assert not SocialAccount.objects.exists()
    browser = browser_at_public_url()
    sign_on(client=browser)
    assert person_at(browser) != carla


def test_who_has_no_password_keeps_the_link(sign_on: SignOn, settings: Settings) -> None:
    browser = browser_at_public_url()
    sign_on(client=browser)
    page = browser.get("/auth/security/").content.decode()
    assert "provider signs you in as" in page
    assert "Stop single sign-on" not in page
    browser.post(UNLINK)
    assert SocialAccount.objects.count() == 1
