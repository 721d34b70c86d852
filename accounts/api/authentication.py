"""Authentication by API keys and by sessions."""

from typing import cast

from django.contrib.auth.models import User
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.authentication import SessionAuthentication as RestSessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts.api.exceptions import CSRFTokenRefusedError
from tokens.models import ApiKey
from tokens.people.audit.origin import note_key
from tokens.people.keys import find_api_key
from tokens.sign_in.remote_address import read_remote_address

REFUSED = "The API key is wrong, has expired or was revoked, or belongs to somebody who may not sign in."
SCHEMES = {b"token", b"bearer"}


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Token KEY` and `Authorization: Bearer KEY` mean the same."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        scheme, _, key = get_authorization_header(request).strip().partition(b" ")
        if scheme.lower() not in SCHEMES:
            return None
        try:
            found = find_api_key(key.strip().decode(), read_remote_address(request))
        except UnicodeError:
            found = None
        if found is None:
            raise AuthenticationFailed(REFUSED)
        user, used = found
        note_key(str(used.pk), used.name)
        return user, used

    def authenticate_header(self, _request: Request) -> str:
        return "Bearer"


class SessionAuthentication(RestSessionAuthentication):
    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise CSRFTokenRefusedError(str(error.detail)) from error


def get_person(request: Request) -> User:
    # Every view of the API requires authentication, so this is never an AnonymousUser.
    return cast("User", request.user)
