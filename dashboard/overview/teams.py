"""One line of health for each team: the figures of the overview, by team."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.core.cache import caches
from django.db.models import Count
from django.urls import reverse

from accounts.health import find_oldest_sync
from accounts.models import Account, Standing
from dashboard.overview.standings import CACHE_SECONDS, CACHE_SHARE, Filters, link_accounts
from dashboard.status import Tone
from tokens.models import BROKEN, FAILING, Connection, Team, where_late, where_live
from tokens.permissions import read_limits

MAX_TEAMS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A number of a team with the list behind it."""

    tone: Tone
    number: int
    address: str


@dataclass(frozen=True, kw_only=True)
class TeamLine:
    team: Team
    accounts: int
    address: str
    cells: Sequence[Cell]
    oldest_synced_at: datetime | None
    tone: Tone

    @property
    def weight(self) -> tuple[int, ...]:
        return tuple(cell.number for cell in self.cells)


def read_teams(user: User) -> list[TeamLine]:
    """Return the teams of a person who has several, the worst first. Costs three queries, or none for a while."""
    key = f"teams:{user.pk}:{read_limits(user).team_id}"
    found: list[TeamLine] | None = caches["process"].get(key)
    if found is None:
        began = time.perf_counter()
        found = _count(user)
        took = time.perf_counter() - began
        caches["process"].set(key, found, max(CACHE_SECONDS, CACHE_SHARE * took))
    return found


def _count(user: User) -> list[TeamLine]:
    rows_of_connections = (
        Connection.objects.visible_to(user)
        .exclude(state=Connection.State.DISCONNECTED)
        .order_by()
        .values_list("team")
        .annotate(
            broken=Count("pk", filter=BROKEN),
            failing=Count("pk", filter=where_live() & FAILING),
            late=Count("pk", filter=where_live() & where_late()),
            oldest=find_oldest_sync(),
        )
    )
    connections = {team: counts for team, *counts in rows_of_connections}
    if len(connections) < 2:
        return []
    # The indexes have team and status, and the accounts with a standing that needs somebody.
    accounts = Account.objects.visible_to(user).order_by()
    live = accounts.exclude(status=Account.Status.INACTIVE)
    troubled = accounts.filter(standing__in=[str(Standing.AT_RISK), str(Standing.SET_UP)])
    rows = (
        live.values_list("team", "status")
        .annotate(number=Count("*"))
        .union(troubled.values_list("team", "standing").annotate(number=Count("*")), all=True)
        # Django 6.1 gives a union the order of its model.
        .order_by()
    )
    numbers: dict[UUID, dict[str, int]] = defaultdict(dict)
    for team, word, number in rows:
        numbers[team][word] = number
    teams = Team.objects.in_bulk(list(connections))
    lines = [_describe(teams[pk], numbers[pk], *counts) for pk, counts in connections.items() if pk in teams]
    lines.sort(key=lambda line: line.team.name)
    return sorted(lines, key=lambda line: line.weight, reverse=True)[:MAX_TEAMS]


def _describe(
    team: Team, numbers: Mapping[str, int], broken: int, failing: int, late: int, oldest: datetime | None
) -> TeamLine:
    of_team = {"team": [str(team.pk)]}
    refused = urlencode({**of_team, "state": "reauthorization_required"}, doseq=True)
    accounts: tuple[tuple[Tone, Filters, str], ...] = (
        ("bad", {"status": ["suspended"]}, Account.Status.SUSPENDED),
        ("attention", {"standing": ["at_risk"]}, Standing.AT_RISK),
        ("attention", {"standing": ["set_up"]}, Standing.SET_UP),
    )
    cells = [
        Cell(tone=tone, number=numbers.get(word, 0), address=link_accounts({**of_team, **filters}))
        for tone, filters, word in accounts
    ]
    cells.append(Cell(tone="bad", number=broken, address=f"{reverse('connections')}?{refused}"))
    return TeamLine(
        team=team,
        accounts=sum(numbers.get(status, 0) for status in Account.Status),
        address=link_accounts(of_team),
        cells=cells,
        oldest_synced_at=oldest,
        tone="bad" if broken or failing else "attention" if late else "good",
    )
