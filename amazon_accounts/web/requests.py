"""What is believed of a request: its host, its scheme, what proxies say, and that its text is UTF-8."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_header_parameters

from amazon_accounts.web.links import build_link

logger = logging.getLogger(__name__)

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
# Relative to the root, as Django's redirect to https reads them.
PROBE_PATTERNS = [rf"^{probe[1:]}$" for probe in sorted(PROBES)]


class UTF8Request(WSGIRequest):
    """A request whose text is UTF-8, whatever its Content-Type says.

    For a type with a charset, Django decodes the query string with any codec that Python has. It does so in the
    constructor, where no error is answered.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except (LookupError, ValueError):
            # A parameter in an unknown charset. No form and no parser has an empty type.
            meta["CONTENT_TYPE"] = self.content_type = ""
            self.content_params = {}


class UTF8Handler(WSGIHandler):
    request_class = UTF8Request


class PublicAddressMiddleware:
    """It comes first, so that everything after it reads a request that can be believed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._has_warned = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self._believe_own_proxies(request)
        if request.path_info in PROBES:
            # A load balancer asks by address and not by name.
            request.META["HTTP_HOST"] = urlsplit(settings.PUBLIC_URL).netloc
        # Libraries build their links with this method too.
        vars(request)["build_absolute_uri"] = partial(_build_absolute_uri, request)
        return self.get_response(request)

    def _believe_own_proxies(self, request: HttpRequest) -> None:
        schemes = request.META.pop("HTTP_X_FORWARDED_PROTO", "").split(",")
        if settings.NUM_PROXIES:
            # Each proxy sets the header or appends to it, so only the last NUM_PROXIES entries are from ours.
            scheme = schemes[-min(settings.NUM_PROXIES, len(schemes))].strip().lower()
            if scheme:
                request.META["HTTP_X_FORWARDED_PROTO"] = scheme
        elif any(schemes) and settings.SECURE_SSL_REDIRECT and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "X-Forwarded-Proto is ignored, because NUM_PROXIES is 0. If a proxy of yours sends it, set NUM_PROXIES "
                "to the number of your proxies; until then every page redirects to itself."
            )


def _build_absolute_uri(request: HttpRequest, location: str | None = None) -> str:
    return build_link(request.get_full_path() if location is None else location, base=request.path)


def is_at_another_host(request: HttpRequest) -> bool:
    """Return whether the page with the form was opened at another host name than PUBLIC_URL."""
    # Behind a proxy that does not pass the host name on, only `Origin` says where the browser is.
    origin = request.headers.get("Origin", "")
    return origin.startswith("http") and read_host(origin) != read_host(settings.PUBLIC_URL)


def read_host(address: str) -> str:
    """Return the host of an address, with its port unless it is the usual one; nothing if it is malformed."""
    try:
        return urlsplit(address).netloc.lower().removesuffix(":443").removesuffix(":80")
    except ValueError:
        return ""
