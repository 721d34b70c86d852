"""The days of a page of the activity, each with one line for what brought no news."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.postgresql.statements import load
from dashboard.activity.feed import Feed, Page, find_midnight
from dashboard.activity.folding import Line
from tokens.models.team import Everywhere, find_teams

MAX_COUNTED: Final = 5_000


@dataclass(frozen=True)
class Quiet:
    """What ran on a day and brought nothing new."""

    syncs: int
    refreshes: int
    address: str

    @property
    def sentence(self) -> str:
        parts = [
            _count(self.syncs, "sync", "syncs"),
            _count(self.refreshes, "token refresh", "token refreshes"),
        ]
        return f"{' and '.join(filter(None, parts))}, nothing new"


@dataclass(frozen=True)
class Day:
    day: date
    # Lines from before the person's last visit begin at this index; None if the visit was not on this day.
    seen_from: int | None
    lines: list[Line]
    quiet: Quiet | None

    @property
    def title(self) -> str:
        today = timezone.localdate(approximate_now())
        return {today: "Today", today - timedelta(days=1): "Yesterday"}.get(self.day, "")


def list_days(user: User, feed: Feed, page: Page) -> list[Day]:
    groups = [
        (day, list(lines))
        for day, lines in groupby(page.lines, key=lambda line: timezone.localdate(line.first.moment))
    ]
    today = timezone.localdate(approximate_now())
    shows_quiet = not (set(feed.shown) & {"sync", "refresh"} or feed.by or feed.failed or feed.kinds)
    since, before = feed.limits
    if (
        shows_quiet
        and not feed.after
        and since <= find_midnight(today) < before
        and (not groups or groups[0][0] != today)
    ):
        groups.insert(0, (today, []))
    # A day that goes on in the next page is counted there.
    whole = [day for day, _ in groups[: len(groups) - 1 if page.next else None]] if shows_quiet else []
    quiet = _count_quiet(user, feed, whole)
    days, seen = [], False
    for day, lines in groups:
        index = None
        if feed.visited_at and not seen and not feed.since:
            index = next((i for i, line in enumerate(lines) if line.first.moment <= feed.visited_at), None)
            seen = index is not None
        if lines or day in quiet:
            days.append(Day(day, index, lines, quiet.get(day)))
    return days


def _count_quiet(user: User, feed: Feed, days: Sequence[date]) -> dict[date, Quiet]:
    if not days:
        return {}
    seen = find_teams(user, "tokens.view_connection")
    teams = None if isinstance(seen, Everywhere) else list(seen)
    if feed.team:
        teams = [feed.team]
    parameters = {
        "begins": [find_midnight(day) for day in days],
        "ends": [find_midnight(day + timedelta(days=1)) for day in days],
        "teams": teams,
        "connection": feed.connection,
        "limit": MAX_COUNTED + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "count_quiet_runs"), parameters)
        rows = cursor.fetchall()
    found = {}
    for day, (_, syncs, refreshes) in zip(days, rows, strict=True):
        if syncs or refreshes:
            more = {"connection": feed.connection, "team": feed.team, "from": day, "to": day}
            known = [
                ("kind", "sync"),
                ("kind", "refresh"),
                *((name, each) for name, each in more.items() if each),
            ]
            found[day] = Quiet(syncs, refreshes, f"?{urlencode(known)}")
    return found


def _count(number: int, one: str, many: str) -> str:
    if number > MAX_COUNTED:
        return f"{MAX_COUNTED:,}+ {many}"
    return f"{number:,} {one if number == 1 else many}" if number else ""
