"""The overview: what is wrong, what needs a person, and how syncs and refreshes went."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.health import PaceHealth, check_services
from amazon_accounts.amazon_ads.models import Family
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.frame.team_filter import TeamFilter
from dashboard.overview.activity import Period, read_activity
from dashboard.overview.announced import read_announced
from dashboard.overview.problems import find_problems
from dashboard.overview.standings import Horizon, read_standings
from dashboard.overview.summary import list_figures, write_verdict
from dashboard.status import Status
from tokens.permissions import limit_to_team, require

HEALTH_STATE = {
    "healthy": Status("good", "Healthy"),
    "degraded": Status("attention", "Degraded"),
    "error": Status("bad", "Error"),
}


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
    announced = read_announced(viewer, horizon)
    context = {
        "state": HEALTH_STATE[summary["state"]],
        "reasons": summary["reasons"],
        "verdict": write_verdict(summary, standings),
        "figures": list_figures(summary, standings, announced),
        "problems": find_problems(viewer, standings),
        "announced": announced,
        "any": any(summary["tokens"][word] for word in ("valid", "expiring", "expired", "broken")),
        "activities": read_activity(viewer, period),
        "period": period,
        "team_menu": team_filter.menu(f"?period={period}"),
        "pace": [_describe_pace(row) for row in summary["pacing"]],
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
    status, until = Status("good", "Flowing"), None
    if row["blocked_until"]:
        status, until = Status("attention", "Waiting until"), row["blocked_until"]
    if row["circuit_open_until"]:
        status, until = Status("bad", "Held back until"), row["circuit_open_until"]
    return Pace(
        place=f"{row['region'] or 'Everywhere'} · {Family(row['family']).label}",
        status=status,
        until=until,
        pace=row["requests_per_second"],
        throttled=row["throttled_last_hour"],
    )
