"""A new password ends sessions, and the end of a person's rights ends sessions and API keys, whatever wrote it."""

import getpass
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client

from tests.api_keys import new_key
from tests.tokens.people.conftest import Browser, is_signed_in
from tokens.models import ApiKey, Session
from tokens.people.sessions import digest_key

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "a-quite-new-password"


def write_by_sql(user: User, **values: bool) -> None:
    with connection.cursor() as cursor:
        for name, value in values.items():
            assert name in {"is_active", "is_staff"}
            cursor.execute(f"UPDATE auth_user SET {name} = %s WHERE id = %s", [value, user.pk])  # noqa: S608


def write_by_model(user: User, **values: bool) -> None:
    for name, value in values.items():
        setattr(user, name, value)
    user.save()


def write_by_queryset(user: User, **values: bool) -> None:
    User.objects.filter(pk=user.pk).update(**values)


def write_by_admin(user: User, **values: bool) -> None:
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    form = {"username": user.username, "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    rights = {"is_active": True, "is_staff": True, **values}
    form |= {name: "on" for name, value in rights.items() if value}
    assert root.post(f"/admin/auth/user/{user.pk}/change/", form).status_code == 302


WRITERS = [write_by_sql, write_by_model, write_by_queryset, write_by_admin]


def key_of(user: User) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Token {new_key(user)}"}}


class TestRights:
    @pytest.mark.parametrize("write", WRITERS)
    @pytest.mark.parametrize("right", ["is_active", "is_staff"])
    def test_their_end_ends_sessions_and_keys_for_good(
        self, alice: User, new_browser: Browser, write: Callable[..., None], right: str
    ) -> None:
        browser, key = new_browser(), key_of(alice)
        assert Client().get("/api/v1/accounts/", **key).status_code == 200
        write(alice, **{right: False})
        assert not Session.objects.filter(user=alice).exists()
        assert not ApiKey.objects.filter(user=alice).exists()
        # Not even when the right comes back.
        write_by_queryset(alice, **{right: True})
        assert not is_signed_in(browser)
        assert Client().get("/api/v1/accounts/", **key).status_code == 401

    def test_another_change_ends_nothing(self, alice: User, new_browser: Browser) -> None:
        browser, key = new_browser(), key_of(alice)
        alice.email = "new@example.test"
        alice.is_superuser = True
        alice.save()
        assert is_signed_in(browser)
        assert Client().get("/api/v1/accounts/", **key).status_code == 200

    def test_another_person_keeps_sessions_and_keys(self, alice: User) -> None:
        bob = User.objects.create_user("bob", is_staff=True)
        browser, key = Client(), key_of(bob)
        browser.force_login(bob)
        write_by_queryset(alice, is_active=False)
        assert is_signed_in(browser)
        assert Client().get("/api/v1/accounts/", **key).status_code == 200

    @pytest.mark.parametrize("right", ["is_active", "is_staff"])
    def test_a_key_of_a_person_without_them_is_refused(self, alice: User, right: str) -> None:
        write_by_queryset(alice, **{right: False})
        assert Client().get("/api/v1/accounts/", **key_of(alice)).status_code == 401

    def test_a_session_of_a_person_who_is_not_staff_does_not_open_the_api(self, alice: User) -> None:
        write_by_queryset(alice, is_staff=False)
        browser = Client()
        browser.force_login(User.objects.get(pk=alice.pk))
        assert browser.get("/api/v1/accounts/").status_code == 403


class TestPassword:
    def test_the_own_page_ends_all_other_sessions_and_offers_to_end_the_keys(
        self, alice: User, new_browser: Browser
    ) -> None:
        here, there = new_browser(), new_browser()
        keys = [key_of(alice), key_of(alice)]
        form = {"oldpassword": "alice-password", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
        page = here.post("/auth/password/change/", form, follow=True)
        assert Session.objects.get(user=alice).key_digest == digest_key(
            here.cookies[settings.SESSION_COOKIE_NAME].value
        )
        assert not is_signed_in(there)
        assert "End your 2 API keys too" in " ".join(page.content.decode().split())
        assert Client().get("/api/v1/accounts/", **keys[0]).status_code == 200
        here.post("/auth/sessions/end-keys/")
        assert not ApiKey.objects.exists()
        assert Client().get("/api/v1/accounts/", **keys[0]).status_code == 401

    def test_a_superuser_who_sets_it_is_offered_to_end_the_keys(
        self, alice: User, new_browser: Browser
    ) -> None:
        browser, _ = new_browser(), key_of(alice)
        root = Client()
        root.force_login(User.objects.create_superuser("root"))
        form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
        answer = root.post(f"/admin/auth/user/{alice.pk}/password/", form)
        offer = f"/admin/auth/user/{alice.pk}/end-keys/"
        assert answer["Location"] == offer
        assert not Session.objects.filter(user=alice).exists()
        assert not is_signed_in(browser)
        assert "End 1 API key" in root.get(offer).content.decode()
        assert ApiKey.objects.exists()
        root.post(offer)
        assert not ApiKey.objects.exists()

    def test_a_person_who_only_changes_users_cannot_end_their_keys(self, alice: User) -> None:
        key_of(alice)
        browser = Client()
        browser.force_login(User.objects.create_user("carol", is_staff=True))
        assert browser.post(f"/admin/auth/user/{alice.pk}/end-keys/").status_code == 403
        assert ApiKey.objects.exists()

    def test_the_command_ends_all_sessions(
        self, alice: User, new_browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        new_browser()
        monkeypatch.setattr(getpass, "getpass", lambda **_: NEW_PASSWORD)
        call_command("changepassword", "alice")
        assert not Session.objects.filter(user=alice).exists()

    def test_a_write_without_the_model_ends_all_sessions(self, alice: User, new_browser: Browser) -> None:
        new_browser()
        User.objects.filter(pk=alice.pk).update(password="!")
        assert not Session.objects.filter(user=alice).exists()
