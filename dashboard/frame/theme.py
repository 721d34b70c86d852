"""The settings of unfold. Django's settings import this module, so it reads no models and resolves no URLs."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static

# Of two rules with the same weight the later one wins, so the order matters.
STYLES = [
    "colors",
    "unfold",
    "layout",
    "status",
    "controls",
    "tables",
    "lists",
    "rows",
    "connections",
    "standings",
    "activity",
    "objects",
    "dialogs",
    "entrance",
]
# The theme is set before anything is painted.
SCRIPTS = [
    "theme",
    "expressions",
    "updates",
    "times",
    "selection",
    "dialogs",
    "keys",
    "frame",
    "command",
    "copying",
    "zone",
]


def link(name: str) -> Callable[[HttpRequest], str]:
    return lambda _request: static(f"dashboard/{name}")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Amazon Accounts",
    "SITE_HEADER": "Amazon Accounts",
    # The console is the site: no link from its login to another one.
    "SITE_URL": None,
    "SITE_ICON": link("icon.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": link("icon.svg")}],
    "SHOW_HISTORY": False,
    "SHOW_BACK_BUTTON": False,
    "ENVIRONMENT": "dashboard.frame.menu.environment",
    "STYLES": [link(f"{name}.css") for name in STYLES],
    "SCRIPTS": [link(f"{name}.js") for name in SCRIPTS],
    # The colours are in colors.css, because our content security policy forbids the inline style that unfold would write.
    "ACCOUNT": {"navigation": "dashboard.frame.menu.account_links"},
    "COLORS": {},
    "BORDER_RADIUS": "6px",
    "COMMAND": {"search_callback": "dashboard.frame.command_search.search", "search_models": False},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "dashboard.frame.menu.navigation",
    },
}
