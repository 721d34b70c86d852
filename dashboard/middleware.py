"""Where a request comes from, its time zone, the way to the login when htmx asks after a session has ended, and input that is refused."""

import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote_to_bytes, urlencode, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.paginator import InvalidPage
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.log import log_response
from django_htmx.http import HttpResponseClientRedirect
from uuid_utils.compat import uuid7

from accounts.api.parsing import MAX_BODY_BYTES, MAX_BODY_BYTES_OF_MANY_IDS
from amazon_accounts.logs.spans import Span, span
from amazon_accounts.logs.trace import Trace, traced
from amazon_accounts.postgresql.measures import REQUESTS
from dashboard.frame.page import ConsoleRequest
from dashboard.views.errors import content_too_large, refuse_input
from tokens.people.audit.origin import Origin, come_from
from tokens.sign_in.remote_address import read_remote_address

logger = logging.getLogger(__name__)

ZONE_COOKIE = "zone"  # written by zone.js
ZONES = available_timezones()
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# The form with a picture.
UPLOADS = re.compile(r"/teams/[0-9a-f-]{36}/logo/")


class OriginMiddleware:
    """Gives each request an id, times it, and notes where it comes from for the audit trail. The answer names the id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # A client's own id is not believed: two requests could have the same.
        request_id = uuid7().hex
        origin = Origin(address=read_remote_address(request))
        with traced(Trace(request_id=request_id)), come_from(origin):
            began_at = time.monotonic()
            with span("server", "request") as kept:
                response = self.get_response(request)
                _measure(request, response, time.monotonic() - began_at, kept)
        response["X-Request-ID"] = request_id
        return response


def _measure(request: HttpRequest, response: HttpResponse, seconds: float, kept: Span) -> None:
    # Only words of ours are labels: whoever invents methods and addresses must not add to the measures.
    method = request.method if request.method in METHODS else "other"
    route = request.resolver_match.route if request.resolver_match else "none"
    REQUESTS.time(seconds, str(method), route, str(response.status_code))
    kept.set_attribute("http.request.method", str(method))
    kept.set_attribute("http.route", route)
    kept.set_attribute("http.response.status_code", response.status_code)


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
        return HttpResponseClientRedirect(f"{login}?{urlencode({'next': _read_page(request)})}")


def _read_page(request: ConsoleRequest) -> str:
    """Return the path of the page that htmx asks from, or for which a link was clicked, such as a filter."""
    if request.htmx.boosted and request.method == "GET":
        return request.get_full_path()
    try:
        return request.htmx.current_url_abs_path or "/"
    except ValueError:  # the header is no address
        return "/"


class BodySizeMiddleware:
    """Refuse a large body by its announced length, before anything of it is read.

    The JSON of the API has limits for each address, which its parser checks.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponse:
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            length = 0
        is_json_of_api = request.path.startswith("/api/") and request.content_type == "application/json"
        limit = MAX_BODY_BYTES_OF_MANY_IDS if is_json_of_api else MAX_BODY_BYTES
        if length > limit:
            return content_too_large(request)
        return self.get_response(request)


class BadInputMiddleware:
    """Answer input that no person can mean with 400, before or instead of an error of a page or of the admin.

    The API has errors of its own, which name the parameter.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        has_nul = "\0" in request.path or "%00" in query
        is_of_api = request.path.startswith("/api/")
        # Django would put a sign of its own in the place of broken text, and do what nobody asked for.
        if (has_nul and not is_of_api) or not _is_text(query.encode("latin-1")):
            return refuse_input(request)
        if request.method == "POST" and not is_of_api and not _is_form_of_text(request):
            return refuse_input(request)
        return self.get_response(request)

    def process_view(self, request: ConsoleRequest, *_: object) -> HttpResponse | None:
        if request.method != "POST" or request.path.startswith("/api/"):
            return None
        has_nul = any("\0" in text for name, texts in request.POST.lists() for text in (name, *texts))
        return refuse_input(request) if has_nul else None

    def process_exception(self, request: ConsoleRequest, error: Exception) -> HttpResponse | None:
        # A page that is only read has nothing but its address to be wrong about.
        if request.method not in {"GET", "HEAD"} or not isinstance(error, DataError | InvalidPage):
            return None
        response = refuse_input(request)
        # Django writes a line of its own for an answer that has no line yet.
        log_response(
            "Refused the address %s: %s",
            request.path,
            str(error).partition("\n")[0],
            response=response,
            request=request,
            logger=logger,
            level="warning",
        )
        return response


def _is_form_of_text(request: HttpRequest) -> bool:
    """Return whether all of the form is UTF-8. One form of ours has a file, and nothing that is stored beside it."""
    charset = request.content_params.get("charset", "utf-8") if request.content_params else "utf-8"
    if charset.lower() not in {"utf-8", "utf8"}:
        return False
    match request.content_type:
        case "application/x-www-form-urlencoded":
            return _is_text(request.body)
        case "multipart/form-data":
            return bool(UPLOADS.fullmatch(request.path)) or _is_utf8(request.body)
        case _:
            return True


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_text(encoded: bytes) -> bool:
    """Return whether the percent-encoded bytes are UTF-8. A lone surrogate is not."""
    return _is_utf8(unquote_to_bytes(encoded))
