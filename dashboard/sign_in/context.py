"""What the frame of the pages under `/auth/` needs. Their views are allauth's, which know no frame."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest

from tokens.sign_in.passwords import may_use_password

PREFIX = "/auth/"


def add_frame(request: HttpRequest) -> dict[str, Any]:
    """Return the context of the frame for a page under `/auth/`, and nothing for every other page."""
    # An error page has no user if the request was refused before its session was read.
    if not request.path.startswith(PREFIX) or not hasattr(request, "user"):
        return {}
    return {
        **admin.site.each_context(request),
        "has_single_sign_on": bool(settings.OIDC_SERVER_URL),
        "has_passwords": may_use_password(request.user),
    }
