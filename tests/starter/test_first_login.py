from pathlib import Path

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

from amazon_accounts.starter.first_login import ensure_first_login

pytestmark = pytest.mark.django_db


def test_it_makes_a_superuser_who_can_sign_in() -> None:
    login = ensure_first_login({})
    user = authenticate(username=login.user_name, password=login.password)
    assert login.user_name == "admin"
    assert user is not None
    assert user.is_superuser
    assert user.is_staff


def test_the_second_start_changes_nothing_and_says_how_to_set_a_new_password() -> None:
    first, second = ensure_first_login({}), ensure_first_login({})
    assert second.user_name == "admin"
    assert "changepassword admin" in second.password
    assert authenticate(username="admin", password=first.password) is not None
    assert get_user_model().objects.count() == 1


def test_it_uses_a_given_password_and_does_not_print_it() -> None:
    login = ensure_first_login(
        {
            "DJANGO_SUPERUSER_USERNAME": "wendy",
            "DJANGO_SUPERUSER_PASSWORD": "correct horse",
            "DJANGO_SUPERUSER_EMAIL": "wendy@example.com",
        }
    )
    assert login.password == "the one in DJANGO_SUPERUSER_PASSWORD"
    user = authenticate(username="wendy", password="correct horse")
    assert user is not None
    assert user.email == "wendy@example.com"


def test_its_repr_shows_no_password() -> None:
    login = ensure_first_login({})
    assert login.password not in repr(login)


def test_the_password_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    login = ensure_first_login({"DJANGO_SUPERUSER_PASSWORD_FILE": str(tmp_path / "password")})
    assert "correct horse" not in login.password
    assert authenticate(username="admin", password="correct horse") is not None


def test_createsuperuser_reads_the_password_from_a_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    # The command sets the variable, which must not outlive the test.
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD_FILE", str(tmp_path / "password"))
    call_command("createsuperuser", "--noinput", username="wendy", email="wendy@example.com", verbosity=0)
    assert authenticate(username="wendy", password="correct horse") is not None
