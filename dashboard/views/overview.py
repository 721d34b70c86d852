"""One glance: what is wrong, what is going on, everything else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Q
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Account
from accounts.pagination import capped_count
from amazon_accounts.amazon_ads.models import RateLimit
from dashboard.activity import Period, activity
from dashboard.attention import matters
from dashboard.page import StaffRequest, page, require, staff_page
from dashboard.status import Status
from tokens.models import Connection


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
    found = matters(request.user)
    connections = _connections(request)
    context = {
        "matters": found,
        "figures": _figures(request, connections),
        "any": connections["number"],
        "activities": activity(request.user, period),
        "period": period,
        "pace": [_pace(limit) for limit in RateLimit.objects.order_by("family", "region")],
        "now": timezone.now(),
        "here": f"{reverse('overview')}?period={period}",
    }
    return page(
        request, "dashboard/overview.html", context, title="Overview", partial="dashboard/overview_now.html"
    )


def _connections(request: StaffRequest) -> dict[str, Any]:
    live = Q(state=Connection.State.ACTIVE, client_id=settings.AMAZON_CLIENT_ID)
    fresh = Q(expires_at__gt=timezone.now())
    return Connection.objects.visible_to(request.user).aggregate(
        number=Count("pk", filter=~Q(state=Connection.State.DISCONNECTED)),
        healthy=Count("pk", filter=live & Q(sync_failures=0) & fresh),
        live=Count("pk", filter=live),
        fresh=Count("pk", filter=live & fresh),
        last=Max("last_synced_at"),
    )


def _figures(request: StaffRequest, connections: dict[str, Any]) -> list[Figure]:
    visible = Account.objects.visible_to(request.user)
    accounts = capped_count(visible.exclude(status=Account.Status.INACTIVE))
    history = reverse("history")
    return [
        Figure(
            "Connections healthy",
            f"{connections['healthy']:,} of {connections['number']:,}",
            "all are in order"
            if connections["healthy"] == connections["number"]
            else "the others stand below",
            f"{reverse('connections')}?state=attention",
        ),
        Figure(
            "Accounts",
            f"{accounts.number:,}{'+' if accounts.capped else ''}",
            "without inactive ones",
            reverse("accounts"),
        ),
        Figure(
            "Tokens fresh",
            f"{connections['fresh']:,} of {connections['live']:,}",
            "valid at this moment",
            f"{history}?kind=refresh",
        ),
        Figure("Last complete sync", "", "of any connection", f"{history}?kind=sync", connections["last"]),
    ]


def _pace(limit: RateLimit) -> tuple[RateLimit, Status, datetime | None]:
    """Return the row, how it stands, and until when if that passes."""
    now = timezone.now()
    if limit.circuit_open_until and limit.circuit_open_until > now:
        return limit, Status("bad", "Held back until"), limit.circuit_open_until
    if limit.blocked_until and limit.blocked_until > now:
        return limit, Status("attention", "Waiting until"), limit.blocked_until
    return limit, Status("good", "Flowing"), None
