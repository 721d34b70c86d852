"""Authenticator apps and recovery codes, how their secrets are stored, and who must have a second factor."""

import json
import re
import time
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from tests.dashboard.sign_in.conftest import PASSWORD, TryPassword
from tests.teams import set_role
from tokens.encryption import MisplacedSecretError
from tokens.key_rotation import rotate
from tokens.models import Session
from tokens.people.roles import Role

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
    secret = found.group(1)
    # The half minute of a code may end on its way. The code of the half minute before leaves this one unused.
    answers = (client.post("/auth/2fa/totp/activate/", {"code": code(secret, -1)}) for _ in range(2))
    assert any(answer.status_code == 302 for answer in answers)
    return secret


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


def test_a_sixth_wrong_code_is_refused_with_the_time_to_wait_and_each_has_one_line_in_the_log(
    home: Client, carla: User, try_password: TryPassword, caplog: pytest.LogCaptureFixture
) -> None:
    secret = set_up_app(home)
    client = Client()
    try_password(client=client)
    caplog.clear()
    answers = [
        client.post("/auth/2fa/authenticate/", {"code": f"00000{number}"}, REMOTE_ADDR="198.51.100.7")
        for number in range(5)
    ]
    assert [answer.status_code for answer in answers] == [200] * 5
    right = client.post("/auth/2fa/authenticate/", {"code": code(secret)}, REMOTE_ADDR="198.51.100.8")
    assert right.status_code == 429, "the right code is not tried either"
    assert 1 <= int(right["Retry-After"]) <= 60
    who = f"a second factor of 'carla' (user {carla.pk}) from 198.51.100"
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:5] == [f"Refused {who}.7."] * 5
    assert lines[5].startswith(f"Throttled {who}.8 for ")
    assert len([line for line in lines if "second factor" in line]) == 6
    assert client.get("/auth/security/").status_code == 302


def test_a_known_browser_is_not_held_back_by_wrong_codes_from_elsewhere(
    home: Client, try_password: TryPassword
) -> None:
    secret = set_up_app(home)
    home.post("/auth/logout/")
    stranger = Client()
    try_password(client=stranger)
    for number in range(6):
        answer = stranger.post("/auth/2fa/authenticate/", {"code": f"00000{number}"})
    assert answer.status_code == 429
    try_password(client=home)
    assert home.post("/auth/2fa/authenticate/", {"code": code(secret)})["Location"] == "/"


def test_right_codes_use_up_no_tries(home: Client, carla: User, try_password: TryPassword) -> None:
    set_up_app(home)
    page = home.get("/auth/2fa/recovery-codes/").content.decode()
    for recovery in re.findall(r"\b\d{8}\b", page)[:8]:
        client = Client()
        try_password(client=client)
        assert client.post("/auth/2fa/authenticate/", {"code": recovery}).status_code == 302


def test_a_wrong_code_is_limited_and_logged_when_a_person_is_asked_again(
    home: Client, carla: User, caplog: pytest.LogCaptureFixture
) -> None:
    set_up_app(home)
    client = Client()
    client.force_login(carla)
    caplog.clear()
    answers = [client.post("/auth/2fa/reauthenticate/", {"code": f"00000{number}"}) for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert caplog.text.count("Refused a second factor of 'carla'") == 5


@pytest.mark.parametrize("address", ["/auth/2fa/authenticate/", "/auth/2fa/webauthn/login/"])
def test_a_forged_passkey_is_refused_with_one_line_in_the_log(
    home: Client, try_password: TryPassword, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    set_up_app(home)
    client = Client()
    if address == "/auth/2fa/authenticate/":
        try_password(client=client)
    caplog.clear()
    forged = {"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "AA"}}
    answer = client.post(address, {"credential": json.dumps(forged)}, REMOTE_ADDR="198.51.100.7")
    assert answer.status_code in {200, 302}
    lines = [record.getMessage() for record in caplog.records if record.name == "tokens.sign_in"]
    assert len(lines) == 1
    assert lines[0].startswith("Refused a")
    assert lines[0].endswith("from 198.51.100.7.")
    assert client.get("/auth/security/").status_code == 302


def test_a_limit_of_allauth_has_one_line_in_the_log(
    client: Client, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(11):
        answer = client.post("/auth/2fa/webauthn/login/", {"credential": "{}"}, REMOTE_ADDR="198.51.100.7")
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert caplog.text.count("Throttled POST /auth/2fa/webauthn/login/ from 198.51.100.7.") == 1


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


def test_a_secret_that_was_copied_to_another_person_or_kind_opens_nothing(
    home: Client, carla: User, try_password: TryPassword, caplog: pytest.LogCaptureFixture
) -> None:
    # Somebody who can write to the database gives Carla the app of Mallory.
    set_up_app(home)
    User.objects.create_user("mallory", password=PASSWORD, is_staff=True)
    mallory = Client()
    try_password(client=mallory, name="mallory")
    secret = set_up_app(mallory)
    copied = Authenticator.objects.get(user__username="mallory", type="totp").data
    Authenticator.objects.filter(user=carla, type="totp").update(data=copied)
    client = Client()
    try_password(client=client)
    caplog.clear()
    answer = client.post("/auth/2fa/authenticate/", {"code": code(secret)})
    assert "Incorrect code" in answer.content.decode()
    assert f"The second factor of 'carla' (user {carla.pk}) cannot be read." in caplog.text
    assert client.get("/auth/security/").status_code == 302
    assert rotate() == {"rotated": 0, "current": 3, "unreadable": 1}


def test_a_factor_is_not_saved_for_another_person(home: Client) -> None:
    set_up_app(home)
    factor = Authenticator.objects.get(type="totp")
    factor.user = User.objects.create_user("mallory")
    with pytest.raises(MisplacedSecretError):
        factor.save()
    assert Authenticator.objects.get(type="totp").user.username == "carla"


NO_PASSKEYS = [
    *("0", "false", "0.0", "[]", "{}", '""', "null", "x", "1", "NaN", "[" * 100_000),
    *('{"id": "AA"}', '{"a": "\\ud800"}', '{"id": 1, "rawId": [], "type": {}, "response": 1}'),
    '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}',
    (
        '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "e30",'
        ' "userHandle": "\\ud800", "attestationObject": "oA", "authenticatorData": "AA", "signature": "AA"}}'
    ),
]


@pytest.mark.parametrize("credential", NO_PASSKEYS)
def test_what_is_no_passkey_is_not_stored(home: Client, settings: Settings, credential: str) -> None:
    settings.REQUIRE_MFA = "everybody"
    home.get("/auth/2fa/webauthn/add/")
    answer = home.post("/auth/2fa/webauthn/add/", {"name": "key", "credential": credential})
    assert answer.status_code == 200
    assert not Authenticator.objects.exists()
    assert home.get("/accounts/").status_code == 302, "this person still has no second factor"


def test_a_prober_fills_no_table_with_challenges(db: None) -> None:
    allowed = 0
    # On a busy machine some of the limit of a minute comes back before it is used up.
    for _ in range(200):
        answer = Client().get(
            "/auth/2fa/webauthn/login/", headers={"Accept": "application/json"}, REMOTE_ADDR="198.51.100.7"
        )
        if answer.status_code != 200:
            break
        allowed += 1
    assert answer.status_code == 429
    assert allowed >= 60
    assert int(answer["Retry-After"]) <= 2
    assert Session.objects.count() == allowed


@pytest.mark.parametrize("credential", NO_PASSKEYS)
def test_what_is_no_passkey_signs_nobody_in(db: None, credential: str) -> None:
    client = Client()
    client.get("/auth/2fa/webauthn/login/", headers={"X-Requested-With": "XMLHttpRequest"})
    answer = client.post("/auth/2fa/webauthn/login/", {"credential": credential})
    assert answer["Location"] == "/auth/login/"
    assert client.get("/auth/security/").status_code == 302


@pytest.mark.parametrize("action", ["edit", "remove"])
def test_a_passkey_of_another_person_is_not_found(home: Client, action: str) -> None:
    mallory = User.objects.create_user("mallory")
    passkey = Authenticator.objects.create(user=mallory, type="webauthn", data={"name": "mine"})
    address = f"/auth/2fa/webauthn/keys/{passkey.pk}/{action}/"
    assert home.get(address).status_code == 404
    assert home.post(address, {"name": "yours"}).status_code == 404
    passkey.refresh_from_db()
    assert passkey.data == {"name": "mine"}


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
    set_role(carla, Role.OPERATOR)
    assert home.get("/accounts/").status_code == 200
    set_role(carla, Role.ADMINISTRATOR)
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
    # The recovery codes stood in for the factor, and would pass for it.
    assert not Authenticator.objects.exists()
    assert root.get("/admin/socialaccount/socialtoken/").status_code == 404
