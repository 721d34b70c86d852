"""The frame's menu, badges and command search."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from accounts.lists.filters import filter_accounts
from accounts.lists.pages import count_capped
from tokens.models import Connection
from tokens.permissions import may

FOUND_AT_MOST = 8
FOUND_COUNTED = 1_000


def environment(_request: HttpRequest) -> list[str] | None:
    return ["Sandbox", "warning"] if settings.USES_SANDBOX else None


def on(*names: str) -> Callable[[HttpRequest], bool]:
    """Tell an item when it is the current one; unfold's own guess takes "/" for a part of every address."""
    return lambda request: bool(request.resolver_match and request.resolver_match.view_name in names)


def in_admin(*models: str) -> Callable[[HttpRequest], bool]:
    views = ("changelist", "change", "add", "delete", "history")
    return on(*(f"admin:{model}_{view}" for model in models for view in views))


def show_to_holders_of(permission: str) -> Callable[[HttpRequest], bool]:
    """Hide a link from people whom its page would refuse; the page checks again."""
    return lambda request: may(request.user, permission)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    accounts, connections = "accounts.view_account", "tokens.view_connection"
    return [
        {
            "items": [
                _item("Overview", "space_dashboard", reverse("overview"), on("overview"), accounts),
                _item("Accounts", "storefront", reverse("accounts"), on("accounts", "account"), accounts),
                {
                    **_item(
                        "Connections",
                        "cable",
                        reverse("connections"),
                        on("connections", "connection", "connection-disconnect"),
                        connections,
                    ),
                    **_badge(request),
                },
                _item(
                    "Operations", "checklist", reverse("operations"), on("operations", "operation"), accounts
                ),
                _item("History", "history", reverse("history"), on("history"), connections),
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
                _item(
                    "Everything",
                    "database",
                    reverse("admin:index"),
                    on("admin:index", "admin:app_list"),
                    None,
                ),
            ],
        },
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
    return _item(title, icon, reverse(f"admin:{name}_changelist"), in_admin(name), permission)


def _badge(request: HttpRequest) -> dict[str, str]:
    """Count the connections that need a person; nothing when there is none."""
    if not isinstance(request.user, User):
        return {}
    number = Connection.objects.visible_to(request.user).broken().count()
    return {"badge": f"{number:,}", "badge_variant": "warning"} if number else {}


def _more(rows: QuerySet[Any], what: str, address: str, icon: str) -> list[SearchResult]:
    """Say how many there are where more are found than shown, and where to see them."""
    number = count_capped(rows, FOUND_COUNTED)
    if number.number <= FOUND_AT_MOST:
        return []
    total = f"{number.number:,}{'+' if number.capped else ''}"
    return [SearchResult(f"The first {FOUND_AT_MOST} of {total} {what}", "See all", address, icon)]


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """Find accounts by name or id, and connections by their label; a few of each.

    The answer is kept for some minutes per user and term, so it holds names and addresses only; each page checks
    the rights again.
    """
    if not isinstance(request.user, User):
        return []
    found = []
    if may(request.user, "tokens.view_connection"):
        connections = Connection.objects.visible_to(request.user).filter(label__icontains=term)
        found += [
            SearchResult(connection.label, "Connection", reverse("connection", args=[connection.pk]), "cable")
            for connection in connections.only("pk", "label")[:FOUND_AT_MOST]
        ]
        found += _more(connections, "connections", reverse("connections"), "cable")
    if may(request.user, "accounts.view_account"):
        accounts = filter_accounts(request.user, {"search": term[:200]})
        found += [
            SearchResult(
                str(account), account.amazon_account_id, reverse("account", args=[account.pk]), "storefront"
            )
            for account in accounts.only("pk", "name", "amazon_account_id").order_by("name")[:FOUND_AT_MOST]
        ]
        address = f"{reverse('accounts')}?{urlencode({'q': term[:200]})}"
        found += _more(accounts, "accounts", address, "storefront")
    return found
