"""What the frame of the pages under `/auth/` needs. Their views are allauth's, which know no frame."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

PREFIX = "/auth/"


def add_frame(request: HttpRequest) -> dict[str, Any]:
    """Return the context of the frame for a page under `/auth/`, and nothing for every other page."""
    return admin.site.each_context(request) if request.path.startswith(PREFIX) else {}
