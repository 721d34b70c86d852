"""The login that a first start makes, so that there is somebody who may make the others."""

import os
import secrets
from dataclasses import dataclass, field

from django.contrib.auth import get_user_model
from django.db import transaction


@dataclass(frozen=True)
class Login:
    user_name: str
    password: str = field(repr=False)


def ensure_first_login() -> Login:
    """Make a superuser if there is nobody yet. What it returns is for a person to read.

    The password is in it only when it was generated just now; it is stored nowhere but as a hash.
    """
    users = get_user_model()
    with transaction.atomic():
        existing = users.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if existing is not None:
            name = existing.get_username()
            return Login(
                name, f"as before; `.venv/bin/python manage.py changepassword {name}` sets a new one"
            )
        name = os.environ.get("DJANGO_SUPERUSER_USERNAME", "").strip() or "admin"
        given = os.environ.get("DJANGO_SUPERUSER_PASSWORD", "")
        password = given or secrets.token_urlsafe(12)
        email = os.environ.get("DJANGO_SUPERUSER_EMAIL", "").strip()
        users.objects.create_superuser(name, email, password)
    return Login(name, "the one in DJANGO_SUPERUSER_PASSWORD" if given else password)
