"""Authenticator apps and recovery codes, how their secrets are stored, and who must have a second factor."""

import json
import re
import time
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from cryptography.fernet import Fernet
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.permissions import create_missing_groups
from tests.dashboard.sign_in.conftest import TryPassword
from tokens.key_rotation import rotate

SetUp = Callable[[Client], str]


def code(secret: str, steps_from_now: int = 0) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps_from_now)))


@pytest.fixture
def home(carla: User, try_password: TryPassword) -> Client:
    """A browser in which Carla has just signed in."""
    client = Client()
    try_password(client=client)
    return client


def set_up_app(client: Client) -> str:
    page = client.get("/auth/2fa/totp/activate/").content.decode()
    found = re.search(r'value="([A-Z2-7]{32})"', page)
    assert found, page
    response = client.post("/auth/2fa/totp/activate/", {"code": code(found.group(1), -1)})
    assert response.status_code == 302
    return found.group(1)


def test_the_login_asks_for_the_code_of_the_app(home: Client, try_password: TryPassword) -> None:
    secret = set_up_app(home)
    client = Client()
    assert try_password(client=client)["Location"] == "/auth/2fa/authenticate/"
    assert client.get("/auth/security/").status_code == 302, "a password alone opens nothing"
    assert "Incorrect code" in client.post("/auth/2fa/authenticate/", {"code": "000000"}).content.decode()
    right = client.post("/auth/2fa/authenticate/", {"code": code(secret)})
    assert right["Location"] == "/"
    assert client.get("/auth/security/").status_code == 200


def test_a_code_works_once(home: Client, try_password: TryPassword) -> None:
    secret = set_up_app(home)
    used = code(secret)
    answers = []
    for _ in range(2):
        client = Client()
        try_password(client=client)
        answers.append(client.post("/auth/2fa/authenticate/", {"code": used}).status_code)
    assert answers == [302, 200]


def test_a_recovery_code_works_once_in_place_of_the_app(home: Client, try_password: TryPassword) -> None:
    set_up_app(home)
    page = home.get("/auth/2fa/recovery-codes/").content.decode()
    recovery = re.findall(r"\b\d{8}\b", page)[0]
    answers = []
    for _ in range(2):
        client = Client()
        try_password(client=client)
        answers.append(client.post("/auth/2fa/authenticate/", {"code": recovery}).status_code)
    assert answers == [302, 200]


def test_codes_cannot_be_guessed(home: Client, try_password: TryPassword) -> None:
    secret = set_up_app(home)
    client = Client()
    try_password(client=client)
    for number in range(5):
        client.post("/auth/2fa/authenticate/", {"code": f"00000{number}"})
    page = client.post("/auth/2fa/authenticate/", {"code": code(secret)})
    assert "Too many" in page.content.decode()


def test_the_secrets_are_stored_encrypted_and_rotated_with_the_tokens(
    home: Client, try_password: TryPassword, settings: Settings
) -> None:
    secret = set_up_app(home)
    stored = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert stored.count('"v2.') == 2
    newest = Fernet.generate_key().decode()
    settings.TOKEN_ENCRYPTION_KEYS = [newest, *settings.TOKEN_ENCRYPTION_KEYS]
    assert rotate() == {"rotated": 2, "current": 0, "unreadable": 0}
    settings.TOKEN_ENCRYPTION_KEYS = [newest]
    client = Client()
    try_password(client=client)
    assert client.post("/auth/2fa/authenticate/", {"code": code(secret)}).status_code == 302
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert rotate() == {"rotated": 0, "current": 0, "unreadable": 2}


def test_factors_are_managed_after_the_password_was_asked_again(carla: User) -> None:
    client = Client()
    client.force_login(carla)
    response = client.get("/auth/2fa/totp/activate/")
    assert response["Location"].startswith("/auth/reauthenticate/")


@pytest.mark.parametrize("address", ["/accounts/", "/admin/", "/"])
def test_everybody_can_be_required_to_have_a_second_factor(
    home: Client, settings: Settings, address: str
) -> None:
    settings.REQUIRE_MFA = "everybody"
    assert home.get(address)["Location"] == "/auth/2fa/?required=1"
    assert home.get("/api/v1/accounts/").status_code == 403
    assert home.get(address, headers={"HX-Request": "true"})["HX-Redirect"] == "/auth/2fa/?required=1"
    assert "asks you for a second factor" in home.get("/auth/2fa/?required=1").content.decode()
    set_up_app(home)
    assert home.get(address).status_code != 302


def test_only_administrators_can_be_required_to_have_one(
    home: Client, carla: User, settings: Settings
) -> None:
    settings.REQUIRE_MFA = "administrators"
    create_missing_groups("default")
    carla.groups.set(Group.objects.filter(name="Operator"))
    assert home.get("/accounts/").status_code == 200
    carla.groups.set(Group.objects.filter(name="Administrator"))
    assert home.get("/accounts/")["Location"] == "/auth/2fa/?required=1"


def test_a_probe_is_answered_without_a_look_at_the_session(
    home: Client, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.REQUIRE_MFA = "everybody"
    with django_assert_num_queries(0):
        assert home.get("/healthz").status_code == 200


def test_strangers_and_keys_of_the_api_are_asked_for_no_factor(settings: Settings, db: None) -> None:
    settings.REQUIRE_MFA = "everybody"
    assert Client().get("/accounts/")["Location"] == "/auth/login/?next=/accounts/"
    assert Client().get("/api/v1/accounts/").status_code == 401


def test_a_superuser_can_delete_a_lost_factor_and_sees_no_secret(home: Client) -> None:
    set_up_app(home)
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    factor = Authenticator.objects.get(type="totp")
    page = root.get(f"/admin/mfa/authenticator/{factor.pk}/change/").content.decode()
    assert "v2." not in page
    assert root.get("/admin/mfa/authenticator/").status_code == 200
    root.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.filter(pk=factor.pk).exists()
    assert root.get("/admin/socialaccount/socialtoken/").status_code == 404
