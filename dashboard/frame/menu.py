"""The frame's menu and its badges."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse

from tokens.models import Connection
from tokens.people.audit.query import VIEW as VIEW_AUDIT
from tokens.people.chosen_team import where_chosen
from tokens.permissions import may


def environment(_request: HttpRequest) -> list[str] | None:
    return ["Sandbox", "warning"] if settings.USES_SANDBOX else None


def is_open(*names: str) -> Callable[[HttpRequest], bool]:
    """Return a test for whether one of these views is open, for the item's `active`."""
    # Unfold marks an item active if the current address contains the address of the item. "/" would always be active.
    return lambda request: bool(request.resolver_match and request.resolver_match.view_name in names)


def is_open_in_admin(*models: str) -> Callable[[HttpRequest], bool]:
    views = ("changelist", "change", "add", "delete", "history")
    return is_open(*(f"admin:{model}_{view}" for model in models for view in views))


def show_to_holders_of(permission: str) -> Callable[[HttpRequest], bool]:
    # This only hides a link: the page checks the permission again.
    return lambda request: may(request.user, permission)


def may_open_overview(request: HttpRequest) -> bool:
    return admin.site.has_permission(request) and all(
        may(request.user, name) for name in ("accounts.view_account", "tokens.view_connection")
    )


def find_home(request: HttpRequest) -> str:
    """Return the address of the page that the name of the console leads to: one that the person may open."""
    return reverse("overview" if may_open_overview(request) else "security")


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    # Unfold asks several times for one page, and the badge needs a query.
    remembered: dict[str, Any] = vars(request)
    if "console_navigation" not in remembered:
        remembered["console_navigation"] = _build_navigation(request)
    built: list[dict[str, Any]] = remembered["console_navigation"]
    return built


def _build_navigation(request: HttpRequest) -> list[dict[str, Any]]:
    # The menu of the person at the bottom opens only with script.
    your_sessions = _item("Your sessions", "devices", reverse("sessions"), is_open("sessions"), None)
    if not admin.site.has_permission(request):
        security = is_open("security", "mfa_index", "account_change_password")
        own = [_item("Security", "shield_person", reverse("security"), security, None), your_sessions]
        return [{"items": own, "title": "Your account"}]
    accounts, connections = "accounts.view_account", "tokens.view_connection"
    return [
        {
            "items": [
                _item("Overview", "space_dashboard", reverse("overview"), is_open("overview"), accounts),
                _item(
                    "Accounts", "storefront", reverse("accounts"), is_open("accounts", "account"), accounts
                ),
                {
                    **_item(
                        "Connections",
                        "cable",
                        reverse("connections"),
                        is_open("connections", "connection", "connection-disconnect"),
                        connections,
                    ),
                    **_badge(request),
                },
                _item("Renewals", "event_repeat", reverse("renewals"), is_open("renewals"), connections),
                _item(
                    "Client links", "add_link", reverse("links"), is_open("links"), "tokens.view_connectlink"
                ),
                _item(
                    "Operations",
                    "checklist",
                    reverse("operations"),
                    is_open("operations", "operation"),
                    accounts,
                ),
                _item(
                    "Teams",
                    "groups",
                    reverse("teams"),
                    is_open("teams", "team-rename", "team-remove", "team-alerts", "team-logo"),
                    "tokens.view_team",
                ),
                _item(
                    "Webhooks",
                    "webhook",
                    reverse("webhooks"),
                    is_open("webhooks", "webhook", "webhook-delete"),
                    "tokens.view_webhook",
                ),
                _item("Activity", "timeline", reverse("activity"), is_open("activity"), connections),
                _item("Audit trail", "policy", reverse("audit"), is_open("audit"), VIEW_AUDIT),
            ],
            "title": "Console",
        },
        {
            "title": "Admin",
            "separator": True,
            "items": [
                _model("Accounts", "table_rows", "accounts", "account", accounts),
                _model("Connections", "table_rows", "tokens", "connection", connections),
                _model("Token refreshes", "autorenew", "tokens", "tokenrefresh", connections),
                _model("Sync runs", "sync", "accounts", "syncrun", connections),
                _model("Users", "group", "auth", "user", "auth.view_user"),
                your_sessions,
                _item("Your alerts", "notifications", reverse("alerts"), is_open("alerts"), None),
                _item("API keys", "key", reverse("api-keys"), is_open("api-keys", "api-key-revoke"), None),
                _item(
                    "All tables",
                    "database",
                    reverse("admin:index"),
                    is_open("admin:index", "admin:app_list"),
                    None,
                ),
            ],
        },
    ]


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    of_staff = [
        {"title": "Your alerts", "link": reverse("alerts")},
        {"title": "API keys", "link": reverse("api-keys")},
    ]
    return [
        {"title": "Security", "link": reverse("security")},
        {"title": "Your sessions", "link": reverse("sessions")},
        *(of_staff if admin.site.has_permission(request) else []),
    ]


def _item(
    title: str, icon: str, link: str, active: Callable[[HttpRequest], bool], permission: str | None
) -> dict[str, Any]:
    item: dict[str, Any] = {"title": title, "icon": icon, "link": link, "active": active}
    if permission:
        item["permission"] = show_to_holders_of(permission)
    return item


def _model(title: str, icon: str, app: str, model: str, permission: str) -> dict[str, Any]:
    name = f"{app}_{model}"
    return _item(title, icon, reverse(f"admin:{name}_changelist"), is_open_in_admin(name), permission)


def _badge(request: HttpRequest) -> dict[str, str]:
    permission = "tokens.view_connection"
    if not isinstance(request.user, User) or not may(request.user, permission):
        return {}
    broken = Connection.objects.visible_to(request.user).broken()
    number = broken.filter(where_chosen(request.user, permission)).count()
    return {"badge": f"{number:,}", "badge_variant": "warning"} if number else {}
