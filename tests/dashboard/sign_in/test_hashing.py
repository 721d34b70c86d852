"""A request that must hash a password asks for the lane of hashing first, and has no effect before it runs there."""

from typing import Any

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from amazon_accounts.server.lanes import HASHING, Hashing
from tests.dashboard.sign_in.conftest import PASSWORD, TryPassword
from tokens.models import SignInPace

NEW = "another horse battery"


class RefusingHasher(MD5PasswordHasher):
    """Fails when a password is hashed where hashing is not allowed."""

    is_allowed = True

    def encode(self, password: str, salt: str) -> str:
        assert self.is_allowed, "a password was hashed in a lane that is not for hashing"
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def hashing_refused(carla: User, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PASSWORD_HASHERS = ["tests.dashboard.sign_in.test_hashing.RefusingHasher"]
    monkeypatch.setattr(RefusingHasher, "is_allowed", False)


@pytest.fixture
def boss(db: None) -> Client:
    browser = Client()
    browser.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return browser


def post(client: Client, path: str, form: dict[str, str], hashing: Hashing) -> Any:
    extra: dict[str, Any] = {HASHING: hashing}
    RefusingHasher.is_allowed = hashing.is_allowed
    return client.post(path, form, **extra)


@pytest.mark.parametrize("name", ["carla", "nobody"])
def test_a_login_asks_for_the_lane_and_takes_a_turn_only_there(name: str, try_password: TryPassword) -> None:
    hashing = Hashing()
    try_password("wrong", name, **{HASHING: hashing})
    assert hashing.is_wanted
    assert not hashing.is_known
    assert not SignInPace.objects.exists()


def test_the_right_password_signs_in_from_the_lane(carla: User) -> None:
    client, form = Client(), {"login": "carla", "password": PASSWORD}
    post(client, "/auth/login/", form, Hashing())
    assert "_auth_user_id" not in client.session
    post(client, "/auth/login/", form, Hashing(is_allowed=True))
    assert client.session["_auth_user_id"] == str(carla.pk)


def test_a_throttled_login_is_refused_without_the_lane(try_password: TryPassword) -> None:
    for _ in range(5):
        RefusingHasher.is_allowed = True
        try_password("wrong", REMOTE_ADDR="198.51.100.7", **{HASHING: Hashing(is_allowed=True)})
    hashing = Hashing()
    RefusingHasher.is_allowed = False
    refused = try_password("wrong", REMOTE_ADDR="198.51.100.7", **{HASHING: hashing})
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert not hashing.is_wanted


def test_a_form_without_a_password_is_answered_without_the_lane(try_password: TryPassword) -> None:
    hashing = Hashing()
    assert try_password("", **{HASHING: hashing}).status_code == 200
    assert not hashing.is_wanted


def test_a_browser_in_which_the_person_has_signed_in_is_known(carla: User) -> None:
    client, form = Client(), {"login": "carla", "password": PASSWORD}
    post(client, "/auth/login/", form, Hashing(is_allowed=True))
    client.post("/auth/logout/")
    hashing = Hashing()
    post(client, "/auth/login/", form, hashing)
    assert hashing == Hashing(is_wanted=True, is_known=True)
    of_another = Hashing()
    post(client, "/auth/login/", form | {"login": "nobody"}, of_another)
    assert of_another == Hashing(is_wanted=True, is_known=False)


def test_a_person_who_is_signed_in_changes_their_password_in_the_lane(carla: User) -> None:
    client = Client()
    client.force_login(carla)
    form = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    hashing = Hashing()
    # More often than passwords may be changed.
    for _ in range(10):
        post(client, "/auth/password/change/", form, hashing)
    assert hashing == Hashing(is_wanted=True, is_known=True)
    changed = post(client, "/auth/password/change/", form, Hashing(is_allowed=True))
    assert changed.status_code == 302
    assert User.objects.get().check_password(NEW)


def test_a_person_shows_their_password_again_in_the_lane(carla: User) -> None:
    client = Client()
    client.force_login(carla)
    hashing = Hashing()
    post(client, "/auth/reauthenticate/", {"password": PASSWORD}, hashing)
    assert hashing == Hashing(is_wanted=True, is_known=True)


def test_a_new_password_by_mail_is_hashed_in_the_lane(carla: User) -> None:
    client = Client()
    key = f"{user_pk_to_url_str(carla)}-{default_token_generator.make_token(carla)}"
    page = client.get(f"/auth/password/reset/key/{key}/")
    form, hashing = {"password1": NEW, "password2": NEW}, Hashing()
    post(client, page["Location"], form, hashing)
    assert hashing == Hashing(is_wanted=True, is_known=True)
    post(client, page["Location"], form, Hashing(is_allowed=True))
    assert User.objects.get().check_password(NEW)


@pytest.mark.parametrize("path", ["/admin/auth/user/add/", "/admin/auth/user/{}/password/"])
def test_the_password_of_somebody_else_is_hashed_in_the_lane(path: str, carla: User, boss: Client) -> None:
    form, hashing = (
        {"username": "new", "usable_password": "true", "password1": NEW, "password2": NEW},
        Hashing(),
    )
    post(boss, path.format(carla.pk), form, hashing)
    assert hashing == Hashing(is_wanted=True, is_known=True)
    assert post(boss, path.format(carla.pk), form, Hashing(is_allowed=True)).status_code == 302


@pytest.mark.parametrize(
    "path", ["/auth/reauthenticate/", "/auth/password/change/", "/auth/password/reset/key/1-set-password/"]
)
def test_nobody_without_a_session_takes_a_place_in_the_lane(path: str) -> None:
    hashing = Hashing()
    post(Client(), path, {"password": PASSWORD}, hashing)
    assert not hashing.is_wanted
