"""One glance: what is wrong, what is going on, everything else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.health import health
from accounts.models import Account
from amazon_accounts.amazon_ads.models import Family
from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.reports.activity import Period, activity
from dashboard.reports.attention import matters
from dashboard.status import Status
from dashboard.templatetags.console import percent
from tokens.permissions import require

HEALTH_STATE = {
    "healthy": Status("good", "Healthy"),
    "degraded": Status("attention", "Degraded"),
    "error": Status("bad", "Error"),
}


@dataclass(frozen=True)
class Figure:
    title: str
    value: str
    below: str
    address: str
    moment: datetime | None = None


@require_safe
@staff_page("accounts.view_account")
def overview(request: StaffRequest) -> HttpResponse:
    require(request.user, "tokens.view_connection")
    period: Period = "30d" if request.GET.get("period") == "30d" else "24h"
    now = timezone.now()
    standing = health(request.user)
    accounts = standing["accounts"]
    found = matters(
        request.user,
        suspended=accounts[Account.Status.SUSPENDED],
        pending=accounts[Account.Status.PENDING],
    )
    context = {
        "state": HEALTH_STATE[standing["state"]],
        "reasons": standing["reasons"],
        "matters": found,
        "figures": _figures(standing),
        "any": any(standing["tokens"][word] for word in ("valid", "expiring", "expired", "broken")),
        "activities": activity(request.user, period),
        "period": period,
        "pace": [_pace(row) for row in standing["pacing"]],
        "now": now,
        "here": f"{reverse('overview')}?period={period}",
    }
    return page(
        request,
        "dashboard/overview/page.html",
        context,
        title="Overview",
        partial="dashboard/overview/now.html",
    )


def _figures(standing: dict[str, Any]) -> list[Figure]:
    tokens, accounts, syncs = standing["tokens"], standing["accounts"], standing["syncs"]
    valid = tokens["valid"] + tokens["expiring"]
    connections = valid + tokens["expired"] + tokens["broken"]
    inactive = accounts[Account.Status.INACTIVE]
    return [
        Figure(
            "Connections with a valid token",
            f"{valid:,} of {connections:,}",
            f"{tokens['broken']:,} to be connected again" if tokens["broken"] else "none needs a person",
            f"{reverse('connections')}{'?state=attention' if tokens['broken'] else ''}",
        ),
        Figure(
            "Accounts",
            f"{sum(accounts.values()) - inactive:,}",
            f"and {inactive:,} inactive",
            reverse("accounts"),
        ),
        Figure(
            "Refreshes that left a valid token",
            percent(tokens["success_rate_24h"]),
            "in the last 24 hours",
            f"{reverse('history')}?kind=refresh",
        ),
        Figure(
            "Last complete sync",
            "none yet",
            f"{syncs['failing']:,} failing, {syncs['late']:,} late",
            f"{reverse('history')}?kind=sync",
            syncs["last_synced_at"],
        ),
    ]


@dataclass(frozen=True)
class Pace:
    place: str
    status: Status
    until: datetime | None
    pace: float
    throttled: int


def _pace(row: dict[str, Any]) -> Pace:
    status, until = Status("good", "Flowing"), None
    if row["blocked_until"]:
        status, until = Status("attention", "Waiting until"), row["blocked_until"]
    if row["circuit_open_until"]:
        status, until = Status("bad", "Held back until"), row["circuit_open_until"]
    place = f"{row['region'] or 'Everywhere'} · {Family(row['family']).label}"
    return Pace(place, status, until, row["requests_per_second"], row["throttled_last_hour"])
