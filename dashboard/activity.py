"""How syncs and refreshes went, by hour or by day, as columns of a chart and rows of a table."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db.models import Count, QuerySet
from django.db.models.functions import Trunc
from django.utils import timezone

from accounts.models import SyncRun
from dashboard.charts import Chart, Column, stacked, totals
from dashboard.status import REFRESH, SYNC_RUN, Status, Tone
from tokens.models import Connection, TokenRefresh

Period = Literal["24h", "30d"]
TONES: tuple[Tone, ...] = ("good", "attention", "bad")
WORDS: dict[Tone, str] = {"good": "good", "attention": "tried again", "bad": "failed"}
# Counting a month of a large console takes longer than a page may.
KEPT_SECONDS = {"24h": 30, "30d": 600}


@dataclass(frozen=True)
class Activity:
    title: str
    columns: list[Column]

    @property
    def chart(self) -> Chart:
        return stacked(self.columns, width=480, height=110, labels=6)

    @property
    def sentence(self) -> str:
        """Say what stands out."""
        sums = totals(self.columns)
        total = int(sum(sums.values()))
        if not total:
            return "Nothing happened in this time."
        if not sums.get("bad") and not sums.get("attention"):
            return f"All {total:,} went well."
        worst = max(self.columns, key=lambda column: dict(column.parts).get("bad", 0))
        said = f"{total:,} in all, {int(sums.get('attention', 0)):,} tried again, {int(sums.get('bad', 0)):,} failed"
        return f"{said}, most at {worst.label}." if sums.get("bad") else f"{said}."

    @property
    def rows(self) -> list[tuple[str, list[int]]]:
        return [
            (column.title, [int(dict(column.parts).get(tone, 0)) for tone in TONES])
            for column in self.columns
            if any(value for _, value in column.parts)
        ]


def activity(user: User, period: Period) -> list[Activity]:
    sees_all = user.has_perm("tokens.view_all_connections")
    key = f"activity:{period}:{'all' if sees_all else user.pk}"
    found: list[Activity] | None = cache.get(key)
    if found is None:
        found = _count(user, period, sees_all=sees_all)
        cache.set(key, found, KEPT_SECONDS[period])
    return found


def _count(user: User, period: Period, *, sees_all: bool) -> list[Activity]:
    unit = "hour" if period == "24h" else "day"
    step = timedelta(hours=1) if period == "24h" else timedelta(days=1)
    number = 24 if period == "24h" else 30
    now = timezone.now()
    last = now.replace(minute=0, second=0, microsecond=0)
    if unit == "day":
        last = last.replace(hour=0)
    begins = [last - step * back for back in reversed(range(number))]
    refreshes: QuerySet[Any] = TokenRefresh.objects.filter(outcome__isnull=False)
    runs: QuerySet[Any] = SyncRun.objects.filter(finished_at__isnull=False)
    if not sees_all:
        mine = Connection.objects.visible_to(user)
        refreshes, runs = refreshes.filter(connection__in=mine), runs.filter(connection__in=mine)
    return [
        Activity("Syncs", _columns(runs, "created_at", "state", unit, begins, SYNC_RUN)),
        Activity("Token refreshes", _columns(refreshes, "started_at", "outcome", unit, begins, REFRESH)),
    ]


def _columns(
    rows: QuerySet[Any], time: str, word: str, unit: str, begins: list[datetime], states: dict[str, Status]
) -> list[Column]:
    counted: Iterable[tuple[datetime, str, int]] = (
        rows.filter(**{f"{time}__gte": begins[0]})
        .order_by()
        .annotate(begin=Trunc(time, unit))
        .values_list("begin", word)
        .annotate(Count("pk"))
    )
    sums: dict[datetime, dict[Tone, int]] = defaultdict(lambda: dict.fromkeys(TONES, 0))
    for begin, state, number in counted:
        tone = states[state].tone if state in states else "bad"
        if tone in TONES:
            sums[begin][tone] += number
    form = "%H:00" if unit == "hour" else "%-d %b"
    return [_column(begin, sums[begin], form) for begin in begins]


def _column(begin: datetime, sums: dict[Tone, int], form: str) -> Column:
    said = ", ".join(f"{sums[tone]:,} {WORDS[tone]}" for tone in TONES)
    label = f"{begin:{form}}"
    return Column(
        label,
        [(tone, sums[tone]) for tone in TONES],
        f"{begin:%-d %b} {label if ':' in label else ''}: {said}",
    )
