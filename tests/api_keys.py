"""API keys for tests that speak as a person, also as a person who may not make one."""

import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models.functions import Now

from tokens.models import ApiKey
from tokens.models.api_key import KEY_PREFIX
from tokens.people.keys import SHOWN_CHARACTERS, digest_key


def new_key(user: User, *, days: int = 90) -> str:
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    ApiKey.objects.create(
        name="A test",
        beginning=key[:SHOWN_CHARACTERS],
        digest=digest_key(key),
        user=user,
        expires_at=Now() + timedelta(days=days),
    )
    return key
