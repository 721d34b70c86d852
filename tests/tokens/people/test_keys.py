"""API keys: who makes them, what is stored, and when they are refused."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.api_keys import new_key
from tests.processes import run
from tests.sick_database import read_only
from tests.teams import team_of
from tokens.models import ApiKey
from tokens.people.keys import (
    count_api_keys,
    digest_key,
    end_api_keys,
    find_api_key,
    make_api_key,
    make_team_key,
    revoke_api_key,
)
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db

LIST = "/api/v1/accounts/"


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", is_staff=True)


def ask(key: str, address: str = LIST, **extra: Any) -> int:
    return Client().get(address, headers={"Authorization": f"Bearer {key}"}, **extra).status_code


class TestMaking:
    def test_a_person_makes_a_key_of_the_own(self, alice: User) -> None:
        made, key = make_api_key(alice, alice, name="  Nightly \n report ", days=7)
        assert ask(key) == 200
        assert made.name == "Nightly report"
        assert (made.user, made.team, made.role) == (alice, None, "")
        assert made.expires_at == made.created_at + timedelta(days=7)

    def test_it_is_recognised_by_its_beginning_and_stored_as_a_digest(self, alice: User) -> None:
        made, key = make_api_key(alice, alice, name="Report")
        assert key.startswith("aak_")
        assert len(key) == 47
        assert made.beginning == key[:12]
        assert made.digest == digest_key(key)
        assert key not in str(ApiKey.objects.values().get())
        assert key not in repr(made)

    def test_two_keys_differ(self, alice: User) -> None:
        assert make_api_key(alice, alice, name="a")[1] != make_api_key(alice, alice, name="a")[1]

    def test_nobody_makes_a_key_of_another_person(self, alice: User) -> None:
        with pytest.raises(PermissionDenied):
            make_api_key(User.objects.create_superuser("root"), alice, name="Report")
        assert not ApiKey.objects.exists()

    def test_nobody_who_is_not_signed_in_makes_a_key(self, alice: User) -> None:
        with pytest.raises(PermissionDenied):
            make_api_key(AnonymousUser(), alice, name="Report")  # type: ignore[arg-type]

    @pytest.mark.parametrize("right", ["is_active", "is_staff"])
    def test_a_person_who_may_not_sign_in_gets_none(self, alice: User, right: str) -> None:
        setattr(alice, right, False)
        for user in (alice, SYSTEM):
            with pytest.raises(ValidationError, match="may not sign in"):
                make_api_key(user, alice, name="Report")

    @pytest.mark.parametrize("days", [0, -1, 366])
    def test_the_days_are_limited(self, alice: User, days: int) -> None:
        with pytest.raises(ValidationError, match="1 to 365 days"):
            make_api_key(alice, alice, name="Report", days=days)

    @pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\x1b[2J", "\u202egnorw"])
    def test_the_name_is_a_short_line(self, alice: User, name: str) -> None:
        with pytest.raises(ValidationError):
            make_api_key(alice, alice, name=name)
        assert not ApiKey.objects.exists()

    def test_the_database_refuses_a_longer_life(self, alice: User) -> None:
        new_key(alice, days=365)
        with pytest.raises(IntegrityError, match="api_key_lives_one_year_at_most"):
            ApiKey.objects.update(expires_at=F("created_at") + timedelta(days=366))

    def test_a_key_makes_and_ends_no_key(self, alice: User) -> None:
        found = find_api_key(new_key(alice), None)
        assert found is not None
        user, key = found
        team = team_of(alice, Role.ADMINISTRATOR)
        for deed in (
            lambda: make_api_key(user, user, name="Another"),
            lambda: make_team_key(user, team, name="Another", role="viewer"),
            lambda: revoke_api_key(user, key),
            lambda: end_api_keys(user, user),
        ):
            with pytest.raises(PermissionDenied, match="not with a key"):
                deed()
        assert ApiKey.objects.count() == 1


class TestUse:
    def test_it_says_when_and_from_where(self, alice: User) -> None:
        key = new_key(alice)
        assert ask(key, REMOTE_ADDR="192.0.2.7") == 200
        used = ApiKey.objects.annotate(age=Now() - F("last_used_at")).get()
        assert used.last_used_from == "192.0.2.7"
        assert vars(used)["age"] < timedelta(minutes=1)

    def test_it_is_written_once_a_minute(
        self, alice: User, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = new_key(alice)
        # The key, and the UPDATE between a savepoint and its release.
        with django_assert_num_queries(4):
            find_api_key(key, "192.0.2.7")
        with django_assert_num_queries(1):
            find_api_key(key, "192.0.2.8")
        assert ApiKey.objects.get().last_used_from == "192.0.2.7"
        ApiKey.objects.update(last_used_at=Now() - timedelta(seconds=61))
        find_api_key(key, "192.0.2.8")
        assert ApiKey.objects.get().last_used_from == "192.0.2.8"

    def test_a_refused_key_notes_no_use(self, alice: User) -> None:
        key = new_key(alice, days=-1)
        assert ask(key) == 401
        assert ApiKey.objects.get().last_used_at is None

    @pytest.mark.parametrize("key", ["", "aak_", "x" * 201, "ä", "a b", "a\n"])
    def test_what_cannot_be_a_key_asks_no_database(
        self, db: None, django_assert_num_queries: DjangoAssertNumQueries, key: str
    ) -> None:
        with django_assert_num_queries(1 if key == "aak_" else 0):
            assert find_api_key(key, None) is None


class TestRevocation:
    def test_a_person_ends_one_key(self, alice: User) -> None:
        kept, key = new_key(alice), new_key(alice)
        assert revoke_api_key(alice, ApiKey.objects.get(digest=digest_key(key)))
        assert ask(key) == 401
        assert ask(kept) == 200

    def test_a_second_time_finds_nothing(self, alice: User) -> None:
        new_key(alice)
        key = ApiKey.objects.get()
        assert revoke_api_key(alice, key)
        assert not revoke_api_key(alice, key)

    def test_a_superuser_ends_the_key_of_another_person(self, alice: User) -> None:
        key = new_key(alice)
        revoke_api_key(User.objects.create_superuser("root"), ApiKey.objects.get())
        assert ask(key) == 401

    def test_another_person_does_not(self, alice: User, bob: User) -> None:
        key = new_key(alice)
        with pytest.raises(PermissionDenied, match=r"tokens\.delete_apikey"):
            revoke_api_key(bob, ApiKey.objects.get())
        assert ask(key) == 200

    def test_keys_that_have_ended_are_not_counted(self, alice: User) -> None:
        new_key(alice)
        new_key(alice, days=-1)
        assert count_api_keys(alice) == 1


@pytest.mark.django_db(transaction=True)
def test_a_standby_is_read_all_the_same(alice: User) -> None:
    key = new_key(alice)
    with read_only():
        assert ask(key) == 200
    assert ApiKey.objects.get().last_used_at is None


@pytest.mark.django_db(transaction=True)
def test_a_key_that_another_process_has_ended_is_refused_at_once(alice: User) -> None:
    key = new_key(alice)
    assert ask(key) == 200
    done = run("api_token", "--revoke", str(ApiKey.objects.get().pk))
    assert done.returncode == 0, done.stderr
    assert ask(key) == 401


def test_the_digest_is_the_one_of_keys_that_knox_made(alice: User) -> None:
    # Keys of version 0.2 are 64 hexadecimal digits, and their rows were taken over.
    key = "4524ddd7d1d3d48862dc486d1aeb65d1f940d18953be29cfcc0ba730e9f59f73"
    digest = (
        "d524e0ce82b1d158fdae1037e675726a4e14fd2c9035f51a2fb7b62d88e8e97c"
        "64b5b70d7407b98c3207aa6e2d068f330a353c039dbfdee814e9a30e2103d0fe"
    )
    ApiKey.objects.create(
        name="Old", beginning=key[:12], digest=digest, user=alice, expires_at=Now() + timedelta(days=3650)
    )
    assert ask(key) == 200
