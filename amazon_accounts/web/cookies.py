"""The names and flags of our cookies, beside Django's of the session and of forms."""

from datetime import timedelta

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.http import HttpRequest
from django.http.response import HttpResponseBase


def name_cookie(name: str) -> str:
    return settings.COOKIE_PREFIX + name


def set_cookie(response: HttpResponseBase, name: str, value: str, *, life: timedelta) -> None:
    """Set a cookie that no script reads."""
    response.set_cookie(
        name_cookie(name),
        value,
        max_age=life,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


class _CookieStorage(CookieStorage):
    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.cookie_name = name_cookie(CookieStorage.cookie_name)


class MessageStorage(FallbackStorage):
    """The messages of the next page, in a cookie, or in the session if they are too long for a cookie."""

    storage_classes = (_CookieStorage, SessionStorage)
