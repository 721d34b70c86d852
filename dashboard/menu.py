"""The frame's menu, badges and command search."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse


def environment(_request: HttpRequest) -> list[str] | None:
    return ["Sandbox", "warning"] if settings.USES_SANDBOX else None


def on(*names: str) -> Callable[[HttpRequest], bool]:
    """Tell an item when it is the current one; unfold's own guess takes "/" for a part of every address."""
    return lambda request: bool(request.resolver_match and request.resolver_match.view_name in names)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {
            "title": "Console",
            "items": [
                {"title": "Overview", "icon": "space_dashboard", "link": reverse("overview"), "active": on("overview")},
            ],
        },
    ]


def search(_request: HttpRequest, _term: str) -> list[Any]:
    return []
