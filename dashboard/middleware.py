"""The time zone of a request, and the way to the login when htmx asks after a session has ended."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect

from dashboard.frame.page import ConsoleRequest

ZONE_COOKIE = "zone"  # written by zone.js
ZONES = available_timezones()


class ZoneMiddleware:
    """Pages read and write times in the browser's zone, or in UTC until the zone is known. The API uses UTC."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        zone = request.COOKIES.get(ZONE_COOKIE, "")
        if zone not in ZONES or request.path.startswith("/api/"):
            return self.get_response(request)
        with timezone.override(ZoneInfo(zone)):
            return self.get_response(request)


class SessionEndMiddleware:
    """Send the whole page to the login. htmx would follow the redirect and swap the login into a list."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.htmx or response.status_code != HTTPStatus.FOUND:
            return response
        login = resolve_url(settings.LOGIN_URL)
        if urlsplit(response["Location"]).path != login:
            return response
        back = request.htmx.current_url_abs_path or "/"
        return HttpResponseClientRedirect(f"{login}?{urlencode({'next': back})}")
