"""How syncs and refreshes went by hour or by day, as columns of a chart and rows of a table."""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from django.contrib.auth.models import User
from django.core.cache import caches
from django.db.models import Count, F, QuerySet, Value
from django.db.models.functions import Now, Trunc
from django.utils import timezone

from accounts.models import SyncRun
from amazon_accounts.postgresql.clock import approximate_now
from dashboard.charts import Chart, Column, stack_columns, sum_by_tone
from dashboard.status import REFRESH, SYNC_RUN, Tone, find_status
from tokens.models import TokenRefresh
from tokens.permissions import may_everything, read_limits

Period = Literal["24h", "30d"]
TONES: tuple[Tone, ...] = ("good", "attention", "bad")
# The title, the states, and what the tone "attention" means.
KINDS = {
    "sync": ("Syncs", SYNC_RUN, "done in part"),
    "refresh": ("Token refreshes", REFRESH, "tried again"),
}
# Counting a month of a large console takes too long to do it for each page.
CACHE_SECONDS: dict[Period, int] = {"24h": 30, "30d": 600}
LENGTHS: dict[Period, timedelta] = {"24h": timedelta(hours=24), "30d": timedelta(days=30)}


@dataclass(frozen=True)
class Activity:
    title: str
    attention: str
    columns: list[Column]

    @property
    def chart(self) -> Chart:
        columns = [replace(column, title=self._describe(column)) for column in self.columns]
        return stack_columns(columns, width=480, height=110, labels=6, whole=True)

    @property
    def sentence(self) -> str:
        sums = sum_by_tone(self.columns)
        total = int(sum(sums.values()))
        if not total:
            return "None in this time."
        again, failed = int(sums.get("attention", 0)), int(sums.get("bad", 0))
        others = f", {again:,} {'was' if again == 1 else 'were'} {self.attention}" if again else ""
        if not failed:
            return f"None of {total:,} failed{others}."
        worst = max(self.columns, key=lambda column: dict(column.parts).get("bad", 0))
        return f"{failed:,} of {total:,} failed, most at {worst.title}{others}."

    @property
    def rows(self) -> list[tuple[str, list[int]]]:
        return [
            (column.title, [int(dict(column.parts).get(tone, 0)) for tone in TONES])
            for column in self.columns
            if any(value for _, value in column.parts)
        ]

    def _describe(self, column: Column) -> str:
        words = {"good": "good", "attention": self.attention, "bad": "failed"}
        counts = ", ".join(f"{int(dict(column.parts)[tone]):,} {words[tone]}" for tone in TONES)
        return f"{column.title}: {counts}"


def read_activity(user: User, period: Period) -> list[Activity]:
    zone = timezone.get_current_timezone_name()
    key = f"activity:{period}:{zone}:{_get_viewers_key(user)}"
    found: list[Activity] | None = caches["process"].get(key)
    if found is None:
        found = _count(user, period)
        caches["process"].set(key, found, CACHE_SECONDS[period])
    return found


def read_success_rates(user: User) -> dict[Period, float | None]:
    """Return the share of refreshes that left a valid token, for each period; None without any refresh."""
    rates: dict[Period, float | None] = {}
    for period, kept in CACHE_SECONDS.items():
        key = f"success-rate:{period}:{_get_viewers_key(user)}"
        known: list[float | None] | None = caches["process"].get(key)
        if known is None:
            refreshes = TokenRefresh.objects.visible_to(user).since(Now() - LENGTHS[period])
            known = [refreshes.success_rate()]
            caches["process"].set(key, known, kept)
        rates[period] = known[0]
    return rates


def _get_viewers_key(user: User) -> str:
    # All people who see every connection share one answer.
    return "all" if may_everything(user) else f"{user.pk}:{read_limits(user).team_id}"


def _count(user: User, period: Period) -> list[Activity]:
    unit = "hour" if period == "24h" else "day"
    step = timedelta(hours=1) if period == "24h" else timedelta(days=1)
    number = 24 if period == "24h" else 30
    last = timezone.localtime(approximate_now()).replace(minute=0, second=0, microsecond=0)
    # Hours are counted in UTC, where each has the same length. A day begins at midnight of the zone, also on the
    # days on which the clocks change.
    last = last.replace(hour=0) if unit == "day" else last.astimezone(UTC)
    begins = [(last - step * back).astimezone(UTC) for back in reversed(range(number))]
    counted: dict[str, dict[datetime, dict[Tone, int]]] = {
        kind: defaultdict(lambda: dict.fromkeys(TONES, 0)) for kind in KINDS
    }
    for kind, begin, word, rows in _count_rows(user, begins[0], unit):
        tone = find_status(KINDS[kind][1], word).tone
        if tone in TONES:
            counted[kind][begin.astimezone(UTC)][tone] += rows
    form = "%H:00" if unit == "hour" else "%-d %b"
    return [
        Activity(title, attention, [_build_column(begin, counted[kind][begin], form) for begin in begins])
        for kind, (title, _, attention) in KINDS.items()
    ]


def _count_rows(user: User, begin: datetime, unit: str) -> QuerySet[Any]:
    runs = SyncRun.objects.visible_to(user).filter(created_at__gte=begin, finished_at__isnull=False)
    refreshes = TokenRefresh.objects.visible_to(user).filter(started_at__gte=begin, outcome__isnull=False)
    grouped = _group_rows(runs, "sync", "created_at", "state", unit).union(
        _group_rows(refreshes, "refresh", "started_at", "outcome", unit), all=True
    )
    # Django 6.1 gives a union the order of its model.
    return grouped.order_by()


def _group_rows(rows: QuerySet[Any], kind: str, time: str, word: str, unit: str) -> QuerySet[Any]:
    grouped: QuerySet[Any] = (
        rows.order_by()
        .annotate(kind=Value(kind), begin=Trunc(time, unit), word=F(word))
        .values_list("kind", "begin", "word")
        .annotate(rows=Count("pk"))
    )
    return grouped


def _build_column(begin: datetime, sums: dict[Tone, int], form: str) -> Column:
    local = timezone.localtime(begin)
    label = f"{local:{form}}"
    moment = f"{local:%-d %b} {label}" if ":" in label else label
    return Column(label, [(tone, sums[tone]) for tone in TONES], moment)
