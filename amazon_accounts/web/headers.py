"""The headers that keep browsers and proxies from storing private answers and from showing them to other sites."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from amazon_accounts.web.requests import PROBES

# What the console uses: the clipboard for ids, and passkeys.
USED_FEATURES = ("clipboard-write", "publickey-credentials-create", "publickey-credentials-get")
UNUSED_FEATURES = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "clipboard-read",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "hid",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
PERMISSIONS_POLICY = ", ".join(
    [f"{name}=(self)" for name in USED_FEATURES] + [f"{name}=()" for name in UNUSED_FEATURES]
)


class PrivacyHeadersMiddleware:
    """Django's SecurityMiddleware sets the other headers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if "no-store" not in response.get("Cache-Control", "") and not _is_public(request):
            response["Cache-Control"] = "no-store"
        return response


def _is_public(request: HttpRequest) -> bool:
    return request.path_info in PROBES or request.path_info.startswith(str(settings.STATIC_URL))
