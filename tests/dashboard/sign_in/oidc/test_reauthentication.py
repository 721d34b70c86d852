"""A signed-in person confirms at the provider that it is them, before the way they sign in is changed."""

import time
from typing import Any

import pytest
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.dashboard.conftest import squeeze
from tests.dashboard.sign_in.conftest import TryPassword
from tests.dashboard.sign_in.oidc.conftest import (
    Provider,
    SignOn,
    address_in,
    answer_with,
    parameters_of,
    person_at,
    start,
)
from tests.dashboard.sign_in.oidc.scripted_provider import ScriptedProvider
from tests.dashboard.sign_in.oidc.test_answers import refusals
from tests.public_url import browser_at_public_url

SET_UP_APP = "/auth/2fa/totp/activate/"
REAUTHENTICATE = "/auth/oidc/reauthenticate/"
YESTERDAY = time.time() - 86_400
# The provider of these tests is shared, so its person is one that no other test signs in.
SUBJECT = "asked-again"


@pytest.fixture
def old(sign_on: SignOn, provider: Provider) -> Client:
    """A browser whose person signed in with a session of the provider that is a day old."""
    provider.know(SUBJECT, auth_time=int(YESTERDAY))
    browser = browser_at_public_url()
    sign_on(SUBJECT, browser)
    provider.know(SUBJECT, auth_time=int(time.time()))
    return browser


def grow_old(client: Client) -> None:
    """Let the sign-in in this browser be a day old."""
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY][-1]["at"] = YESTERDAY
    session.save()


def test_who_has_only_single_sign_on_confirms_at_the_provider_and_goes_on(
    old: Client, provider: Provider
) -> None:
    before = person_at(old)
    page = old.get(SET_UP_APP, follow=True)
    assert page.request["PATH_INFO"] == REAUTHENTICATE
    assert page.context["next_url"] == SET_UP_APP
    asked_at = start(old, REAUTHENTICATE, next=SET_UP_APP)
    asked = parameters_of(asked_at)
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    page = old.get(provider.decide(asked_at, SUBJECT), follow=True)
    assert (page.request["PATH_INFO"], page.status_code) == (SET_UP_APP, 200)
    assert person_at(old) == before


def test_the_form_that_was_sent_before_is_done_after_the_provider_has_asked(
    old: Client, provider: Provider
) -> None:
    ask = old.post("/auth/oidc/unlink/")["Location"]
    page = old.get(provider.decide(start(old, ask), SUBJECT), follow=True)
    assert "single sign-on is your only way in" in page.content.decode()


@pytest.mark.parametrize("is_known", [False, True])
def test_straight_after_a_sign_in_nobody_is_asked_again(
    db: None, scripted: ScriptedProvider, is_known: bool
) -> None:
    browser = browser_at_public_url()
    answer_with(scripted, browser, auth_time=int(time.time()) if is_known else "left out")
    assert browser.get(SET_UP_APP).status_code == 200
    grow_old(browser)
    assert browser.get(SET_UP_APP)["Location"].startswith(REAUTHENTICATE)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"auth_time": "left out"}, "its auth_time is missing"),
        ({"auth_time": None}, "its auth_time is missing"),
        ({"auth_time": True}, "its auth_time is missing"),
        ({"auth_time": "now"}, "its auth_time is missing"),
        ({"auth_time": float("nan")}, "its auth_time is missing"),
        ({"auth_time": float("inf")}, "its auth_time is missing"),
        ({"auth_time": 10**400}, "auth_time of the ID token is another time"),
        ({"auth_time": YESTERDAY}, "auth_time of the ID token is another time"),
        ({"auth_time": YESTERDAY + 2 * 86_400}, "auth_time of the ID token is another time"),
        ({"auth_time": "left out", "info": {"sub": "s-1", "auth_time": 0}}, "its auth_time is missing"),
        ({"sub": "s-2"}, "somebody else"),
    ],
    # Each process of pytest must give the same names, so no name may have the time in it.
    ids=[
        "left out",
        "null",
        "true",
        "text",
        "NaN",
        "infinite",
        "huge",
        "yesterday",
        "tomorrow",
        "only in the user info",
        "of somebody else",
    ],
)
def test_an_answer_that_does_not_show_that_the_person_was_asked_changes_nothing(
    db: None,
    scripted: ScriptedProvider,
    claims: dict[str, Any],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = browser_at_public_url()
    answer_with(scripted, other, sub="s-2", info={"sub": "s-2", "preferred_username": "otto"})
    browser = browser_at_public_url()
    answer_with(scripted, browser, info={"sub": "s-1", "preferred_username": "nina"})
    grow_old(browser)
    caplog.clear()
    answer: Any = answer_with(scripted, browser, REAUTHENTICATE, **{"auth_time": time.time(), **claims})
    assert answer.status_code == 403
    text = squeeze(answer.content.decode())
    assert "Nothing was changed" in text
    assert "You are signed in as nina" in text
    [line] = refusals(caplog)
    assert reason in line
    nina = person_at(browser)
    assert nina is not None
    assert nina.username == "nina"
    assert browser.get(SET_UP_APP)["Location"].startswith(REAUTHENTICATE)


def test_a_person_whom_this_console_does_not_know_confirms_nothing(old: Client, provider: Provider) -> None:
    answer = old.get(provider.decide(start(old, REAUTHENTICATE), "unknown-here"))
    assert answer.status_code == 403
    assert User.objects.count() == 1
    assert old.get(SET_UP_APP).status_code == 302


def test_an_answer_works_once_and_in_its_own_browser_only(old: Client, provider: Provider) -> None:
    answer = provider.decide(start(old, REAUTHENTICATE), SUBJECT)
    stranger = browser_at_public_url()
    assert stranger.get(answer).status_code == 400
    assert person_at(stranger) is None
    assert old.get(answer).status_code == 302
    grow_old(old)
    assert old.get(answer).status_code == 400
    assert old.get(SET_UP_APP).status_code == 302


def test_who_has_a_password_may_use_the_provider_in_its_place(
    provider: Provider, carla: User, try_password: TryPassword
) -> None:
    browser = browser_at_public_url()
    try_password(client=browser)
    grow_old(browser)
    ask = browser.get(SET_UP_APP)["Location"]
    assert ask.startswith("/auth/reauthenticate/")
    assert "Use single sign-on" not in browser.get(ask).content.decode()
    SocialAccount.objects.create(user=carla, provider=provider.url, uid=SUBJECT)
    assert f'href="{REAUTHENTICATE}?next=' in browser.get(ask).content.decode()


def test_it_starts_by_post_by_a_signed_in_person_alone(old: Client, provider: Provider) -> None:
    assert old.get(REAUTHENTICATE).status_code == 200
    assert "http-equiv" not in old.get(REAUTHENTICATE).content.decode()
    assert browser_at_public_url().post(REAUTHENTICATE)["Location"].startswith("/auth/login/")
    assert Client(enforce_csrf_checks=True).post(REAUTHENTICATE).status_code == 403


def test_it_leads_to_no_other_site(old: Client, provider: Provider) -> None:
    answer = provider.decide(start(old, REAUTHENTICATE, next="https://evil.example/"), SUBJECT)
    assert old.get(answer, follow=True).request["PATH_INFO"] == "/auth/security/"


@pytest.mark.parametrize("path", [REAUTHENTICATE, "/auth/oidc/link/"])
def test_at_another_host_name_it_begins_again_at_the_public_address(
    carla: User, provider: Provider, settings: Settings, try_password: TryPassword, path: str
) -> None:
    SocialAccount.objects.create(user=carla, provider=provider.url, uid=SUBJECT)
    browser = Client()
    try_password(client=browser)
    if path == REAUTHENTICATE:
        grow_old(browser)
    address = address_in(browser.post(path, headers={"origin": "http://127.0.0.1:8000"}))
    assert address.startswith(f"{settings.PUBLIC_URL}/auth/")
