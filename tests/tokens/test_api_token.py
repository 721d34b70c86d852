"""`manage.py api_token`: API keys for people."""

import io
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from amazon_accounts.postgresql.clock import database_now
from tests.api_keys import new_key
from tests.teams import join
from tokens.models import ApiKey
from tokens.people.roles import Role

pytestmark = pytest.mark.django_db


def run_api_token(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("api_token", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def time_until_expiry() -> timedelta:
    expiry = ApiKey.objects.get().expires_at
    assert isinstance(expiry, datetime)
    return expiry - timezone.now()


def test_the_printed_token_opens_the_api(alice: User) -> None:
    printed, _ = run_api_token("alice")
    headers = {"Authorization": f"Token {printed.strip()}"}
    assert APIClient().get("/api/v1/accounts/", headers=headers).status_code == 200


@pytest.mark.usefixtures("wrong_clock")
def test_its_times_are_those_of_the_database(alice: User) -> None:
    _, said = run_api_token("alice", "--days", "1")
    key = ApiKey.objects.get()
    assert abs(key.created_at - database_now()) < timedelta(seconds=20)
    assert key.expires_at == key.created_at + timedelta(days=1)
    assert f"{key.expires_at:%Y-%m-%d %H:%M}" in said


def test_only_the_token_is_on_standard_output(alice: User) -> None:
    printed, said = run_api_token("alice")
    assert len(printed.split()) == 1
    assert "It is shown only now." in said
    assert printed.strip() not in said


def test_only_a_digest_of_the_token_is_stored(alice: User) -> None:
    printed, _ = run_api_token("alice")
    assert printed.strip() not in str(ApiKey.objects.values().get())


def test_a_token_is_valid_for_the_usual_time(alice: User) -> None:
    run_api_token("alice")
    assert abs(time_until_expiry() - timedelta(days=90)) < timedelta(minutes=1)


@pytest.mark.parametrize("days", [1, 3, 365])
def test_a_token_is_valid_for_the_days_that_are_asked_for(alice: User, days: int) -> None:
    run_api_token("alice", "--days", str(days))
    assert abs(time_until_expiry() - timedelta(days=days)) < timedelta(minutes=1)


def test_a_person_may_have_several_tokens(alice: User) -> None:
    first, second = run_api_token("alice"), run_api_token("alice")
    assert first != second
    assert ApiKey.objects.filter(user=alice).count() == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["carol"], "There is no user “carol”."),
        (["alice", "--days", "0"], "--days must be from 1 to 365."),
        (["alice", "--days", "-1"], "--days must be from 1 to 365."),
        (["alice", "--days", "366"], "--days must be from 1 to 365."),
        (["alice", "--days", "soon"], "invalid int value"),
        (["gone"], "“gone” may not sign in."),
        ([], "required: USER"),
        (["alice", "--name", " "], "Say what the key is for."),
        (["alice", "--name", "x" * 101], "at most 100 characters"),
        (["alice", "--name", "a\x1b[2J"], "no control characters"),
        (["alice", "--list", "--revoke", str(uuid4())], "not allowed with argument"),
        (["--revoke", "x"], "invalid UUID value"),
        (["--revoke", "0193c8a0-0000-7000-8000-000000000001"], "There is no API key"),
        (["carol", "--list"], "There is no user “carol”."),
        (["alice", "--role", "owner"], "invalid choice: 'owner'"),
        (["alice", "--role", "administrator"], "Nobody gives a key a role above their own."),
        (["alice", "--team", "Nowhere"], "alice is in no team with this name."),
    ],
)
def test_bad_input_makes_no_token(alice: User, arguments: list[str], words: str) -> None:
    User.objects.create_user("gone", is_active=False)
    with pytest.raises(CommandError) as raised:
        run_api_token(*arguments)
    assert words in str(raised.value)
    assert not ApiKey.objects.exists()


def test_keys_are_listed_without_the_key(alice: User) -> None:
    User.objects.create_user("bob", is_staff=True)
    keys = [run_api_token(name, "--name", f"Report of {name}")[0].strip() for name in ("alice", "bob")]
    listed, _ = run_api_token("--list")
    of_alice, _ = run_api_token("alice", "--list")
    assert len(listed.splitlines()) == 2
    (line,) = of_alice.splitlines()
    assert line.startswith(str(ApiKey.objects.get(user=alice).pk))
    assert f"{keys[0][:12]}…  alice  “Report of alice”" in line
    assert "never used" in line
    assert not any(key in listed for key in keys)


def test_a_key_is_limited_to_a_team_and_a_role(alice: User) -> None:
    team = join(alice, "North", Role.ADMINISTRATOR)
    run_api_token("alice", "--team", "north", "--role", "tokens")
    key = ApiKey.objects.get()
    assert (key.user, key.team, key.role) == (alice, team, "tokens")
    assert "Tokens in “North”" in run_api_token("--list")[0]


def test_a_key_that_has_ended_is_not_listed(alice: User) -> None:
    new_key(alice, days=-1)
    assert run_api_token("--list")[0] == ""


def test_a_key_is_revoked_at_once(alice: User) -> None:
    printed, _ = run_api_token("alice")
    headers = {"Authorization": f"Bearer {printed.strip()}"}
    assert APIClient().get("/api/v1/accounts/", headers=headers).status_code == 200
    key = ApiKey.objects.get()
    _, said = run_api_token("--revoke", str(key.pk))
    assert "of alice is ended" in said
    assert APIClient().get("/api/v1/accounts/", headers=headers).status_code == 401
    with pytest.raises(CommandError, match="There is no API key"):
        run_api_token("--revoke", str(key.pk))
