"""The overview: what is wrong, what needs a person, and how syncs and refreshes went."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.health import PaceHealth, check_services
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.amazon_ads.models import Family
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.frame.team_filter import TeamFilter
from dashboard.overview.activity import Period, read_activity
from dashboard.overview.announced import read_announced
from dashboard.overview.consents import read_ending_consents
from dashboard.overview.first_steps import list_first_steps
from dashboard.overview.problems import TroubledConnections, find_problems
from dashboard.overview.standings import Horizon, read_standings
from dashboard.overview.summary import list_figures, write_verdict
from dashboard.overview.teams import read_teams
from dashboard.status import Status, name_regions
from tokens.permissions import limit_to_team, require


@dataclass(frozen=True, kw_only=True)
class Pace:
    place: str
    status: Status
    until: datetime | None
    pace: float
    throttled: int


@require_safe
@staff_page("accounts.view_account")
def overview(request: StaffRequest) -> HttpResponse:
    require(request.user, "tokens.view_connection")
    period: Period = "30d" if request.GET.get("period") == "30d" else "24h"
    horizon = Horizon.read()
    team_filter = TeamFilter.read(request, "accounts.view_account")
    viewer = limit_to_team(request.user, team_filter.team_id)
    summary = check_services(viewer)
    standings = read_standings(viewer, horizon)
    consents = read_ending_consents(viewer)
    announced = read_announced(viewer, horizon, consents)
    troubled = TroubledConnections.find(viewer)
    first = troubled.in_first_sync
    problems = find_problems(viewer, standings, consents, troubled)
    context = {
        "reasons": summary["own_reasons"],
        "verdict": write_verdict(summary, standings, is_first_sync=bool(first)),
        "first_sync": troubled.count_accounts_of(first) if first else None,
        "figures": list_figures(summary, standings, announced, troubled.not_updated),
        "problems": problems,
        "announced": announced,
        "first_steps": list_first_steps(request.user),
        "teams": read_teams(viewer) if team_filter.is_offered and not team_filter.team_id else [],
        "any": any(summary["tokens"][word] for word in ("valid", "expiring", "expired", "broken")),
        "activities": read_activity(viewer, period),
        "period": period,
        "team_menu": team_filter.menu(f"?period={period}"),
        "pace": [_describe_pace(row) for row in summary["pacing"]],
        "waits": describe_waits(summary["pacing"]),
        "now": approximate_now(),
        "here": f"{reverse('overview')}?period={period}",
    }
    return page(
        request,
        "dashboard/overview/page.html",
        context,
        title="Overview",
        partial="dashboard/overview/now.html",
    )


def _describe_pace(row: PaceHealth) -> Pace:
    status, until = Status("good", "OK"), None
    if row["blocked_until"]:
        status, until = Status("attention", "Amazon busy until"), row["blocked_until"]
    if row["circuit_open_until"]:
        status, until = Status("bad", "No answer, paused until"), row["circuit_open_until"]
    return Pace(
        place=f"{Region(row['region']).label if row['region'] else 'Everywhere'} · {Family(row['family']).label}",
        status=status,
        until=until,
        pace=row["requests_per_second"],
        throttled=row["throttled_last_hour"],
    )


def describe_waits(pacing: list[PaceHealth]) -> str:
    """Return in one sentence whether calls wait for Amazon."""
    waiting = [row for row in pacing if row["blocked_until"] or row["circuit_open_until"]]
    regions = [region for region in Region if any(row["region"] == region for row in waiting)]
    if not waiting:
        return "No region is waiting for Amazon."
    where = name_regions(regions) or "Login with Amazon"
    return f"{where}: calls wait for Amazon. We go on by ourselves."
