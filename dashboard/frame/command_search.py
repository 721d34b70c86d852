"""What Ctrl+K finds: accounts, connections, operations and commands."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.dataclasses import SearchResult

from accounts.lists.by_content import parse_id
from accounts.lists.connection_filters import filter_connections
from accounts.lists.filters import filter_accounts
from accounts.lists.pages import count_capped
from accounts.models import BatchOperation
from dashboard.frame.menu import navigation
from dashboard.lists.saved_views import address_of
from tokens.models import SavedView
from tokens.permissions import may

MAX_FOUND = 8
MAX_COUNTED = 1_000
MAX_TERM_LENGTH = 200
# Operations are found among the newest.
MAX_OPERATIONS_READ = 200


def search(request: HttpRequest, _term: str) -> list[SearchResult]:
    if not isinstance(request.user, User):
        return []
    # Unfold hands over the text in small letters.
    term = request.GET.get("s", "").strip()[:MAX_TERM_LENGTH]
    if not term or "\0" in term:
        return []
    found: list[SearchResult] = []
    if may(request.user, "accounts.view_account"):
        found += _find_accounts(request.user, term)
    if may(request.user, "tokens.view_connection"):
        found += _find_connections(request.user, term)
    if may(request.user, "accounts.view_account"):
        found += _find_operations(request.user, term)
        found += _find_views(request.user, term)
    return [*found, *_find_commands(request, term.lower())]


def _find_accounts(user: User, term: str) -> list[SearchResult]:
    rows = filter_accounts(user, {"search": term})
    found = [
        SearchResult(
            title=str(account),
            description=account.amazon_account_id,
            link=reverse("account", args=[account.pk]),
            icon="storefront",
        )
        for account in rows.only("pk", "name", "amazon_account_id").order_by("name")[:MAX_FOUND]
    ]
    return [*found, *_find_more(rows, "accounts", "accounts", term, "storefront")]


def _find_connections(user: User, term: str) -> list[SearchResult]:
    rows = filter_connections(user, {"search": term})
    found = [
        SearchResult(
            title=connection.label,
            description=connection.amazon_user or "Connection",
            link=reverse("connection", args=[connection.pk]),
            icon="cable",
        )
        for connection in rows.defer("access_token", "refresh_token").order_by("label")[:MAX_FOUND]
    ]
    return [*found, *_find_more(rows, "connections", "connections", term, "cable")]


def _find_operations(user: User, term: str) -> list[SearchResult]:
    visible = BatchOperation.objects.visible_to(user)
    if own_id := parse_id(term):
        rows = list(visible.filter(pk=own_id))
    else:
        newest = visible.order_by("-created_at")[:MAX_OPERATIONS_READ]
        rows = [batch for batch in newest if term.lower() in str(batch).lower()][:MAX_FOUND]
    return [
        SearchResult(
            title=str(batch),
            description=f"Operation, {batch.created_at:%-d %b %Y}",
            link=reverse("operation", args=[batch.pk]),
            icon="checklist",
        )
        for batch in rows
    ]


def _find_views(user: User, term: str) -> list[SearchResult]:
    rows = SavedView.objects.visible_to(user).filter(name__icontains=term)
    return [
        SearchResult(title=view.name, description="Saved view", link=address_of(view), icon="bookmark")
        for view in rows[:MAX_FOUND]
    ]


def _find_commands(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    for group in navigation(request):
        for item in group["items"]:
            if term in item["title"].lower() and item.get("permission", _is_open_to_all)(request):
                yield SearchResult(
                    title=item["title"],
                    description="Go to" if group["title"] == "Console" else group["title"],
                    link=item["link"],
                    icon=item["icon"],
                )
    if term in "connect amazon" and may(request.user, "tokens.connect_amazon"):
        yield SearchResult(
            title="Connect Amazon", description="Command", link=reverse("connect-amazon"), icon="add_link"
        )


def _is_open_to_all(_request: HttpRequest) -> bool:
    return True


def _find_more(rows: QuerySet[Any], what: str, page: str, term: str, icon: str) -> list[SearchResult]:
    # Unfold counts the rows that are shown, and not what was found.
    found = count_capped(rows, MAX_COUNTED)
    if found.number <= MAX_FOUND:
        return []
    total = f"{found.number:,}{'+' if found.capped else ''}"
    title = f"The first {MAX_FOUND} of {total} {what}"
    address = f"{reverse(page)}?{urlencode({'search': term})}"
    return [SearchResult(title=title, description="See all", link=address, icon=icon)]
