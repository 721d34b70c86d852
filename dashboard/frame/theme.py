"""What unfold is told about our look. Read by the settings: no models, no URLs resolved at import."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static


def icon(_request: HttpRequest) -> str:
    return static("dashboard/icon.svg")


def styles(_request: HttpRequest) -> str:
    return static("dashboard/console.css")


def scripts(_request: HttpRequest) -> str:
    return static("dashboard/console.js")


def zone_script(_request: HttpRequest) -> str:
    return static("dashboard/zone.js")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Amazon Accounts",
    "SITE_HEADER": "Amazon Accounts",
    # The console is the site: no link from its login to another one.
    "SITE_URL": None,
    "SITE_ICON": icon,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": icon}],
    "SHOW_HISTORY": False,
    "SHOW_BACK_BUTTON": False,
    "ENVIRONMENT": "dashboard.frame.menu.environment",
    "STYLES": [styles],
    "SCRIPTS": [scripts, zone_script],
    # Our own colours stand in console.css, for an inline style is against the content security policy.
    "COLORS": {},
    "BORDER_RADIUS": "6px",
    "COMMAND": {"search_callback": "dashboard.frame.menu.search", "search_models": False},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "dashboard.frame.menu.navigation",
    },
}
