"""People with passwords, and the login as a browser uses it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

PASSWORD = "correct horse battery"
TryPassword = Callable[..., HttpResponse]


@pytest.fixture
def carla(db: None) -> User:
    user = User.objects.create_user("carla", "Carla@example.com", PASSWORD, is_staff=True)
    # The user object of a test must not hold the permissions that a request reads.
    return User.objects.get(pk=user.pk)


@pytest.fixture
def try_password() -> TryPassword:
    """Post the login form, from an address of its own each time unless the address is named."""
    numbers = iter(range(1, 250))

    def post(
        password: str = PASSWORD, name: str = "carla", *, client: Client | None = None, **extra: Any
    ) -> Any:
        extra.setdefault("REMOTE_ADDR", f"203.0.113.{next(numbers)}")
        query = extra.pop("query", "")
        form = {"login": name, "password": password, **extra.pop("form", {})}
        return (client or Client()).post(f"/auth/login/{query}", form, **extra)

    return post
