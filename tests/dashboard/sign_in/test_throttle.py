"""Guessing passwords: from one address, for one person from many, and what the right person notices."""

from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.dashboard.sign_in.conftest import TryPassword
from tokens.models import SignInPace
from tokens.processes.pruning import prune_tokens_histories


class CountingHasher(MD5PasswordHasher):
    """Counts how often a password is hashed."""

    algorithm = "counting"
    hashed = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).hashed += 1
        return super().encode(password, salt)


def test_a_sixth_wrong_password_is_refused_with_the_time_to_wait(
    carla: User, try_password: TryPassword
) -> None:
    answers = [try_password("wrong", REMOTE_ADDR="198.51.100.7") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert "Too many tries" in answers[-1].content.decode()
    right = try_password(REMOTE_ADDR="198.51.100.7")
    assert right.status_code == 429, "the right password is not tried either"


def test_a_refused_try_is_not_hashed_and_logged_once(
    carla: User, try_password: TryPassword, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.PASSWORD_HASHERS = ["tests.dashboard.sign_in.test_throttle.CountingHasher"]
    for _ in range(5):
        try_password("wrong", "nobody", REMOTE_ADDR="198.51.100.7")
    hashed = CountingHasher.hashed
    assert hashed >= 5, "an unknown name costs as much as a known name"
    caplog.clear()
    try_password("wrong", "nobody", REMOTE_ADDR="198.51.100.7")
    assert CountingHasher.hashed == hashed
    lines = [record.getMessage() for record in caplog.records if record.name == "tokens.sign_in"]
    assert len(lines) == 1
    assert lines[0].startswith("Throttled a sign-in as 'nobody' from 198.51.100.7 for ")


def test_the_person_is_the_same_however_the_name_is_typed(carla: User, try_password: TryPassword) -> None:
    for name in ("carla", "CARLA", " carla ", "ｃarla", "Carla"):
        try_password("wrong", name, REMOTE_ADDR="198.51.100.7")
    assert try_password("wrong", REMOTE_ADDR="198.51.100.7").status_code == 429


def test_one_address_cannot_try_a_hundred_people(db: None, try_password: TryPassword) -> None:
    answers = [
        try_password("wrong", f"person {number}", REMOTE_ADDR="2001:db8::" + str(number))
        for number in range(100)
    ]
    assert sum(answer.status_code == 200 for answer in answers) < 40, "a network of IPv6 is one address"


def test_a_hundred_addresses_cannot_try_one_person_and_a_known_browser_still_gets_in(
    carla: User, try_password: TryPassword
) -> None:
    home = Client()
    assert try_password(client=home).status_code == 302
    home.post("/auth/logout/")
    answers = [try_password("wrong") for _ in range(100)]
    assert sum(answer.status_code == 200 for answer in answers) < 60
    assert try_password().status_code == 429, "a strange browser waits"
    assert try_password(client=home).status_code == 302


def test_a_known_browser_is_limited_too_and_known_for_its_person_only(
    carla: User, try_password: TryPassword
) -> None:
    home = Client()
    try_password(client=home)
    home.post("/auth/logout/")
    answers = [try_password("wrong", client=home).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


@pytest.mark.parametrize("cookie", ["", "x:y:z", "eyJpZCI6ImEiLCJwZW9wbGUiOltdfQ:1tQ:forged"])
def test_a_forged_cookie_is_as_good_as_none(carla: User, try_password: TryPassword, cookie: str) -> None:
    client = Client()
    client.cookies["known_browser"] = cookie
    answers = [try_password("no", client=client, REMOTE_ADDR="198.51.100.7").status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


def test_right_passwords_use_up_no_tries(carla: User, try_password: TryPassword) -> None:
    answers = {try_password(REMOTE_ADDR="198.51.100.7").status_code for _ in range(8)}
    assert answers == {302}


def test_a_forged_forwarding_header_gives_no_new_tries(carla: User, try_password: TryPassword) -> None:
    answers = [
        try_password("no", REMOTE_ADDR="198.51.100.7", HTTP_X_FORWARDED_FOR=f"192.0.2.{number}").status_code
        for number in range(6)
    ]
    assert answers[-1] == 429


def test_behind_a_proxy_the_address_is_what_the_proxy_saw(
    carla: User, try_password: TryPassword, settings: Settings
) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}

    def status(number: int) -> Any:
        forwarded = f"192.0.2.9, 203.0.113.{number}"
        return try_password("no", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded).status_code

    assert [status(number) for number in (1, 1, 1, 1, 1, 1, 2)] == [200] * 5 + [429, 200]


def test_old_paces_are_pruned(carla: User, try_password: TryPassword) -> None:
    try_password("wrong")
    assert SignInPace.objects.count() == 3
    SignInPace.objects.update(next_at="2026-01-01T00:00:00Z")
    prune_tokens_histories()
    assert not SignInPace.objects.exists()
