"""What is believed of a request: its host, its scheme and what proxies say."""

import logging
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from amazon_accounts.web.links import build_link

logger = logging.getLogger(__name__)

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
# Relative to the root, as Django's redirect to https reads them.
PROBE_PATTERNS = [rf"^{probe[1:]}$" for probe in sorted(PROBES)]


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
