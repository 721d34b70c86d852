"""The superuser that the first start makes, so that a person can sign in and add the other users."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.contrib.auth import get_user_model
from django.db import transaction

from amazon_accounts.configuration.environment import env_secret


@dataclass(frozen=True)
class Login:
    user_name: str
    password: str = field(repr=False)


def ensure_first_login(environ: Mapping[str, str] = os.environ) -> Login:
    """Make a superuser if there is none, and return what to print.

    `password` is the password only if this call generated it. Otherwise it is a sentence about the password.
    """
    users = get_user_model()
    with transaction.atomic():
        existing = users.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if existing is not None:
            name = existing.get_username()
            return Login(
                name, f"as before; `.venv/bin/python manage.py changepassword {name}` sets a new one"
            )
        name = environ.get("DJANGO_SUPERUSER_USERNAME", "").strip() or "admin"
        given = env_secret("DJANGO_SUPERUSER_PASSWORD", environ=environ)
        password = given or secrets.token_urlsafe(12)
        email = environ.get("DJANGO_SUPERUSER_EMAIL", "").strip()
        users.objects.create_superuser(name, email, password)
    return Login(name, "the one in DJANGO_SUPERUSER_PASSWORD" if given else password)
