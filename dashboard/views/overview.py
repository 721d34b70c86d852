"""The overview: what is wrong, what needs a person, and how syncs and refreshes went."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.health import Health, PaceHealth, check_health
from accounts.models import Account
from amazon_accounts.amazon_ads.models import Family
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.overview.activity import Period, read_activity
from dashboard.overview.problems import find_problems
from dashboard.status import Status
from dashboard.templatetags.console import percent
from tokens.permissions import require

HEALTH_STATE = {
    "healthy": Status("good", "Healthy"),
    "degraded": Status("attention", "Degraded"),
    "error": Status("bad", "Error"),
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    title: str
    value: str = ""
    moment: datetime | None = None  # instead of the value
    below: str
    address: str


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
    summary = check_health(request.user)
    accounts = summary["accounts"]
    problems = find_problems(
        request.user,
        suspended=accounts[Account.Status.SUSPENDED],
        pending=accounts[Account.Status.PENDING],
        at_risk=summary["at_risk"],
    )
    context = {
        "state": HEALTH_STATE[summary["state"]],
        "reasons": summary["reasons"],
        "problems": problems,
        "figures": _list_figures(summary),
        "any": any(summary["tokens"][word] for word in ("valid", "expiring", "expired", "broken")),
        "activities": read_activity(request.user, period),
        "period": period,
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


def _list_figures(summary: Health) -> list[Figure]:
    tokens, accounts, syncs = summary["tokens"], summary["accounts"], summary["syncs"]
    valid = tokens["valid"] + tokens["expiring"]
    connections = valid + tokens["expired"] + tokens["broken"]
    inactive = accounts[Account.Status.INACTIVE]
    broken = tokens["broken"]
    return [
        Figure(
            title="Connections with a valid token",
            value=f"{valid:,} of {connections:,}",
            below=f"{broken:,} must be reconnected" if broken else "none must be reconnected",
            address=f"{reverse('connections')}{'?state=attention' if broken else ''}",
        ),
        Figure(
            title="Accounts",
            value=f"{sum(accounts.values()) - inactive:,}",
            below=f"and {inactive:,} inactive",
            address=reverse("accounts"),
        ),
        Figure(
            title="Refreshes that left a valid token",
            value=percent(tokens["success_rate_24h"]),
            below="in the last 24 hours",
            address=f"{reverse('history')}?kind=refresh",
        ),
        Figure(
            title="Last complete sync",
            moment=syncs["last_synced_at"],
            below=f"{syncs['failing']:,} failing, {syncs['late']:,} late",
            address=f"{reverse('history')}?kind=sync",
        ),
    ]


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
