"""Signing in at a real provider: who becomes whom, and what is asked and stored."""

import base64
import hashlib
import logging
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.dashboard.conftest import squeeze
from tests.dashboard.sign_in.conftest import PASSWORD, TryPassword
from tests.dashboard.sign_in.oidc.conftest import (
    CALLBACK,
    SECRET,
    START,
    Provider,
    SignOn,
    address_in,
    parameters_of,
    person_at,
    start,
)
from tests.public_url import browser_at_public_url
from tests.teams import join
from tokens.models import SignInPace
from tokens.people.roles import Role
from tokens.sign_in.oidc.links import must_use_provider


def test_who_signs_in_first_has_no_rights_and_reads_whom_to_ask(sign_on: SignOn, provider: Provider) -> None:
    provider.know("s-1", preferred_username="nina", name="Nina Berg", email="Nina@example.com")
    browser = browser_at_public_url()
    assert sign_on(client=browser, next="/connections/")["Location"] == "/connections/"
    nina = User.objects.get()
    assert (nina.username, nina.first_name, nina.last_name, nina.email) == (
        "nina",
        "Nina",
        "Berg",
        "nina@example.com",
    )
    assert (nina.is_staff, nina.is_superuser, nina.is_active) == (False, False, True)
    assert not nina.memberships.exists()
    assert not nina.has_usable_password()
    page = browser.get("/connections/", follow=True)
    assert page.status_code == 403
    text = squeeze(page.content.decode())
    assert "You have no rights here yet" in text
    assert "signed in as<strong>nina</strong>" in text
    assert "Ask an administrator" in text
    assert browser.post("/auth/logout/")["Location"] == "/auth/login/"
    assert browser.get("/api/v1/accounts/").status_code == 401


def test_nobody_gets_a_password_past_the_provider(sign_on: SignOn, carla: User) -> None:
    browser = browser_at_public_url()
    sign_on(client=browser)
    answer = browser.post("/auth/password/set/", {"password1": PASSWORD, "password2": PASSWORD})
    assert answer.status_code == 403
    person = person_at(browser)
    assert person is not None
    assert not person.has_usable_password()
    # A passkey does not replace the provider either.
    assert must_use_provider(person)
    assert not must_use_provider(carla)


def test_rights_that_are_given_hold_at_the_next_sign_in(sign_on: SignOn) -> None:
    sign_on()
    user = User.objects.get()
    User.objects.update(is_staff=True)
    join(user, "Main", Role.VIEWER)
    browser = browser_at_public_url()
    sign_on(client=browser)
    assert person_at(browser) == user
    assert browser.get("/accounts/").status_code == 200


def test_a_required_second_factor_does_not_hide_whom_to_ask(sign_on: SignOn, settings: Settings) -> None:
    settings.REQUIRE_MFA = "everybody"
    browser = browser_at_public_url()
    sign_on(client=browser)
    assert browser.get("/", follow=True).status_code == 403
    User.objects.update(is_staff=True)
    assert browser.get("/")["Location"] == "/auth/2fa/?required=1"


def test_an_address_of_mail_never_takes_over_a_person(sign_on: SignOn, provider: Provider) -> None:
    root = User.objects.create_superuser("root", "root@example.com", PASSWORD)
    EmailAddress.objects.create(user=root, email="root@example.com", verified=True, primary=True)
    provider.know("s-1", preferred_username="eve", email="root@example.com", email_verified=True)
    browser = browser_at_public_url()
    sign_on(client=browser)
    eve = person_at(browser)
    assert eve is not None
    assert eve != root
    assert (eve.is_staff, eve.is_superuser) == (False, False)
    assert User.objects.get(pk=root.pk).check_password(PASSWORD)
    assert not SocialAccount.objects.filter(user=root).exists()
    assert EmailAddress.objects.get().user == root


@pytest.mark.parametrize("name", ["root", "ROOT", "ｒｏｏｔ"])
def test_a_name_that_somebody_has_is_given_to_nobody_else(
    sign_on: SignOn, provider: Provider, name: str
) -> None:
    root = User.objects.create_superuser("root")
    provider.know("s-1", preferred_username=name)
    browser = browser_at_public_url()
    sign_on(client=browser)
    newcomer = person_at(browser)
    assert newcomer is not None
    assert newcomer != root
    assert newcomer.username.lower() != "root"


def test_an_address_that_the_provider_has_not_verified_is_left_out(
    sign_on: SignOn, provider: Provider
) -> None:
    provider.know("s-1", email="boss@example.com", email_verified=False)
    sign_on()
    assert User.objects.get().email == ""


def test_the_same_subject_of_another_provider_is_somebody_else(sign_on: SignOn) -> None:
    carla = User.objects.create_user("carla")
    SocialAccount.objects.create(user=carla, provider="https://old.example.com", uid="s-1")
    browser = browser_at_public_url()
    sign_on(client=browser)
    assert person_at(browser) != carla


def test_a_person_who_is_not_active_is_refused(sign_on: SignOn, caplog: pytest.LogCaptureFixture) -> None:
    sign_on()
    User.objects.update(is_active=False, username="nina")
    caplog.clear()
    browser = browser_at_public_url()
    response = sign_on(client=browser)
    assert response["Location"] == "/auth/inactive/"
    assert "not active" in browser.get("/auth/inactive/").content.decode()
    assert person_at(browser) is None
    lines = [record.getMessage() for record in caplog.records if record.name == "tokens.sign_in"]
    assert lines == ["Refused a sign-in as 'nina' from 127.0.0.1: the person is not active."]


def test_the_provider_is_asked_with_pkce_and_a_nonce_and_never_shown_the_secret(
    db: None, provider: Provider, settings: Settings
) -> None:
    settings.PUBLIC_URL = "http://localhost:8000"
    asked = parameters_of(start(browser_at_public_url()))
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == len(asked["nonce"].rstrip("=")) == 43
    assert len(asked["state"]) >= 16
    assert asked["redirect_uri"] == f"http://localhost:8000{CALLBACK}"
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert SECRET not in str(asked)


def test_an_address_cannot_add_scopes_and_parameters(db: None, provider: Provider) -> None:
    query = "?scope=admin&auth_params=prompt%3Dnone&process=redirect"
    asked = parameters_of(start(browser_at_public_url(), START + query))
    assert "admin" not in asked["scope"]
    assert "prompt" not in asked


def test_neither_tokens_nor_claims_are_stored(sign_on: SignOn, provider: Provider) -> None:
    provider.know("s-1", email="nina@example.com", groups=["board"])
    browser = browser_at_public_url()
    sign_on(client=browser)
    assert not SocialToken.objects.exists()
    assert SocialAccount.objects.get().extra_data == {}
    assert "token" not in str(dict(browser.session)).replace("csrftoken", "").replace(
        "tokens.people.backend", ""
    )


def test_it_starts_by_post_alone_on_a_page_that_goes_on(db: None, provider: Provider) -> None:
    browser = browser_at_public_url()
    assert browser.get(START).status_code == 405
    page = browser.post(START)
    assert page["Referrer-Policy"] == "no-referrer"
    assert "form-action 'self'" in page["Content-Security-Policy"]
    assert f'href="{provider.url}' in page.content.decode()
    assert Client(enforce_csrf_checks=True).post(START).status_code == 403


def test_it_leads_to_no_other_site(sign_on: SignOn) -> None:
    assert sign_on(next="https://evil.example/")["Location"] == "/"


def test_at_another_host_name_it_goes_to_the_login_of_the_public_address(
    db: None, provider: Provider, settings: Settings
) -> None:
    page = Client().post(START, {"next": "/accounts/"}, headers={"origin": "http://127.0.0.1:8000"})
    assert address_in(page) == f"{settings.PUBLIC_URL}/auth/login/?next=%2Faccounts%2F"


def test_a_sign_in_is_a_line_in_the_log_and_makes_the_browser_known(
    sign_on: SignOn, caplog: pytest.LogCaptureFixture, provider: Provider
) -> None:
    caplog.set_level(logging.INFO, "tokens.sign_in")
    provider.know("s-1", preferred_username="nina")
    browser = browser_at_public_url()
    sign_on(client=browser)
    assert [record.getMessage() for record in caplog.records if record.name == "tokens.sign_in"] == [
        "Made the person 'nina', who signed in by single sign-on for the first time.",
        "Signed in 'nina' from 127.0.0.1 by single sign-on.",
    ]
    assert "known_browser" in browser.cookies


def test_a_second_factor_that_somebody_has_here_is_asked_too(sign_on: SignOn) -> None:
    from allauth.mfa.totp.internal.auth import TOTP

    sign_on()
    TOTP.activate(User.objects.get(), "A" * 32)
    browser = browser_at_public_url()
    assert sign_on(client=browser)["Location"] == "/auth/2fa/authenticate/"
    assert person_at(browser) is None


def test_starts_from_one_address_are_limited(db: None, provider: Provider) -> None:
    start(browser_at_public_url())
    SignInPace.objects.update(next_at=timezone.now() + timedelta(hours=1))
    answer = browser_at_public_url().post(START)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) >= 1
    assert browser_at_public_url(REMOTE_ADDR="198.51.100.7").post(START).status_code == 200


def test_the_login_shows_the_button_when_a_provider_is_configured(
    client: Client, provider: Provider, settings: Settings, db: None
) -> None:
    page = client.get("/auth/login/?next=/accounts/").content.decode()
    assert "Log in with single sign-on" in page
    assert page.count('name="next" value="/accounts/"') >= 2
    settings.OIDC_SERVER_URL = ""
    assert "single sign-on" not in client.get("/auth/login/").content.decode()


@pytest.mark.parametrize("path", ["login", "callback", "link", "unlink"])
def test_without_a_provider_there_are_no_pages(carla: User, path: str, try_password: TryPassword) -> None:
    browser = Client()
    try_password(client=browser)
    assert browser.get(f"/auth/oidc/{path}/").status_code == 404
    assert browser.post(f"/auth/oidc/{path}/").status_code == 404


def test_the_challenge_fits_the_verifier_of_the_browser(db: None, provider: Provider) -> None:
    browser = browser_at_public_url()
    asked = parameters_of(start(browser))
    state, _, issuer = browser.session["socialaccount_states"][asked["state"]]
    digest = hashlib.sha256(state["pkce_code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
    assert issuer == provider.url
