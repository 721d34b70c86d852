"""Authentication by API tokens."""

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
    def authenticate_credentials(self, token: bytes) -> tuple[User, AuthToken]:
        # Knox reads all tokens of a person and deletes the expired ones. Here one query finds the token by its
        # digest, and a job deletes expired tokens.
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


def get_person(request: Request) -> User:
    # Every view of the API requires authentication, so this is never an AnonymousUser.
    return cast("User", request.user)
