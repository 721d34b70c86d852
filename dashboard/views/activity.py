"""The activity page: what changed, what failed and what people did, newest first and grouped by day."""

from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.models import User
from django.core.cache import caches
from django.db.models import Q
from django.http import Http404, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.api.export import EXCEL, MEDIA_TYPES
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.activity.days import list_days
from dashboard.activity.event_rows import EventReader
from dashboard.activity.export import stream_entries
from dashboard.activity.feed import PEOPLE, VISIT, Feed
from dashboard.activity.kinds import DETAILS, NEWS, TYPES
from dashboard.frame.page import StaffRequest, page, staff_page
from dashboard.frame.team_filter import TeamFilter, read_team_id
from tokens.models import Connection, Team
from tokens.models.team import find_teams
from tokens.people.audit import Action, AuditedObject, record_many
from tokens.people.visits import find_last_visit, record_visit
from tokens.permissions import limit_to_team, read_limits, require

CONNECTIONS_OFFERED: Final = 200
PEOPLE_OFFERED: Final = 200
MAX_COUNTED: Final = 1_000
OFFERS_KEPT_SECONDS: Final = 30
PERMISSION: Final = "tokens.view_connection"

Offered = TypeVar("Offered")


@require_safe
@staff_page(PERMISSION)
def activity(request: StaffRequest) -> HttpResponse:
    require(request.user, "accounts.view_account")
    team_filter = TeamFilter.read(request, PERMISSION)
    feed = Feed.of(request.GET, team_filter.team_id, record_visit(request.user))
    _check_connection(request.user, feed)
    reader = feed.make_reader(request.user, [team.pk for team in team_filter.teams])
    found = feed.page(request.user, reader)
    following = feed.go_on(found.next).address if found.next else ""
    plain = Feed(team=feed.team)
    tabs = [
        ("Everything", plain, not feed.by and not feed.since),
        ("By people", plain.change(by=PEOPLE), bool(feed.by)),
    ]
    if feed.visited_at:
        since = plain.change(since=VISIT, visited_at=feed.visited_at)
        tabs.append(("Since my last visit", since, bool(feed.since)))
    context = {
        "feed": feed,
        # A connection belongs to one team, so it goes with the team.
        "team_menu": team_filter.menu(feed.change(team=None, connection=None).address),
        "cleared": plain.address,
        "days": list_days(request.user, feed, found),
        "tabs": [(name, state.address, current) for name, state, current in tabs],
        "choices": _list_choices(reader, feed),
        "failed_address": feed.change(failed=not feed.failed).address,
        "next": following,
        "connections": _offer_connections(request.user, feed.team),
        "people": _offer_people(request.user) if feed.by else (),
        "csv": _export_address(feed, "csv", **{"for": EXCEL}),
        "jsonl": _export_address(feed, "jsonl"),
    }
    return page(
        request,
        "dashboard/activity/page.html",
        context,
        title="Activity",
        partial="dashboard/activity/list.html",
    )


@require_safe
@staff_page(PERMISSION)
def activity_export(request: StaffRequest) -> StreamingHttpResponse:
    require(request.user, "accounts.view_account")
    format_ = request.GET.get("format", "csv")
    if format_ not in MEDIA_TYPES:
        raise Http404
    # The link of the page names the team, so the address alone counts.
    feed = Feed.of(request.GET, read_team_id(request, PERMISSION), find_last_visit(request.user)).change()
    _check_connection(request.user, feed)
    seen = find_teams(request.user, "accounts.view_account")
    teams = [feed.team] if feed.team else sorted(seen) if isinstance(seen, frozenset) else [None]
    audited = [AuditedObject("activity", team_id=team) for team in teams]
    record_many(request.user, Action.ACTIVITY_EXPORT, audited, after={"format": format_})
    return StreamingHttpResponse(
        stream_entries(feed, request.user, format_, for_excel=request.GET.get("for") == EXCEL),
        content_type=MEDIA_TYPES[format_],
        headers={
            "Content-Disposition": f'attachment; filename="activity-{approximate_now().date()}.{format_}"'
        },
    )


@require_safe
@staff_page(PERMISSION)
def history(request: StaffRequest) -> HttpResponse:
    """Lead old addresses to the page that has taken their place."""
    query = request.GET.urlencode()
    return HttpResponseRedirect(f"{reverse('activity')}{f'?{query}' if query else ''}")


def _check_connection(user: User, feed: Feed) -> None:
    if feed.connection:
        get_object_or_404(Connection.objects.visible_to(user).only("pk"), pk=feed.connection)


def _list_choices(reader: EventReader, feed: Feed) -> list[dict[str, Any]]:
    """Return the kinds that can be turned on and off, with the number of events where an index counts them."""
    types = [type_ for kind in TYPES for type_ in TYPES[kind]]
    counts = reader.count(types, MAX_COUNTED)
    choices = []
    for kind, title in {**NEWS, **DETAILS}.items():
        numbers = [counts.get(type_, 0) for type_ in TYPES.get(kind, ())]
        total = sum(min(number, MAX_COUNTED) for number in numbers)
        capped = any(number > MAX_COUNTED for number in numbers)
        choices.append(
            {
                "id": kind,
                "title": title,
                "address": feed.toggle(kind).address,
                "current": kind in feed.shown,
                "number": f"{total:,}{'+' if capped else ''}" if numbers else "",
            }
        )
    return choices


def _offer_connections(user: User, team: UUID | None) -> list[tuple[UUID, str]]:
    def find() -> list[tuple[UUID, str]]:
        connections = Connection.objects.visible_to(limit_to_team(user, team)).order_by("label")
        return list(connections.values_list("pk", "label")[:CONNECTIONS_OFFERED])

    return _remember(f"activity-connections:{user.pk}:{read_limits(user).team_id}:{team}", find)


def _offer_people(user: User) -> list[str]:
    def find() -> list[str]:
        teams = Team.objects.allowing(user, PERMISSION)
        people = User.objects.filter(Q(memberships__team__in=teams) | Q(pk=user.pk))
        return list(
            people.distinct().order_by("username").values_list("username", flat=True)[:PEOPLE_OFFERED]
        )

    return _remember(f"activity-people:{user.pk}:{read_limits(user).team_id}", find)


def _remember(key: str, find: Callable[[], list[Offered]]) -> list[Offered]:
    """Return what a form offers. It may be some seconds old."""
    known: list[Offered] | None = caches["process"].get(key)
    if known is None:
        known = find()
        caches["process"].set(key, known, OFFERS_KEPT_SECONDS)
    return known


def _export_address(feed: Feed, format_: str, **more: str) -> str:
    known = feed.change().query
    return f"{reverse('activity-export')}?{'&'.join(filter(None, [known, urlencode({'format': format_, **more})]))}"
