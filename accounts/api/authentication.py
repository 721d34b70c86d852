"""Authentication by API tokens and by sessions."""

from typing import cast

from django.contrib.auth.models import User
from django.db.models.functions import Now
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.authentication import SessionAuthentication as RestSessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts.api.exceptions import CSRFTokenRefusedError

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
            .filter(digest=digest, expiry__gt=Now(), user__is_active=True, user__is_staff=True)
            .first()
        )
        if found is None:
            raise AuthenticationFailed(REFUSED)
        return found.user, found


class SessionAuthentication(RestSessionAuthentication):
    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise CSRFTokenRefusedError(str(error.detail)) from error


def get_person(request: Request) -> User:
    # Every view of the API requires authentication, so this is never an AnonymousUser.
    return cast("User", request.user)
