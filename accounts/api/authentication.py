"""API tokens: one look-up by the token's digest."""

from typing import cast

from django.contrib.auth.models import User
from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

REFUSED = "The API token is wrong, has expired, or belongs to somebody who may not sign in."


class TokenAuthentication(KnoxTokenAuthentication):
    """`Authorization: Token ...`, as knox does it, but with one query however many tokens a person has.

    Expired tokens are deleted by the pruning job, not here.
    """

    def authenticate_credentials(self, token: bytes) -> tuple[User, AuthToken]:
        try:
            digest = hash_token(token.decode())
        except UnicodeError:
            raise AuthenticationFailed(REFUSED) from None
        found = (
            AuthToken.objects.select_related("user")
            .filter(digest=digest, expiry__gt=timezone.now(), user__is_active=True)
            .first()
        )
        if found is None:
            raise AuthenticationFailed(REFUSED)
        return found.user, found


def person(request: Request) -> User:
    """Return who asks; nobody gets as far as a view without being signed in."""
    return cast("User", request.user)
