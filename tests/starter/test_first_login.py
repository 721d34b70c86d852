import pytest
from django.contrib.auth import authenticate, get_user_model

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
