"""`manage.py api_token`: API tokens for people."""

import io
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from knox.models import AuthToken
from knox.settings import knox_settings
from rest_framework.test import APIClient

from amazon_accounts.postgresql.clock import database_now

pytestmark = pytest.mark.django_db


def run_api_token(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("api_token", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def time_until_expiry() -> timedelta:
    expiry = AuthToken.objects.get().expiry
    assert isinstance(expiry, datetime)
    return expiry - timezone.now()


def test_the_printed_token_opens_the_api(alice: User) -> None:
    printed, _ = run_api_token("alice")
    headers = {"Authorization": f"Token {printed.strip()}"}
    assert APIClient().get("/api/v1/accounts/", headers=headers).status_code == 200


@pytest.mark.usefixtures("wrong_clock")
def test_its_times_are_those_of_the_database(alice: User) -> None:
    _, said = run_api_token("alice", "--days", "1")
    token = AuthToken.objects.get()
    assert abs(token.created - database_now()) < timedelta(seconds=20)
    assert token.expiry == token.created + timedelta(days=1)
    assert f"{token.expiry:%Y-%m-%d %H:%M}" in said


def test_only_the_token_is_on_standard_output(alice: User) -> None:
    printed, said = run_api_token("alice")
    assert len(printed.split()) == 1
    assert "It is shown only now." in said
    assert printed.strip() not in said


def test_only_a_digest_of_the_token_is_stored(alice: User) -> None:
    printed, _ = run_api_token("alice")
    assert printed.strip() not in str(AuthToken.objects.values().get())


def test_a_token_is_valid_for_the_usual_time(alice: User) -> None:
    run_api_token("alice")
    assert abs(time_until_expiry() - knox_settings.TOKEN_TTL) < timedelta(minutes=1)


@pytest.mark.parametrize("days", [1, 3, 3650])
def test_a_token_is_valid_for_the_days_that_are_asked_for(alice: User, days: int) -> None:
    run_api_token("alice", "--days", str(days))
    assert abs(time_until_expiry() - timedelta(days=days)) < timedelta(minutes=1)


def test_a_person_may_have_several_tokens(alice: User) -> None:
    first, second = run_api_token("alice"), run_api_token("alice")
    assert first != second
    assert AuthToken.objects.filter(user=alice).count() == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["carol"], "There is no user “carol”."),
        (["alice", "--days", "0"], "--days must be from 1 to 3650."),
        (["alice", "--days", "-1"], "--days must be from 1 to 3650."),
        (["alice", "--days", "3651"], "--days must be from 1 to 3650."),
        (["alice", "--days", "soon"], "invalid int value"),
        (["gone"], "“gone” may not sign in."),
        ([], "required: USER"),
    ],
)
def test_bad_input_makes_no_token(alice: User, arguments: list[str], words: str) -> None:
    User.objects.create_user("gone", is_active=False)
    with pytest.raises(CommandError) as raised:
        run_api_token(*arguments)
    assert words in str(raised.value)
    assert not AuthToken.objects.exists()
