"""The saved views above the list of accounts: tabs with counts, and what was changed since the one was opened."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.core.cache import caches
from django.http import Http404, QueryDict
from django.urls import reverse

from accounts.lists.pages import count_capped
from dashboard.lists.account_list import AccountList
from tokens.models import SavedView, Team
from tokens.models.team import Everywhere, find_teams
from tokens.people.saved_views import SHARE

MAX_VIEWS_SHOWN = 20
COUNT_SECONDS = 300
PARAMETER = "saved"


@dataclass(frozen=True)
class Tab:
    view: SavedView
    address: str
    current: bool
    number: str


def write_query(state: AccountList) -> str:
    """Return the filters and the ordering of the list as a query string, always in the same order."""
    pairs = [pair for pair in state.list_pairs(state.query.given) if pair[0] not in {"page_size", PARAMETER}]
    return urlencode(sorted(pairs))


def address_of(view: SavedView) -> str:
    # A view without a team means all teams, whatever team the person has chosen in the lists.
    team = "" if "team" in QueryDict(view.query) else "&team="
    return f"{reverse('accounts')}?{view.query}{team}&{PARAMETER}={view.pk}".replace("?&", "?")


def describe_views(user: User, state: AccountList, teams: Sequence[Team]) -> dict[str, Any]:
    """Return the tabs, and the view that is open with whether its filters were changed since."""
    views = list_views(user)
    opened = next((view for view in views if str(view.pk) == state.saved), None)
    return {
        "tabs": [Tab(view, address_of(view), view is opened, _known_count(user, view)) for view in views],
        "opened_view": opened,
        "is_changed": opened is not None and opened.query != write_query(state),
        "opened_view_address": opened and address_of(opened),
        "view_query": write_query(state),
        "share_with": _list_sharing(user, teams),
    }


def list_views(user: User) -> list[SavedView]:
    return list(SavedView.objects.visible_to(user)[:MAX_VIEWS_SHOWN])


def _list_sharing(user: User, teams: Sequence[Team]) -> list[tuple[UUID, str]]:
    """Return the teams that the person may share a view with. `teams` are those whose accounts they see, if several."""
    allowing = find_teams(user, SHARE)
    if teams or isinstance(allowing, Everywhere):
        return [(team.pk, team.name) for team in teams if team.pk in allowing]
    return [(team_id, "your team") for team_id in allowing]


def _cache_key(user: User, view: SavedView) -> str:
    return f"view_count_{user.pk}_{view.pk}_{hashlib.sha256(view.query.encode()).hexdigest()}"


def _known_count(user: User, view: SavedView) -> str:
    known: str = caches["process"].get(_cache_key(user, view), "")
    return known


def count_view(user: User, view: SavedView) -> str:
    """Return how many accounts the view has, as it was a few minutes ago at most."""
    if known := _known_count(user, view):
        return known
    try:
        count = count_capped(AccountList.read(QueryDict(view.query)).accounts(user))
    except Http404:
        # It names a team or connection that the person does not see.
        text = "0"
    else:
        text = f"{count.number:,}{'+' if count.capped else ''}"
    caches["process"].set(_cache_key(user, view), text, COUNT_SECONDS)
    return text
